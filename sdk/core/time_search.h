// Where to begin reading so that nothing is missed that was appended at or after a point in time.
// The leader's clock stands in the first frame of each segment and of each term; a replica says
// where those are, and a binary search reads a few of them. No index, no entry is read, and no
// sequencer is needed.
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
  /// ok: found there. no_such_log ends the search; others say what the last replica of a round
  /// without an answer said.
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
  /// Another question to the same replicas: where the segment begins that holds `offset`.
  TimeSearch(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
             Offset offset, OnStep on_step)
      : TimeSearch(options, view, choice, log, std::uint64_t{0}, std::move(on_step)) {
    holds_ = offset;
  }

  /// Asks what is to be asked next, unless a question is on its way or a pause lasts.
  void poll(Time now);
  /// When poll() has something to do again.
  Time wake() const { return asked_ || stopped_ ? never : due_; }
  /// No step comes any more.
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
  std::optional<Offset> holds_;
  OnStep on_step_;
  std::vector<Offset> points_;  // ascending, above `found_`
  std::size_t before_ = 0,
              after_ = 0;  // the first ones are before the time, those from `after_` on are not
  Offset found_{};         // the log's begin, or the highest point known to be before the time
  bool listed_ = false;
  bool more_ = false;  // there are points behind these
  NodeId node_{};
  ReplicaRound round_{choice_};
  bool asked_ = false;
  bool stopped_ = false;
  Time due_{};
};

}  // namespace loglog::client
