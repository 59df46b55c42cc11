// Reads on and on from one offset, page by page, from whichever replica answers, or from one alone.
// Used by read() and by resolution.
#pragma once
#include <functional>
#include <memory>

#include "sdk/core/blame.h"
#include "sdk/core/cluster_view.h"
#include "sdk/core/follow_cursor.h"
#include "sdk/core/replica_choice.h"

namespace loglog::client {

class PageReader : public std::enable_shared_from_this<PageReader> {
 public:
  struct Step {
    std::vector<Entry> entries{};
    std::vector<Bytes> frames{};  ///< where asked for
    Errc reason = Errc::ok;  ///< past_end, trimmed, not_an_entry; or what the last replica of a
                             ///< whole round, or the only one, said
    Offset first{};          ///< with trimmed: where the log begins
    Offset committed{};      ///< with past_end: where it ends as far as the replica knows
  };
  using OnStep = std::function<void(Time, Step&&)>;

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
        blame_(log),
        on_step_(std::move(on_step)),
        whom_(whom) {}

  /// Asks for the next page, unless one is on its way or a pause lasts.
  void poll(Time now);
  Offset next() const { return cursor_.next(); }
  /// No replica that answered so far has a good frame where the reader began: where not all have
  /// answered, that is all one knows.
  bool doubts_begin() const { return doubted_ && cursor_.at_first(); }
  /// A frame begins where the reader does: what does not verify there is damage.
  void trust_begin() { cursor_.confirm(); }
  void jump(Offset to) { cursor_ = FollowCursor(log_, to); }
  /// When poll() has something to do again.
  Time wake() const { return asked_ || stopped_ ? never : due_; }
  /// No step comes any more.
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
  Blame blame_;
  OnStep on_step_;
  ReadFrom whom_;
  NodeId node_{};
  ReplicaRound round_{choice_};
  bool doubted_ = false;
  bool asked_ = false;
  bool stopped_ = false;
  Time due_{};
};

}  // namespace loglog::client
