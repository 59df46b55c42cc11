// A counter with a single writer at a time: a new process takes over from the process that wrote
// before.
//   single_writer HOST:PORT LOG NAME COUNT
// The process takes the log over with the next fencing token and reads the entries that are there.
// Then it appends "NAME n" COUNT times; each n is the number before plus 1. It ends with exit code
// 3 and "replaced ..." when another process has taken over. The log then holds 1, 2, 3, ... without
// a gap, however many writers there were.
#include <loglog/client.h>

#include <cstdint>
#include <iostream>
#include <string>

namespace {

int fail(const loglog::CallError& e) {
  std::cerr << e.message << '\n';
  return 1;
}

struct Counter {
  std::uint64_t value = 0;
  loglog::EntryOffset end = 0;  // offset behind the last entry applied

  void apply(const loglog::Entry& e) {
    value = std::stoull(e.payload.substr(e.payload.rfind(' ') + 1));
    end = e.next;
  }
};

// Reads the log up to `until`. All entries that older writers could append lie below it, now and
// later.
std::expected<Counter, loglog::CallError> catch_up(loglog::Log& log, loglog::EntryOffset until) {
  const auto begin = log.begin();
  if (!begin) return std::unexpected(begin.error());
  Counter counter{0, *begin};
  while (counter.end < until) {
    const auto page = log.read(counter.end, 1u << 20, std::chrono::seconds(1));
    if (!page) return std::unexpected(page.error());
    for (const loglog::Entry& e : page->entries) counter.apply(e);
    counter.end = page->next;
  }
  return counter;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: single_writer HOST:PORT LOG NAME COUNT\n";
    return 2;
  }
  auto client = loglog::Client::connect({.addresses = {argv[1]}});
  if (!client) return fail(client.error());
  auto log = client->open_or_create_log(argv[2]);
  if (!log) return fail(log.error());
  // From here on appends with an older token are refused (F2).
  const auto fence = log->fence();
  if (!fence) return fail(fence.error());
  auto counter = catch_up(*log, fence->end);
  if (!counter) return fail(counter.error());

  std::cout << "writes with token " << fence->token << " from " << counter->value << std::endl;
  for (auto left = std::stoull(argv[4]); left > 0; --left) {
    const std::string entry = std::string(argv[3]) + ' ' + std::to_string(counter->value + 1);
    // The token keeps older writers out. The offset also detects an entry from a writer that names
    // no token (F1).
    const auto result =
        log->append(entry, {.expected_offset = counter->end, .fence = fence->token});
    if (result.error.code == loglog::Errc::producer_fenced) {
      std::cout << "replaced by token " << result.error.fence << " at " << counter->value
                << std::endl;
      return 3;
    }
    if (!result) return fail(result.error);
    ++counter->value;
    // The next append expects the log to end behind this entry.
    counter->end = result.next;
  }
  std::cout << "counted to " << counter->value << std::endl;
}
