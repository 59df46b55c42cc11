// Whether an entry lies between two offsets (F1). The leader names an offset up to which entries
// may lie; between the one that an append expects and that one there may be nothing but the
// leader's own frames. The log itself tells.
#pragma once
#include "sdk/core/page_reader.h"

namespace loglog::client {

class GapCheck {
 public:
  /// `empty`: no entry begins in [from, until), as is certain; else one does, or `from` is no
  /// frame's offset any more.
  using Done = std::function<void(Time, bool empty)>;

  /// `until` is committed.
  GapCheck(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log, Offset from,
           Offset until, Done done);
  ~GapCheck() { reader_->stop(); }
  void poll(Time now);
  Time wake() const { return reader_->wake(); }
  Offset until() const { return until_; }

 private:
  void end(Time now, bool empty);

  Offset until_;
  Done done_;
  std::shared_ptr<PageReader> reader_;
};

}  // namespace loglog::client
