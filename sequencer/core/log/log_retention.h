// Retention of a log by bytes and by age (R5), applied as trims at segment starts. Owned by
// LogTerm, which says how far the log reaches and asks for the trims. This part remembers where
// segments begin, asks replicas and clocks, and answers a trim point.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/replica_set.h"

namespace loglog::sequencer {

/// How far a log reaches, as its term sees it now. begins <= committed <= end.
struct LogExtent {
  Offset begins;        ///< trim point in force
  Offset committed;     ///< end of the committed bytes
  Offset end;           ///< end of the ordered bytes
  Offset last_segment;  ///< start of the open segment
  bool is_idle;         ///< the open segment holds no run
  Time last_run;        ///< when the newest run was ordered
};

/// Nothing else is decided by a clock (R4). All arguments of the constructor must outlive it.
class LogRetention {
 public:
  LogRetention(const Options& options, LogHost& host, const LogInfo& info)
      : options_(options), host_(host), info_(info) {}

  /// False: the log keeps everything.
  bool is_set() const { return info_.options.retention != Retention{}; }
  /// Time that a segment covers at most.
  Duration segment_span() const;
  /// Before the term has begun: true if neither bound asks for a trim, as far as it can be told.
  bool retains_all(Offset first, Offset last_segment, Offset end) const;

  /// The bounds have changed: they are judged anew, from the list of segments on.
  void changed();
  /// A segment begins. `newest_below`: a wall clock, milliseconds, that no entry below is younger
  /// than.
  void note_segment(Offset begin, std::uint64_t newest_below);
  /// The trim point has moved.
  void trimmed(Offset begins);

  /// True while a replica's answer is awaited. An overdue question is given up.
  bool awaits_answer(Time now);
  /// An idle log's last entries could never go while their segment is open. True: that segment is
  /// to be closed.
  bool closes_idle_segment(Time now, const LogExtent& log) const;
  /// The point to trim the log to, at most once in retention_every; nullopt: no trim is due. Asks a
  /// replica if something is not known.
  std::optional<Offset> trim_point(Time now, const LogExtent& log, const ReplicaSet& replicas);
  /// The replica has told its segments, or the clock of a segment. True if that was the answer
  /// under way, so a trim may be due.
  bool listed(NodeId from, RequestId request, const SegmentsAre& m, Offset begins);
  bool told_clock(Time now, NodeId from, RequestId request, const Page& m);

  /// Sets due(), the time of the next look. A log without anything to trim is not looked at.
  void plan(Time now, const LogExtent& log);
  void plan_nothing() { due_ = never; }
  Time due() const { return due_; }

 private:
  // The question to a replica that is under way; at most a single question at a time.
  struct Question {
    NodeId node;
    RequestId id;
    Offset start;  // segment whose clock is asked for; no_offset: the list of segments
    Time deadline;
  };
  std::uint64_t retained_ms() const;
  bool may_retain_less(const LogExtent& log) const;
  Offset allowed_by_bytes(Offset committed) const;
  void look_at_ages(Time now, const LogExtent& log, const ReplicaSet& replicas);
  void ask(Time now, Offset start, Offset begins, const ReplicaSet& replicas);
  bool is_answer(NodeId from, RequestId request, bool list) const;

  const Options& options_;
  LogHost& host_;
  const LogInfo& info_;
  // Offsets at which segments above the trim point begin. The value is a wall clock, milliseconds,
  // that no entry below is younger than; 0: not known yet.
  std::map<Offset, std::uint64_t> segments_;
  Offset listed_to_{};     // listed up to here; no_offset: all segments of earlier terms are known
  Offset aged_{};          // everything below is older than the retention allows
  Offset trim_asked_{};    // newest trim point that was answered
  Time trim_after_{};      // no further trim before this time,
  Time ask_after_{};       // and no question before this time
  std::size_t asked_ = 0;  // rotates over the replicas
  std::optional<Question> question_;
  Time due_ = never;
};

}  // namespace loglog::sequencer
