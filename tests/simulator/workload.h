// The simulated clients: many pipelined appends of unique entries, followers, tail readers, trims,
// fences, and logs that come and go. Each client reports its calls to the checkers. run.cpp starts
// the clients and, after healing, the final reads.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulator/checkers.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

struct WorkloadOptions {
  int entries_per_client = 200;
  int in_flight = 8;
  std::uint32_t payload_max = 1500;
  /// Not 0: all entries have this size, equal to a term start's, so that diverged logs meet at
  /// frame ends.
  std::uint32_t payload_exact = 0;
  std::uint64_t segment_size = 64u << 10;
  Duration think_max = 20ms;  ///< a client pauses between appends, at random up to this
  Duration append_deadline = 20s;
  /// The longest time that an acknowledged append may take if nothing hinders its own client; 0: no
  /// bound.
  Duration append_within{};
  int logs = 1;
  std::uint8_t replicas = 3;
  std::uint8_t write_quorum = 0;  ///< 0: the majority
  /// The first client of each log trims at a random offset that it has read; 0: never.
  Duration trim_every{};
  bool trim_wildly = false;  ///< trims also at a former trim point or behind the end
  /// Each client reads again at an offset that it has read before; 0: never.
  Duration read_every{};
  /// A follower stops and follows again, perhaps from another replica; 0: never.
  Duration follow_anew{};
  /// Pause of a client that asks for status, lists, and requests that must be refused; 0: none.
  Duration ask_every{};
  bool conditional = false;    ///< clients append only at the end that they have seen (F1)
  bool expect_wildly = false;  ///< clients also expect an end beyond the end, or inside a frame
  Duration fence_every{};      ///< pause between takeovers of the log by each client (F2); 0: never
  Retention retention;         ///< of each log
  /// Clients resolve the appends whose outcome is unknown, and a fresh client does so at the end.
  bool resolve = false;
  Duration times_every{};  ///< each client asks where its log stood at a past time; 0: never
  /// Pause of a program that sets retentions, fences, creates and deletes a log; 0: none.
  Duration administer{};
  Duration churn{};  ///< pause of a program that creates, writes, reads and deletes a log; 0: none
};

/// An append whose outcome was unknown to its client.
struct UnknownAppend {
  std::string payload;
  client::EntryName entry;
};
/// Reports the answer of a resolve() call to the checkers.
void resolution_ended(World& world, Checkers& checkers, const ClientProcess& process, LogId log,
                      const std::string& payload, const client::Completion& result);

/// A client: opens its log, appends, follows and asks for tails. It repeats every call that may be
/// repeated. It belongs to a run, which outlives it, and takes over the process's callbacks.
class ClientWorkload {
 public:
  /// `creates`: this client creates the log and is the client that trims it.
  ClientWorkload(World& world, Checkers& checkers, ClientProcess& process, std::string log,
                 const WorkloadOptions& options, bool creates);
  void start();
  /// Appends another entry with a deadline of 30 s; after healing it must be acknowledged.
  void append_last();
  bool last_acknowledged() const { return last_acknowledged_; }
  bool appends_done() const { return ended_ >= options_.entries_per_client; }
  /// Gets each append whose outcome is unknown, if the options say that they are resolved.
  std::function<void(const UnknownAppend&)> on_unknown;
  /// Resolves an append of this client or of another client of the log.
  void resolve(const UnknownAppend& append);
  /// From now on only the appends under way and the follower go on.
  void come_to_rest() { resting_ = true; }
  LogId log() const { return log_; }
  std::uint64_t tails() const { return tails_; }
  Offset followed_to() const { return followed_to_; }
  /// The appends whose outcome was unknown, if the options say that they are resolved.
  const std::vector<UnknownAppend>& unknown() const { return unknown_; }
  /// Appends, then closes the client. Returns true if every call has ended by then.
  bool close();

 private:
  enum class Kind { create, open, append, resolve, follow, tail, trim, read, fence, time };
  struct Pending {
    Kind kind;
    std::string payload;
    Offset floor{};
    std::uint64_t asked_ms = 0;  // the time of the question, by this process's wall clock
    Time deadline = never;       // of an append, by the process's own clock
    Time begun{};                // of an append, by the world's clock
    Offset begin_floor{};        // of a tail
    std::size_t number = 0;      // of a trim, as `trim_asked` returned it
    FenceToken fence{};          // the requested token
    std::uint64_t time_ms = 0;   // the requested time
  };
  client::Token token(Kind kind, std::string payload = {}, Offset floor = {});
  void completed(const client::Completed& c);
  void opened(LogId log);
  void open();
  void restarted();
  void append_more();
  void append(std::string payload);
  Offset expected_end();
  void append_ended(const Pending& p, const client::Completion& result);
  void follow();
  void follow_anew();
  void followed(const client::Completed& c);
  void read_again();
  void read_ended(const Pending& p, const client::Completion& result);
  void ask_time();
  void time_answered(const Pending& p, const client::Completion& result);
  void ask_tail();
  void tail_answered(const Pending& p, const client::Completion& result);
  void trim();
  void fence();
  void fence_answered(const Pending& p, const client::Completion& result);
  Duration up_to(Duration max);
  void later(Duration d, void (ClientWorkload::*what)());

  World& world_;
  Checkers& checkers_;
  ClientProcess& process_;
  std::string name_;
  WorkloadOptions options_;
  bool creates_;
  bool first_of_log_;  // this client trims the log
  LogId log_{};
  std::uint64_t tokens_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  int started_ = 0;
  int ended_ = 0;
  int flying_ = 0;
  bool thinking_ = false;
  Offset followed_to_{};
  FenceToken fence_{};  // the highest token that this client has set
  client::Token following_{};
  /// Some ends of entries that the follower has passed: possible trim points.
  std::vector<Offset> entry_ends_;
  std::vector<Offset> trimmed_at_;
  std::vector<Offset> followed_;  // begins of followed entries; kept only if the client reads again
  std::vector<std::string> to_repeat_;
  std::vector<UnknownAppend> unknown_;
  bool resting_ = false;
  bool closing_ = false;
  bool last_ = false;
  bool last_acknowledged_ = false;
  std::uint64_t tails_ = 0;
};

/// Creates a log, appends to it, reads it back and deletes it, again and again under the same name.
/// Checks the promises fresh_name and own_delete.
class LogChurn {
 public:
  LogChurn(World& world, Checkers& checkers, ClientProcess& process, Duration pause);
  void start();
  /// No new round begins; the current round still ends.
  void come_to_rest() { resting_ = true; }
  bool at_rest() const { return resting_ && step_ == Step::pausing; }
  std::uint64_t rounds() const { return rounds_; }

 private:
  enum class Step { pausing, creating, opening, appending, reading, deleting };
  void take(Step s);
  void ask();
  void completed(const client::Completed& c);
  void again();
  void still_there(Errc e);

  World& world_;
  Checkers& checkers_;
  ClientProcess& process_;
  Duration pause_;
  Step step_ = Step::pausing;
  std::uint64_t tokens_ = 2'000'000;
  std::uint64_t entries_ = 0;
  std::uint64_t rounds_ = 0;
  std::string payload_;
  LogId log_{};
  std::set<LogId> gone_;
  bool resting_ = false;
};

/// Asks after healing where a log stood at each of several times, and keeps the answers in order.
class TimeRead {
 public:
  /// `times`: wall clock in milliseconds.
  TimeRead(ClientProcess& process, LogId log, std::vector<std::uint64_t> times);
  void start();
  bool done() const { return answers_.size() == times_.size(); }
  const std::vector<std::uint64_t>& times() const { return times_; }
  const std::vector<Offset>& answers() const { return answers_; }
  const std::string& last_error() const { return error_; }

 private:
  void next();
  ClientProcess& process_;
  LogId log_;
  std::vector<std::uint64_t> times_;
  std::vector<Offset> answers_;
  std::uint64_t tokens_ = 4'000'000;
  std::string error_ = "none came";
};

/// Resolves appends of other clients, all at the same time, after healing.
class FateRead {
 public:
  FateRead(World& world, Checkers& checkers, ClientProcess& process, LogId log,
           std::vector<UnknownAppend> appends);
  void start();
  bool done() const { return ended_ == appends_.size(); }

 private:
  World& world_;
  Checkers& checkers_;
  ClientProcess& process_;
  LogId log_;
  std::vector<UnknownAppend> appends_;
  std::size_t ended_ = 0;
};

/// Reads a log with a client that knows a single storage node and no other server. Checks that the
/// committed log is readable there (promise readable).
class LoneRead {
 public:
  LoneRead(World& world, ClientProcess& process, LogId log, Offset from, Offset committed);
  void start();
  bool done() const { return at_ >= committed_; }
  /// The position and the last answer, for the report of a violation.
  std::string standing() const;

 private:
  void completed(const client::Completed& c);
  void next();
  World& world_;
  ClientProcess& process_;
  LogId log_;
  Offset at_;
  Offset committed_;
  std::uint64_t tokens_ = 5'000'000;
  std::string error_ = "nothing";
};

/// Reads a whole log with a fresh client after healing: opens it, asks for the tail, reads up to
/// it. Its result is the truth for the final checks.
class FullRead {
 public:
  FullRead(World& world, ClientProcess& process, std::string log);
  void start();
  bool done() const { return done_; }
  Offset first() const { return tail_.first; }
  Offset committed() const { return tail_.committed; }
  LogId log() const { return log_; }
  bool holds(NodeId node) const;
  const std::vector<client::Entry>& entries() const { return entries_; }
  const std::string& last_error() const { return error_; }

 private:
  void completed(const client::Completed& c);
  void next();
  World& world_;
  ClientProcess& process_;
  std::string name_;
  LogId log_{};
  int step_ = 0;  // 0 open, 1 tail, 2 read
  client::Tail tail_{};
  Offset at_{};
  std::vector<Member> members_;
  std::uint64_t tokens_ = 1'000'000;
  std::vector<client::Entry> entries_;
  bool done_ = false;
  std::string error_;
};

}  // namespace loglog::simulator
