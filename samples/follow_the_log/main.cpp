// Prints every entry of a log from its beginning, and goes on as entries are committed.
//   follow_the_log HOST:PORT LOG [COUNT]
// Lost connections and a new leader are told on stderr; the follower goes on by itself.
#include <loglog/client.h>

#include <iostream>
#include <limits>
#include <string>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: follow_the_log HOST:PORT LOG [COUNT]\n";
    return 2;
  }
  auto left = argc > 3 ? std::stoull(argv[3]) : std::numeric_limits<unsigned long long>::max();
  auto client = loglog::Client::connect({
      .addresses = {argv[1]},
      // Runs on the client's thread, so it must not block for long.
      .on_event = [](const loglog::ClientEvent& event) { std::cerr << event.text() << '\n'; },
  });
  if (!client) {
    std::cerr << client.error().message << '\n';
    return 1;
  }
  auto log = client->open_log(argv[2]);
  if (!log) {
    std::cerr << log.error().message << '\n';
    return 1;
  }
  // The first offset that a trim has left.
  const auto begin = log->begin();
  if (!begin) {
    std::cerr << begin.error().message << '\n';
    return 1;
  }
  auto entries = log->follow(*begin);
  while (left > 0) {
    // Waits for the next committed entry; empty if the follower has ended.
    const auto entry = entries.next();
    if (!entry) break;
    std::cout << entry->offset << ": " << entry->payload << std::endl;
    --left;
  }
  // For example: the log was deleted, or trimmed past the reader's position.
  if (const auto error = entries.error()) {
    std::cerr << error->message << '\n';
    return 1;
  }
}
