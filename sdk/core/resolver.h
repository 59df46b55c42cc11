// What became of a producer's unsettled entries when the term has changed (A3–A5): the log itself
// tells.
#pragma once
#include <map>

#include "sdk/core/page_reader.h"

namespace loglog::client {

class Resolver {
 public:
  struct Found {
    Offset offset;
    Offset next;
    Term term;
  };
  struct Findings {
    std::map<Sequence, Found> found;
    Offset clipped{};  ///< bytes below it may have been trimmed before they were read; 0: none were
  };
  using Done = std::function<void(Time, Findings&&)>;

  /// Reads [from, until): from a committed offset known before the entries' first Commit, to the
  /// new term's start.
  Resolver(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
           ProducerId producer, Offset from, Offset until, Done done);
  ~Resolver() { reader_->stop(); }
  void poll(Time now);
  Time wake() const { return reader_->wake(); }

 private:
  void step(Time now, PageReader::Step&& s);

  ProducerId producer_;
  Offset until_;
  Done done_;
  Findings findings_;
  std::shared_ptr<PageReader> reader_;
};

}  // namespace loglog::client
