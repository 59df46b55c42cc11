// An append whose deadline passes has no known outcome: the entry may be in the log, may get
// there later, or never. The application gives each entry an id and finds out by reading the log
// from its end before the append.
//   unknown_outcome HOST:PORT LOG ID TIMEOUT_MS
// The program appends an entry named ID with that deadline. It prints "committed OFFSET", or after
// an unknown outcome "found OFFSET" or "absent". Exit code 1: the append was refused, or its
// outcome could not be found out; stderr says why.
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
  // The entry cannot lie below this offset, so the search may begin here.
  const auto before = log ? log->end() : std::unexpected(log.error());
  if (!before) {
    std::cerr << before.error().message << '\n';
    return 1;
  }
  const auto result = log->append(id + ": an order to pay",
                                  {.timeout = std::chrono::milliseconds(std::stoll(argv[4]))});
  if (result) {
    std::cout << "committed " << result.offset << '\n';
    return 0;
  }
  std::cerr << result.error.message << '\n';
  // Refused: the entry was not written and never will be.
  if (result.outcome == loglog::AppendResult::Outcome::refused) return 1;

  // A later committed append settles the fate of the unknown entry. A producer's entries keep their
  // order, so an entry that does not stand before "fence" never will.
  const auto fence = log->append("fence", {.timeout = std::chrono::seconds(30)});
  if (!fence) {
    std::cerr << fence.error.message << '\n';
    return 1;
  }
  // Between the old end and "fence" the entry either stands or is absent for good.
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
  // The application may append it again.
  std::cout << "absent\n";
}
