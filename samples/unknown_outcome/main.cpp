// An append whose deadline passes has no known outcome: the entry may be in the log, may get there
// later, or never. Log::resolve finds out by reading the log, so that the program knows whether it
// may append the entry again.
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
  if (!log) {
    std::cerr << log.error().message << '\n';
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

  const auto settled = log->resolve(result, std::chrono::seconds(30));
  if (!settled) {
    std::cerr << settled.error().message << '\n';
    return 1;
  }
  if (*settled) std::cout << "found " << settled->offset << '\n';
  else std::cout << "absent\n";  // for good, so the application may append it again
}
