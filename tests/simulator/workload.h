// What the simulated clients do: many pipelined appends of unique entries, followers, tail readers,
// trims; logs that come and go.
#pragma once
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
  std::uint32_t payload_exact = 0;  ///< not 0: all entries have this size, as term starts have, so
                                    ///< that logs that parted meet at frame ends
  std::uint64_t segment_size = 64u << 10;
  Duration think_max = 20ms;  ///< pause between appends of a client, at random up to this
  Duration append_deadline = 20s;
  Duration append_within{};  ///< an acknowledged append takes no longer where nothing hinders its
                             ///< own client; 0: as long as it may
  int logs = 1;
  std::uint8_t replicas = 3;
  std::uint8_t write_quorum = 0;  ///< 0: the majority
  Duration trim_every{};  ///< the first client of each log trims at some offset that it has read;
                          ///< 0: never
  bool trim_wildly = false;  ///< or at one that was trimmed before, or behind the end
  Duration read_every{};     ///< each client reads at some offset that it has read before; 0: never
  Duration follow_anew{};  ///< a follower stops and follows again, perhaps from another replica; 0:
                           ///< never
  Duration ask_every{};    ///< a client asks for status, lists and what is to be refused, with such
                           ///< pauses; 0: never
  bool conditional = false;    ///< clients append only where they have seen the log's end (F1)
  bool expect_wildly = false;  ///< or where they have not: beyond the end, or inside a frame
  Duration fence_every{};  ///< each client takes over as the log's writer, with such pauses (F2);
                           ///< 0: never
  Retention retention;     ///< of each log
  Duration times_every{};  ///< each client asks where its log stood at some time before; 0: never
  Duration administer{};   ///< a program sets what logs keep, fences, makes and deletes one, with
                           ///< such pauses; 0: never
  Duration churn{};  ///< a log is created, written, read and deleted, over and over, with such
                     ///< pauses; 0: never
};

/// One client: opens the log, appends, follows, asks for tails; keeps on trying whatever may be
/// tried again.
class ClientWorkload {
 public:
  ClientWorkload(World& world, Checkers& checkers, ClientProcess& process, std::string log,
                 const WorkloadOptions& options, bool creates);
  void start();
  /// One more append, with half a minute: it must be acknowledged.
  void append_last();
  bool last_acknowledged() const { return last_acknowledged_; }
  bool appends_done() const { return ended_ >= options_.entries_per_client; }
  /// Nothing but the follower goes on from here.
  void come_to_rest() { resting_ = true; }
  LogId log() const { return log_; }
  std::uint64_t tails() const { return tails_; }
  Offset followed_to() const { return followed_to_; }
  /// Appends, then closes the client. Whether every call has ended by then.
  bool close();

 private:
  enum class Kind { create, open, append, follow, tail, trim, read, fence, time };
  struct Pending {
    Kind kind;
    std::string payload;
    Offset floor{};
    std::uint64_t asked_ms = 0;  // when, by this process's wall clock
    Time deadline = never;       // of an append, by its own clock
    Time begun{};                // of an append, by the world's
    Offset begin_floor{};        // of a tail
    std::size_t number = 0;      // of a trim
    FenceToken fence{};          // asked for
    std::uint64_t time_ms = 0;   // asked for
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
  bool first_of_log_;  // the one that trims
  LogId log_{};
  std::uint64_t tokens_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  int started_ = 0;
  int ended_ = 0;
  int flying_ = 0;
  bool thinking_ = false;
  Offset followed_to_{};
  FenceToken fence_{};  // its own, set
  client::Token following_{};
  std::vector<Offset> entry_ends_;  // some that the follower has passed: where a trim may be asked
  std::vector<Offset> trimmed_at_;
  std::vector<Offset> followed_;  // where entries begin; only where it reads again
  std::vector<std::string> to_repeat_;
  bool resting_ = false;
  bool closing_ = false;
  bool last_ = false;
  bool last_acknowledged_ = false;
  std::uint64_t tails_ = 0;
};

/// Creates a log, appends a little, reads it back, deletes it, and again under the same name.
class LogChurn {
 public:
  LogChurn(World& world, Checkers& checkers, ClientProcess& process, Duration pause);
  void start();
  /// Ends with the round under way.
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

/// Asks, after everything has healed, where a log stood at each of some times.
class TimeRead {
 public:
  /// `times`: wall clock, milliseconds.
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

/// Reads a log up to where it is known to be committed, by a client that knows one storage node and
/// nobody else.
class LoneRead {
 public:
  LoneRead(World& world, ClientProcess& process, LogId log, Offset from, Offset committed);
  void start();
  bool done() const { return at_ >= committed_; }
  /// How far it has come, and what it was told last.
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

/// Reads a whole log with a fresh client, after everything has healed.
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
