// A key-value store kept in a log: every process applies the same entries in the same order, so all
// processes hold the same state.
//   replicated_state_machine HOST:PORT LOG NAME COMMANDS TOTAL
// The process appends COMMANDS commands ("set KEY VALUE", "add KEY NUMBER") while it follows the
// log. It stops after applying TOTAL commands of all processes and prints a line "state ...". Two
// processes end with the same line.
#include <loglog/client.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

namespace {

// The state machine. apply() must be deterministic: it uses nothing but the command.
class Store {
 public:
  void apply(const std::string& command) {
    std::istringstream in(command);
    std::string verb, key;
    std::int64_t number = 0;
    in >> verb >> key >> number;
    // The two verbs make errors visible: `set` shows a changed order, `add` a repeated entry.
    if (verb == "set") values_[key] = number;
    else if (verb == "add") values_[key] += number;
    ++applied_;
  }
  std::uint64_t applied() const { return applied_; }
  std::string text() const {
    std::ostringstream out;
    for (const auto& [key, value] : values_) out << key << '=' << value << ' ';
    return out.str();
  }

 private:
  std::map<std::string, std::int64_t> values_;
  std::uint64_t applied_ = 0;
};

int fail(const loglog::CallError& e) {
  std::cerr << e.message << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: replicated_state_machine HOST:PORT LOG NAME COMMANDS TOTAL\n";
    return 2;
  }
  const std::string name = argv[3];
  const auto commands = std::stoull(argv[4]);
  const auto total = std::stoull(argv[5]);
  auto client = loglog::Client::connect({.addresses = {argv[1]}});
  if (!client) return fail(client.error());
  auto log = client->open_or_create_log(argv[2]);
  if (!log) return fail(log.error());

  std::uint64_t not_committed = 0;
  // Own commands are applied when they come back through the log, like the commands of other
  // processes. Both threads may call the same Log at once.
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < commands; ++i) {
      const std::string key = "k" + std::to_string(i % 5);
      const std::string command = i % 2 == 0
                                      ? "set " + key + ' ' + std::to_string(i * 31 + name.size())
                                      : "add " + key + " 7";
      if (!log->append(command)) ++not_committed;
    }
  });

  Store store;
  const auto begin = log->begin();
  if (begin) {
    auto entries = log->follow(*begin);
    while (store.applied() < total) {
      // Empty after 30 s without an entry, or if the follower has ended.
      const auto entry = entries.next_for(std::chrono::seconds(30));
      if (!entry) break;
      store.apply(entry->payload);
    }
    if (const auto error = entries.error()) std::cerr << error->message << '\n';
  }
  writer.join();
  std::cout << "state " << store.text() << "after " << store.applied() << " commands" << std::endl;
  return begin && store.applied() == total && not_committed == 0 ? 0 : 1;
}
