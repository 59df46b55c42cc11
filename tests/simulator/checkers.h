// The checkers: a promise has a checker of its own. They watch the clients' view, the wire and the
// disks, never the cores' insides. A violation is reported under the promise's name; names and
// sentences are listed in `promises`. The workload and run.cpp feed the checkers; other files
// report through `violated`.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sdk/core/output.h"
#include "tests/simulator/condition_checker.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// A promise of the product: `name` begins every report, `sentence` explains it in `loglog-simulate
/// --promises`.
struct Promise {
  std::string_view name;
  std::string_view sentence;
};

namespace promise {
inline constexpr Promise durability{"acknowledged is never lost",
                                    "an acknowledged entry is readable at its offset for ever"};
inline constexpr Promise unmoved{
    "acknowledged is never moved",
    "an acknowledged entry stands at the offset that was told, unchanged"};
inline constexpr Promise origin{"readers see only what was appended",
                                "every entry read was appended to this very log"};
inline constexpr Promise agreement{"readers agree",
                                   "an offset gives the same bytes to every reader at any time"};
inline constexpr Promise once{"no entry twice",
                              "an entry stands once in its log, whatever was retried"};
inline constexpr Promise producer_order{
    "producer order", "one producer's entries stand in the order of their sequence numbers"};
inline constexpr Promise number{
    "a number names one entry",
    "a producer gives a sequence number to one entry only, whatever became of it"};
inline constexpr Promise real_time{
    "real-time order",
    "an entry that was begun after another one was acknowledged stands behind it"};
inline constexpr Promise tail{"tail is linearizable",
                              "a tail is not below what anybody was told before the question"};
inline constexpr Promise failed{"failed is never visible",
                                "what an append called failed is in no log and never will be"};
inline constexpr Promise unknown{
    "unknown has a cause",
    "an outcome is unknown only when its deadline has passed or a trim took where it may stand"};
inline constexpr Promise resolved{
    "resolved is what is",
    "an entry that resolve() finds stands there for ever; one that it calls absent is in no log "
    "and "
    "never will be; and it gives up before its deadline only over a trim"};
inline constexpr Promise replicas{
    "replicas are identical", "below committed, the replicas' files have the same names and bytes"};
inline constexpr Promise one_leader{
    "one leader per term", "a term has one leader instance, and one sequencer orders in it"};
inline constexpr Promise ordered_once{"an offset is ordered once",
                                      "in one term, a log's offset is given to one run"};
inline constexpr Promise forward{
    "committed never moves back",
    "what a node has shown as committed, it shows as committed as long as it lives"};
inline constexpr Promise ruler{
    "committed lies on the ruler",
    "a node names no committed offset beyond the tail it names, unless it has a hole"};
inline constexpr Promise trim_bounds{
    "trim takes what was asked",
    "nothing above the highest trim point asked for is trimmed, nor what was appended after the "
    "trims, "
    "but for what a retention allows: whole segments while as much stays, or that are as old"};
inline constexpr Promise time{"a point in time misses nothing",
                              "what was appended at or after a time stands at or behind where the "
                              "log is said to stand at it"};
inline constexpr Promise trim_forward{"trim never moves back",
                                      "a log does not begin before where it was said to begin"};
inline constexpr Promise the_end{
    "no more means the end",
    "who is told that there is no more is not told so below what is committed there"};
inline constexpr Promise follower{
    "a follower misses nothing",
    "a follower sees every acknowledged entry from where it began, or is told"};
inline constexpr Promise full_disk{"a full disk stops nobody",
                                   "what is written goes where space was reserved before"};
inline constexpr Promise fresh_name{
    "a new log is empty",
    "a log created under a deleted one's name has another id and none of its entries"};
inline constexpr Promise own_delete{"a log goes by its own delete",
                                    "a log that was made goes only when it is deleted, not by a "
                                    "request for an older one of its name"};
inline constexpr Promise setting{
    "a setting stands", "a setting that was acknowledged is what it is until it is set again"};
inline constexpr Promise tokens{
    "a fence is counted once",
    "each request for the next fencing token raises it once at most, and no late one does"};
inline constexpr Promise made_once{"a log is made once",
                                   "a request to make a log makes one at most, never after its "
                                   "deletion, and its repeat is no conflict"};
inline constexpr Promise refusals{
    "what is wrong is refused",
    "a wrong name, option or offset is refused with its reason, and nothing is made"};
inline constexpr Promise status{
    "status tells what is",
    "in the end status says what is: all well where it is, else what is away"};
inline constexpr Promise ends{"a call ends once",
                              "whatever was under way when a client is closed ends, and not twice"};
inline constexpr Promise loss{
    "a loss has a cause",
    "the cluster says that a disk lost acknowledged bytes only where a fault took some"};
inline constexpr Promise metadata{
    "metadata is never taken back",
    "a metadata command that was committed stands at its index for ever"};
inline constexpr Promise halts{"no log halts",
                               "no log halts while no more is lost than its write quorum survives"};
inline constexpr Promise steady{
    "a working leader stays",
    "a sequencer that was cut off and comes back deposes no leader that the rest follows"};
inline constexpr Promise held_up{"nobody is held up for long",
                                 "a client that dies or is cut off in mid-upload holds up the "
                                 "appends of others for a bounded time"};
inline constexpr Promise ahead{
    "orders do not run ahead",
    "of one producer, the leader orders no more runs than its bound that no replica holds"};
inline constexpr Promise condition{
    "a condition holds",
    "an append that expects the log's end at an offset follows no entry at or above it"};
inline constexpr Promise in_the_way{
    "a refused condition had an entry in its way",
    "where an expected offset is refused, an entry stands at or above it, or the log ended below"};
inline constexpr Promise fence{
    "a fence holds",
    "once a fencing token is set, nothing of a lower one stands at its end or above"};
inline constexpr Promise starts{"a node starts",
                                "a process that was stopped in any way starts again on its disk"};
inline constexpr Promise progress{
    "progress", "after healing, appends end and every replica serves a full read within a bound"};
inline constexpr Promise readable{
    "one replica is enough to read",
    "what is committed is read from a storage node that has it while no other server lives"};
inline constexpr Promise raised{
    "a raise waits for all programs",
    "a cluster's version rises only while all servers run programs that read it, and never falls"};
inline constexpr Promise named{
    "a directory says what it holds",
    "a directory names a version before it holds a record of that version"};
inline constexpr Promise older_program{
    "an older program is refused",
    "a program does not run on a directory that names a version above its own"};
inline constexpr Promise memory{
    "memory is bounded", "what nodes ask of each other, give and queue stays below its limits"};
}  // namespace promise

/// Every promise, in the order in which `--promises` prints them.
inline constexpr std::array promises = {
    promise::durability,  promise::unmoved,        promise::origin,    promise::agreement,
    promise::once,        promise::producer_order, promise::number,    promise::real_time,
    promise::tail,        promise::failed,         promise::unknown,   promise::replicas,
    promise::one_leader,  promise::ordered_once,   promise::forward,   promise::ruler,
    promise::trim_bounds, promise::trim_forward,   promise::the_end,   promise::follower,
    promise::full_disk,   promise::fresh_name,     promise::refusals,  promise::status,
    promise::ends,        promise::metadata,       promise::halts,     promise::steady,
    promise::held_up,     promise::ahead,          promise::condition, promise::in_the_way,
    promise::fence,       promise::starts,         promise::progress,  promise::time,
    promise::own_delete,  promise::setting,        promise::tokens,    promise::made_once,
    promise::memory,      promise::readable,       promise::loss,      promise::raised,
    promise::named,       promise::older_program,  promise::resolved};

/// The short name of an entry in reports: its payload up to the first '#'.
std::string short_form(const std::string& payload);
/// Ends the run with a report that begins with the promise's name. Only the first violation of a
/// run is kept.
void violated(World& world, const Promise& p, const std::string& what);

/// Records from the wire which offset was ordered when, and up to where a write quorum is durable.
/// `LogHistory` asks it how far a retention may trim and which entries are younger than a point in
/// time.
class PlaceWatch {
 public:
  explicit PlaceWatch(World& world) : world_(world) {}
  void order(const Order& m);
  void durable(const Process& from, const Durable& m);
  /// True if the log's retention lets everything below `point` go: enough bytes are committed above
  /// it, or all runs below it are old enough. Callers ask about points in ascending order.
  bool may_go(LogId log, Offset point);
  /// The offset of the first committed run at or above `from` that was ordered at or after
  /// `wall_ms` by the world's clock; no_offset if there is none.
  Offset first_since(LogId log, Offset from, std::uint64_t wall_ms) const;

 private:
  struct Placed {
    Term term;
    Time when{};
  };
  struct Places {
    std::map<Offset, Placed> runs;
    std::map<std::pair<Term, std::string>, Offset> durable;
    Offset committed{};
    Offset looked_to{};   // `may_go` has looked at all runs below
    Time newest_below{};  // when the newest run below `looked_to` was ordered
  };
  World& world_;
  std::map<LogId, Places> logs_;
};

/// The clients' history of a log. Checks the promises durability, unmoved, origin, agreement, once,
/// producer_order, real_time, tail, failed, unknown, trim_bounds, trim_forward, and follower and
/// time in part.
class LogHistory {
 public:
  LogHistory(World& world, PlaceWatch& places, LogId log)
      : world_(world), places_(places), log_(log) {}

  /// `payload` identifies the entry: no healthy workload appends the same payload twice.
  void append_started(const std::string& payload);
  /// `wall_ms`: the client's wall clock, used with Bug::orders_by_clock alone.
  void append_ended(const std::string& payload, const client::Completion& result,
                    std::uint64_t wall_ms);
  /// The append ended as unknown before its deadline: only a trim may explain that.
  void unknown_early(const std::string& payload, const std::string& why);
  /// resolve() has settled the append, whose outcome was unknown. A found entry counts as
  /// acknowledged from now on, and an absent entry as failed.
  void resolved(const std::string& payload, const client::Resolved& answer, std::uint64_t wall_ms);
  /// resolve() has given up, `timed_out`: at its deadline.
  void unresolved(const std::string& payload, const Error& why, bool timed_out);
  void entry_read(const client::Entry& e);
  /// The least committed offset that a tail call may answer if it starts now: the largest end of an
  /// acknowledged entry or earlier tail.
  Offset tail_floor() const { return floor_; }
  Offset acknowledged_end() const { return acknowledged_end_; }
  void tail_answered(Offset floor, Offset committed);
  /// The least first offset that a tail call may answer if it starts now.
  Offset begin_floor() const { return begin_floor_; }
  void begin_told(Offset floor, Offset first);
  /// The end of the entries acknowledged before `wall_ms`, if all clocks agreed.
  Offset acknowledged_by(std::uint64_t wall_ms) const;
  /// Returns the trim's number, for `trim_answered`. `point` may lie behind the end.
  std::size_t trim_asked(Offset point);
  void trim_answered(std::size_t number);
  /// A follower received no entry between two offsets.
  void passed_over(Offset from, Offset to);
  /// A client was told that the log stood at `point` at that time.
  void point_told(std::uint64_t wall_ms, Offset point);
  /// A client was told that the log begins at `first`.
  void begins_at(Offset first);

  /// Call it at the end of a run, after a full read of the log from `first`.
  void fully_read(const std::vector<client::Entry>& entries, Offset first);

 private:
  struct Seen {
    std::uint64_t hash;
    Offset next;
  };
  struct Begun {
    Offset floor;  // end of the acknowledged entries when the append began
    /// So many of the earliest trims ended before the append began and cannot have removed it.
    std::size_t trims = 0;
    bool failed = false;
    bool resolved = false;      // resolve() has told its fate
    Offset stands = no_offset;  // the offset at which the entry was read
  };
  World& world_;
  PlaceWatch& places_;
  LogId log_;
  std::map<std::string, Begun> begun_;
  std::map<std::string, Offset> acknowledged_;
  std::map<Offset, std::string> acknowledged_at_;
  std::map<Offset, Seen> seen_;
  std::map<std::uint64_t, Offset> by_clock_;
  Offset floor_{};
  Offset acknowledged_end_{};
  struct Asked {
    Offset point;
    bool behind_the_end;
    bool answered = false;
  };
  std::vector<Asked> trims_;
  std::size_t answered_trims_ = 0;  // how many of the earliest trims are answered
  Offset begin_floor_{};
  Offset begins_{};                       // the highest first offset that a client was told
  Offset retained_from_{};                // the highest first offset that a retention justified
  std::map<Offset, Offset> passed_over_;  // from, to
};

/// Watches every message. Checks the promises one_leader, ordered_once, number, forward, ruler,
/// the_end, halts and ahead. For `metadata` it reads a sequencer's disk: the entries that the
/// sequencer calls committed.
class WireWatch {
 public:
  WireWatch(World& world, PlaceWatch& places);
  /// Called when the leader of a log with a retention says where the log is trimmed.
  std::function<void(LogId, Offset)> on_trim;

 private:
  void trims(const loglog::Metadata& m);
  struct Placed {
    RunDigest digest;
    ProducerId producer;
    Sequence first;
  };
  void seal(const Process& from, const Seal& m);
  void order(const Process& from, const Order& m);
  void durable(const Process& from, const Durable& m);
  void ahead(const Order& m, Offset end, ProducerId producer);
  void page(const Process& from, const Page& m);
  void state(const Process& from, const StateIs& m);
  void tells_committed(const Process& from, LogId log, Offset committed);
  void upload(const Process& from, const Upload& m);
  void entries(const Process& from, const AppendEntries& m);
  void refusal(const Process& from, Errc why);
  struct Unwritten {  // the runs of a log in a term that no replica has acknowledged
    Offset written;   // the highest tail that any replica has acknowledged
    std::map<Offset, ProducerId> ordered;  // end of each run beyond `written` -> its producer
    std::map<ProducerId, std::size_t> runs;
  };
  World& world_;
  PlaceWatch& places_;
  std::map<std::pair<LogId, Term>, Unwritten> unwritten_;
  std::map<std::pair<LogId, Term>, InstanceId> instance_of_;
  std::map<std::pair<LogId, Term>, std::string> orders_in_;
  std::map<std::tuple<std::string, std::uint64_t, LogId>, Offset> committed_at_;  // node, life
  std::map<std::tuple<LogId, Term, Offset>, Placed> placed_;
  std::map<std::tuple<LogId, ProducerId, Sequence>, std::uint64_t>
      entry_of_;  // checksum of the payload
  std::map<RaftIndex, std::pair<RaftTerm, std::size_t>>
      metadata_;  // committed entries: Raft term, hash of the command
  std::map<std::pair<std::string, std::uint64_t>, RaftIndex>
      compared_;  // (sequencer, life) -> its disk was compared up to here
};

/// A segment start or term start, with the leader's clock in that frame.
struct ClockedPoint {
  Offset offset;
  std::uint64_t clock_ms;
};
/// All checkers of a run; owns the checkers of each log and counts the outcomes of calls.
class Checkers {
 public:
  explicit Checkers(World& world) : world_(world), places_(world), wire_(world, places_) {
    if (world.options.retention != Retention{})
      wire_.on_trim = [this](LogId log, Offset to) { of(log).begins_at(to); };
  }

  ConditionChecker& conditions(LogId log) {
    return conditions_.try_emplace(log, world_).first->second;
  }
  LogHistory& of(LogId log) { return logs_.try_emplace(log, world_, places_, log).first->second; }

  void append_started(LogId log, const std::string& payload) { of(log).append_started(payload); }
  void append_ended(LogId log, const std::string& payload, const client::Completion& result,
                    std::uint64_t wall_ms);
  /// The client died before the answer came, so the entry may stand or not.
  void append_abandoned() { ++unknown_; }
  void entry_read(LogId log, const client::Entry& e);

  /// Call it at the end, when the cluster is idle. Every replica must be whole from `first` to
  /// `committed`; bytes that a file still holds below a trim point are not compared.
  void compare_replicas(LogId log, Offset first, Offset committed);

  /// Call it after healing: each answer must be exactly the point that the replicas' files give.
  /// `before` and `after`: where the log began before the first question and after the last answer.
  void compare_times(const std::vector<std::uint64_t>& times, const std::vector<Offset>& answers,
                     const std::vector<ClockedPoint>& points, Offset before, Offset after);

  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t unknown() const { return unknown_; }
  std::uint64_t read() const { return read_; }

 private:
  World& world_;
  PlaceWatch places_;
  WireWatch wire_;
  std::map<LogId, LogHistory> logs_;
  std::map<LogId, ConditionChecker> conditions_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t unknown_ = 0;
  std::uint64_t read_ = 0;
};

/// The frame bytes of a replica, from an offset where a frame begins, or from its first offset if
/// that is higher. They end at the first gap or bad frame.
struct ReplicaBytes {
  Offset first{};
  std::vector<std::byte> bytes;
  std::vector<Offset> files;
  Offset end() const { return first + bytes.size(); }
};
std::optional<ReplicaBytes> bytes_of(const SimulatedDisk::Log& log, LogId id, Offset from = {});
/// The clocked points of a replica's files below `committed`.
std::vector<ClockedPoint> clocked_points(const SimulatedDisk::Log& log, LogId id, Offset committed);

}  // namespace loglog::simulator
