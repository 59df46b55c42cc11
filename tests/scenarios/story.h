// A cluster of the production cores in the simulated world, driven by hand-chosen events so that
// one named situation happens exactly. Nothing fails here by chance; only delays differ with the
// seed. Watched in every story, on every message sent:
//   S1  who answered for a term acknowledges nothing of a lower one
//   T1, D1  a term has one leader instance, and orders an offset once (checkers.h)
// and expect_log() brings the simulator's checkers. LOGLOG_STORY_TRACE=1 prints every message.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "tests/simulator/checkers.h"
#include "tests/simulator/workload.h"
#include "tests/simulator/world.h"

namespace loglog::scenarios {

using simulator::ClientProcess;
using simulator::Process;
using simulator::SequencerProcess;
using simulator::StorageProcess;

struct Cast {
  int sequencers = 3;
  int storage = 3;
  int producers = 1;
  bool rest = false;  ///< logs that nobody asks for get no term start (S7)
  std::uint64_t seed = 1;
};

/// One append of the story.
using Entry = std::size_t;
using Words = std::vector<std::string>;

class Story {
 public:
  /// The cluster runs, has a leader, and "log1" exists with three replicas, unless there are too
  /// few nodes.
  explicit Story(const Cast& cast = {}, const LogOptions& log1 = {});
  ~Story();

  // ---- Who
  /// The sequencer that leads in the highest term, once there is one.
  SequencerProcess& leader();
  /// A new one, after `old` died or was cut off.
  SequencerProcess& leader_after(const SequencerProcess& old);
  SequencerProcess& sequencer(int i) { return *world_.sequencers[static_cast<std::size_t>(i - 1)]; }
  StorageProcess& node(int i) { return *world_.storage[static_cast<std::size_t>(i - 1)]; }
  ClientProcess& producer(int i = 1) { return *world_.clients[static_cast<std::size_t>(i - 1)]; }
  std::vector<Process*> nodes() const { return world_.storage_as_processes(); }
  std::vector<Process*> sequencers_but(const Process& one) const;

  // ---- What happens
  Entry append(const std::string& payload, const std::string& log = "log1", int producer = 1,
               Duration deadline = 120s);
  /// The same for several at once, so that they go out as one run. The first one's is given; the
  /// others follow.
  Entry append_together(const Words& payloads, const std::string& log = "log1");
  /// Appends, and waits until it is committed.
  Entry appended(const std::string& payload, const std::string& log = "log1", int producer = 1);
  void create(const std::string& name, const LogOptions& options = {});
  void remove(const std::string& name);
  void trim(const std::string& name, Offset at);
  void let_pass(Duration d);
  /// Runs until it is so; the story fails where it is not so in time. What happens after the next
  /// event is the caller's.
  void until(const std::string& what, const std::function<bool()>& so, Duration within = 30s);
  bool becomes(const std::function<bool()>& so, Duration within);
  /// Nothing from one reaches the other until heal(): it waits, as on a TCP connection.
  void hold(const Process& from, const Process& to);
  void hold(const Process& from, const std::vector<Process*>& to);
  /// Both ways.
  void part(const Process& a, const Process& b);
  void part(const Process& a, const std::vector<Process*>& others);
  /// Both ways, and the connections there are break.
  void sever(const Process& a, const std::vector<Process*>& others);
  void heal() { world_.network.heal(); }
  /// The process dies with what is in its memory; its disk stays.
  void kill(Process& p) { p.kill(); }
  void restart(Process& p) { p.start(); }
  /// Asks the process to stop by itself, as SIGTERM does, and waits until it has; gives how long
  /// that took.
  Duration stop(Process& p, Duration within = 3s);
  /// The node dies, and every unsynced sector with it.
  std::size_t power_cut(StorageProcess& n);
  /// Flips one bit of the frame bytes at an offset of the log.
  void rot(StorageProcess& n, const std::string& log, Offset at);

  // ---- What is seen
  bool pending(Entry e) const { return !appends_[e].result; }
  bool committed(Entry e) const;
  /// "pending", "committed", "unknown", or the name of the error.
  std::string outcome(Entry e) const;
  Offset offset(Entry e) const;
  Term term_of(Entry e) const;
  LogInfo log(const std::string& name) const;
  /// The replica of a log at a node that is up.
  const storage::LogCore& replica(StorageProcess& n, const std::string& log = "log1");
  /// Messages of a type that one kind of process ("seq", "node", "client", or a whole name) sent to
  /// another so far.
  template <class M>
  std::size_t sent(const std::string& from, const std::string& to) const {
    return count(M::type, from, to);
  }
  simulator::World& world() { return world_; }
  /// What is called for every message as it is sent.
  std::function<void(const Process& from, const Process& to, const Message&)> on_message;

  // ---- How it ends
  /// A fresh reader finds these payloads, in this order, and the checkers are content; gives the
  /// entries.
  std::vector<client::Entry> expect_log(const std::string& name, const Words& payloads);
  /// All entries of the log as a fresh reader finds them; the checkers are content.
  std::vector<client::Entry> read_all(const std::string& name);
  /// All replicas of the log are matched, whole and equal, byte by byte.
  void expect_replicas_equal(const std::string& name = "log1");
  void expect_all_well();

 private:
  struct Append {
    std::string payload;
    LogId log;
    std::optional<client::Completion> result;
  };
  std::size_t count(MessageType type, const std::string& from, const std::string& to) const;
  void completed(const client::Completed& c);
  client::Completion ask(const std::string& what,
                         const std::function<void(client::ClientMachine&, client::Token)>& call);
  void watch(const Process& from, const Process& to, const Message& m);

  simulator::World world_;
  simulator::Checkers checkers_;
  std::vector<Append> appends_;
  std::map<client::Token, client::Completion> answers_;
  std::map<std::string, LogId> logs_;
  std::uint64_t questions_ = 0;
  std::map<std::tuple<std::string, std::string, MessageType>, std::size_t> sent_;
  std::map<std::pair<std::string, LogId>, Term> answered_for_;  // by node; log 0: all logs
};

}  // namespace loglog::scenarios
