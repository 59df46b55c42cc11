// Finds where to begin reading so that no entry is missed that was appended at or after a time
// (R6). The first frame of each segment and of each term holds a clock. A replica lists where these
// frames are, and a binary search reads a few of them. There is no index; the search reads no entry
// and needs no sequencer. Used by TimeSearches.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sdk/core/cluster_view.h"
#include "sdk/core/replica_choice.h"

namespace loglog::client {

class TimeSearch : public std::enable_shared_from_this<TimeSearch> {
 public:
  /// ok: the search ended at this offset. no_such_log: it ended without a result. Any other code is
  /// the reason of the last replica after a round in which none answered; the search continues.
  using OnStep = std::function<void(Time, Errc, Offset)>;

  /// `wall_ms`: Unix time, milliseconds.
  TimeSearch(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
             std::uint64_t wall_ms, OnStep on_step)
      : options_(options),
        view_(view),
        choice_(choice),
        log_(log),
        wall_ms_(wall_ms),
        on_step_(std::move(on_step)) {}
  /// A different question: where the segment that holds `offset` begins. The list of segments
  /// answers it, so no clock is read.
  TimeSearch(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
             Offset offset, OnStep on_step)
      : TimeSearch(options, view, choice, log, std::uint64_t{0}, std::move(on_step)) {
    holds_ = offset;
  }

  /// Asks the next question, unless a question is under way or a pause lasts.
  void poll(Time now);
  /// When poll() has work again.
  Time wake() const { return asked_ || stopped_ ? never : due_; }
  /// After this the step handler is not called any more.
  void stop() { stopped_ = true; }

 private:
  void answered(Time now, NodeId from, ConnectionId connection, Message* m);
  void listed(Time now, const SegmentsAre& m);
  void page(Time now, NodeId from, ConnectionId connection, const Page& p);
  void go_on(Time now);
  void begin_anew();
  void next_replica(Time now, NodeId failed, Errc why);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  LogId log_;
  std::uint64_t wall_ms_;
  std::optional<Offset> holds_;  // the second question: the offset that the segment holds
  OnStep on_step_;
  std::vector<Offset> points_;  // segment and term starts, ascending, at listing above found_
  // points_[0, before_) have clocks before the time; points_[after_, end) do not. The search is
  // over when the two meet.
  std::size_t before_ = 0, after_ = 0;
  Offset found_{};       // the log's begin, or the highest point known to be before the time
  bool listed_ = false;  // points_ is valid
  // The list was cut at segments_listed_max. Its last point is read first; if that point is before
  // the time, the next list is asked for from there on.
  bool more_ = false;
  NodeId node_{};  // asked last; 0: choose
  ReplicaRound round_{choice_};
  bool asked_ = false;
  bool stopped_ = false;
  Time due_{};
};

}  // namespace loglog::client
