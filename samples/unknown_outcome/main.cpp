// An append whose deadline passes has no known outcome: it may be in the log, or come to be, or
// not. The entry itself says which: its application gives it an id, and reads the log from where it
// ended before the append.
//   unknown_outcome HOST:PORT LOG ID TIMEOUT_MS
// appends an entry named ID with that deadline; prints "committed OFFSET", or after an unknown
// outcome "found OFFSET" or "absent".
#include <loglog/client.h>

#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: unknown_outcome HOST:PORT LOG ID TIMEOUT_MS\n";
    return 2;
  }
  const std::string id = argv[3];
  auto client = loglog::Client::connect({.addresses = {argv[1]}});
  if (!client) {
    std::cerr << client.error().message << '\n';
    return 1;
  }
  auto log = client->open_or_create_log(argv[2]);
  const auto before = log ? log->end() : std::unexpected(log.error());
  if (!before) {
    std::cerr << before.error().message << '\n';
    return 1;
  }
  const auto result =
      log->append(id + ": an order to pay", std::chrono::milliseconds(std::stoll(argv[4])));
  if (result) {
    std::cout << "committed " << result.offset << '\n';
    return 0;
  }
  std::cerr << result.error.message << '\n';
  if (result.outcome == loglog::AppendResult::Outcome::refused)
    return 1;  // not written, and never will be

  // One later append of this producer that is committed fences the unknown one: a producer's
  // entries keep their order, so what does not stand before it never will.
  const auto fence = log->append("fence", std::chrono::seconds(30));
  if (!fence) {
    std::cerr << fence.error.message << '\n';
    return 1;
  }
  for (loglog::EntryOffset at = *before; at < fence.offset;) {
    const auto found = log->read(at, 1u << 20, std::chrono::milliseconds(500));
    if (!found) {
      std::cerr << found.error().message << '\n';
      return 1;
    }
    for (const loglog::Entry& entry : found->entries)
      if (entry.offset < fence.offset && entry.payload.starts_with(id + ": ")) {
        std::cout << "found " << entry.offset << '\n';
        return 0;
      }
    at = found->next;
  }
  std::cout << "absent\n";  // it may be appended again
}
