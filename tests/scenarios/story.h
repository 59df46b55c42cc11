// A story is a cluster of the production cores in the simulated world, driven by events that the
// test chooses, so that a named situation happens exactly.
// Nothing fails by chance here; only delays differ with the seed. Every message of every story is
// checked for:
// S1  a node that has answered for a term acknowledges nothing of a lower term
// T1, D1  a term has a single leader instance, and orders an offset once (checkers.h)
// expect_log() adds the simulator's checkers. LOGLOG_STORY_TRACE=1 prints every message.
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

/// The size of the cluster and the options in which stories differ.
struct Cast {
  int sequencers = 3;
  int storage = 3;
  int producers = 1;
  bool rest = false;  ///< logs that nobody asks for get no term start (S7)
  std::uint64_t seed = 1;
};

/// Names an append of the story; counts from 0.
using Entry = std::size_t;
using Words = std::vector<std::string>;

/// Owns the cluster and every append of the story. The destructor fails the test if a checker has
/// found a violation. All calls run the simulated world on the caller's thread.
class Story {
 public:
  /// Starts the cluster and waits for a leader and for "log1". "log1" is not created if there are
  /// fewer than three storage nodes and `log1` names no replica count.
  explicit Story(const Cast& cast = {}, const LogOptions& log1 = {});
  ~Story();

  // ---- The cast
  /// The sequencer that leads in the highest term. Waits until there is a leader.
  SequencerProcess& leader();
  /// Waits for a leader other than `old`, which died or was cut off.
  SequencerProcess& leader_after(const SequencerProcess& old);
  SequencerProcess& sequencer(int i) { return *world_.sequencers[static_cast<std::size_t>(i - 1)]; }
  StorageProcess& node(int i) { return *world_.storage[static_cast<std::size_t>(i - 1)]; }
  ClientProcess& producer(int i = 1) { return *world_.clients[static_cast<std::size_t>(i - 1)]; }
  std::vector<Process*> nodes() const { return world_.storage_as_processes(); }
  std::vector<Process*> sequencers_but(const Process& one) const;

  // ---- Events
  /// Starts an append of `producer` and returns at once; the deadline counts from now.
  Entry append(const std::string& payload, const std::string& log = "log1", int producer = 1,
               Duration deadline = 120s);
  /// Starts several appends in the same step, so that they form a single run. Returns the first;
  /// the others have the following numbers.
  Entry append_together(const Words& payloads, const std::string& log = "log1");
  /// Appends and waits; the story fails unless the append is committed.
  Entry appended(const std::string& payload, const std::string& log = "log1", int producer = 1);
  /// Create, delete or trim a log as an administrator does, and wait for the answer.
  void create(const std::string& name, const LogOptions& options = {});
  void remove(const std::string& name);
  void trim(const std::string& name, Offset at);
  /// Runs the world for `d`, or until a checker finds a violation.
  void let_pass(Duration d);
  /// Runs until `so()` holds, and fails the story if it does not hold within `within`. The world
  /// stops directly after the event that made it true.
  void until(const std::string& what, const std::function<bool()>& so, Duration within = 30s);
  /// The same without failing: returns whether `so()` came to hold in time.
  bool becomes(const std::function<bool()>& so, Duration within);
  /// Holds back all messages from `from` to `to` until heal(). They wait, as on a TCP connection
  /// that still stands.
  void hold(const Process& from, const Process& to);
  void hold(const Process& from, const std::vector<Process*>& to);
  /// Holds messages in both directions.
  void part(const Process& a, const Process& b);
  void part(const Process& a, const std::vector<Process*>& others);
  /// Holds messages in both directions and breaks the connections between them.
  void sever(const Process& a, const std::vector<Process*>& others);
  /// Lifts every hold(); held messages arrive.
  void heal() { world_.network.heal(); }
  /// Ends the process at once. Its memory is lost; its disk stays.
  void kill(Process& p) { p.kill(); }
  void restart(Process& p) { p.start(); }
  /// Asks the process to stop, as SIGTERM does, and waits until it has stopped. Returns the time
  /// that this took.
  Duration stop(Process& p, Duration within = 3s);
  /// Kills the node, and loses the unsynced sectors in the worst of 64 random ways. Returns the
  /// number of sectors lost.
  std::size_t power_cut(StorageProcess& n);
  /// Flips a bit of the frame byte at `at` on the node's disk, whether or not the node runs.
  void rot(StorageProcess& n, const std::string& log, Offset at);

  // ---- Observations
  bool pending(Entry e) const { return !appends_[e].result; }
  bool committed(Entry e) const;
  /// Returns "pending", "committed", "unknown", or the name of the error.
  std::string outcome(Entry e) const;
  /// Offset and term of a committed append; the story fails if the append is not committed.
  Offset offset(Entry e) const;
  Term term_of(Entry e) const;
  /// The log as a leader's metadata describe it.
  LogInfo log(const std::string& name) const;
  /// The replica of a log on a node that is up; the story fails if the node does not hold the log.
  const storage::LogCore& replica(StorageProcess& n, const std::string& log = "log1");
  /// Counts the messages of type M sent so far. `from` and `to` are prefixes of process names:
  /// "seq", "node", "client", or a full name.
  template <class M>
  std::size_t sent(const std::string& from, const std::string& to) const {
    return count(M::type, from, to);
  }
  simulator::World& world() { return world_; }
  /// Called for every message at the moment of sending.
  std::function<void(const Process& from, const Process& to, const Message&)> on_message;

  // ---- Endings
  /// Requires that a fresh reader finds exactly these payloads in this order, and that the checkers
  /// are content. Returns the entries.
  std::vector<client::Entry> expect_log(const std::string& name, const Words& payloads);
  /// Reads the whole log with a fresh reader and runs the checkers on it.
  std::vector<client::Entry> read_all(const std::string& name);
  /// Waits until all replicas of the log are matched, whole and of one length, and compares them
  /// byte by byte.
  void expect_replicas_equal(const std::string& name = "log1");
  /// Requires that no checker has found a violation so far.
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
  // Highest term answered for, by node; log 0 stands for all logs.
  std::map<std::pair<std::string, LogId>, Term> answered_for_;
};

}  // namespace loglog::scenarios
