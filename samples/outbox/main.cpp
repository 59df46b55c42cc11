// Publishes the rows of an outbox to a log, each exactly once, across crashes of this program.
//   outbox HOST:PORT LOG FILE
// An application writes its rows to an outbox, here the lines of FILE, in the transaction that
// makes their changes. This program publishes line n as "n LINE". It may be killed at any point and
// started again, also while an older process of it still runs: the log then holds every line once,
// in order. It ends with exit code 3 if a newer process has taken over.
//
// Two calls make that so. Log::fence() shuts older processes out, because each append names its
// token. Log::last() then tells the last line that was published, by any process.
#include <loglog/client.h>

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t lines_of_an_entry = 100;

int fail(const loglog::CallError& e) {
  std::cerr << e.message << '\n';
  return 1;
}

// The number of the last line that the log holds.
std::expected<std::uint64_t, loglog::CallError> published(loglog::Log& log) {
  const auto last = log.last();
  if (!last) return std::unexpected(last.error());
  return *last ? std::stoull((*last)->parts().back()) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: outbox HOST:PORT LOG FILE\n";
    return 2;
  }
  auto client = loglog::Client::connect({.addresses = {argv[1]}});
  if (!client) return fail(client.error());
  auto log = client->open_or_create_log(argv[2]);
  if (!log) return fail(log.error());
  const auto fence = log->fence();
  if (!fence) return fail(fence.error());
  const auto done = published(*log);
  if (!done) return fail(done.error());
  std::cout << "goes on behind line " << *done << std::endl;

  std::ifstream outbox(argv[3]);
  std::string line;
  std::uint64_t number = 0;
  while (number < *done && std::getline(outbox, line)) ++number;
  while (outbox) {
    // The lines of an entry are published together or not at all.
    std::vector<std::string> lines;
    while (lines.size() < lines_of_an_entry && std::getline(outbox, line))
      lines.push_back(std::to_string(++number) + ' ' + line);
    if (lines.empty()) break;
    // One entry at a time, because an entry must not stand without the entry before it.
    auto result = log->append_batch(lines, {.fence = fence->token});
    while (result.outcome == loglog::AppendResult::Outcome::refused && result.error.retry)
      result = log->append_batch(lines, {.fence = fence->token});
    if (result.error.code == loglog::Errc::producer_fenced) return 3;
    // After an unknown outcome the next process reads what became of the entry.
    if (!result) return fail(result.error);
  }
  std::cout << "published up to line " << number << std::endl;
}
