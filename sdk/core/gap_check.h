// Finds out whether an entry lies between two offsets, by reading the log (F1, spec/05). An append
// expected an offset, and the leader refused it and named a later end. Between the two there may be
// only the leader's own frames, such as a term start; then the append is committed again. Used by
// Fates.
#pragma once
#include "sdk/core/page_reader.h"

namespace loglog::client {

class GapCheck {
 public:
  /// `empty` true: certainly no entry begins in [from, until). False: an entry does, or no frame
  /// begins at `from`, or `from` was trimmed. Called once; may destroy this object.
  using Done = std::function<void(Time, bool empty)>;

  /// `until` must be committed, so that the range can be read in full.
  GapCheck(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log, Offset from,
           Offset until, Done done);
  ~GapCheck() { reader_->stop(); }
  /// Continues to read, unless a request is under way or a pause lasts.
  void poll(Time now);
  /// When poll() has work again.
  Time wake() const { return reader_->wake(); }
  Offset until() const { return until_; }

 private:
  void end(Time now, bool empty);

  Offset until_;
  Done done_;
  std::shared_ptr<PageReader> reader_;
};

}  // namespace loglog::client
