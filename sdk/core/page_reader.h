// Reads a log from an offset on, page by page, from any replica that answers or from a named
// replica alone (spec/06 "Read"). Used by read(), by Resolver and by GapCheck. The owner calls
// poll() and takes steps; it decides when to end, since a reader has no deadline.
#pragma once
#include <functional>
#include <memory>

#include "sdk/core/cluster_view.h"
#include "sdk/core/damage_reports.h"
#include "sdk/core/follow_cursor.h"
#include "sdk/core/replica_choice.h"

namespace loglog::client {

class PageReader : public std::enable_shared_from_this<PageReader> {
 public:
  /// Progress, or a reason why there is none. The reader continues after any step.
  struct Step {
    std::vector<Entry> entries{};
    std::vector<Bytes> frames{};  ///< with ReadFrom::frames
    /// ok: the page held the entries, or only term and segment starts. past_end, trimmed,
    /// not_an_entry: as spec/06 R1. Otherwise the reason of the last replica of a round in which
    /// all failed, or of the named replica.
    Errc reason = Errc::ok;
    Offset first{};      ///< with trimmed: where the log begins
    Offset committed{};  ///< with past_end: the committed offset that the replica knows
  };
  using OnStep = std::function<void(Time, Step&&)>;

  /// Reads [from, until) in pages of about `max_bytes`. `wait`: how long a replica may keep a
  /// request at its committed offset until there is more.
  PageReader(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
             Offset from, Offset until, std::uint32_t max_bytes, Duration wait, OnStep on_step,
             ReadFrom whom = {})
      : options_(options),
        view_(view),
        choice_(choice),
        log_(log),
        until_(until),
        max_bytes_(max_bytes),
        wait_(wait),
        cursor_(log, from),
        reports_(log),
        on_step_(std::move(on_step)),
        whom_(whom) {}

  /// Asks for the next page, unless a request is under way or a pause lasts.
  void poll(Time now);
  /// Offset of the first frame that no step has returned yet.
  Offset next() const { return cursor_.next(); }
  /// True if a replica gave bad bytes at the offset where the reader began, and no replica gave a
  /// good frame there: probably no entry begins there.
  bool doubts_begin() const { return doubted_ && cursor_.at_first(); }
  /// Tells the reader that a frame begins at its offset, so that bad bytes there are damage and are
  /// reported at once.
  void trust_begin() { cursor_.confirm(); }
  /// Continues at `to`, for example behind a trim.
  void jump(Offset to) { cursor_ = FollowCursor(log_, to); }
  /// When poll() has work again.
  Time wake() const { return asked_ || stopped_ ? never : due_; }
  /// After this the step handler is not called any more.
  void stop() { stopped_ = true; }

 private:
  ConnectionId connection(Time now, const LogInfo& info);
  void page(Time now, NodeId from, ConnectionId connection, Message* m);
  void taken(Offset begin, ConnectionId connection, bool good);
  void next_replica(Time now, NodeId failed, Errc why);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  LogId log_;
  Offset until_;
  std::uint32_t max_bytes_;
  Duration wait_;
  FollowCursor cursor_;
  DamageReports reports_;
  OnStep on_step_;
  ReadFrom whom_;
  NodeId node_{};  // asked last; 0: choose
  ReplicaRound round_{choice_};
  bool doubted_ = false;  // a replica gave bytes that do not verify
  bool asked_ = false;    // a request is under way
  bool stopped_ = false;
  Time due_{};  // no request before
};

}  // namespace loglog::client
