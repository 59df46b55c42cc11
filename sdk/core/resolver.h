// Finds a producer's unsettled entries in the log after a change of term (A3, A5), by reading the
// range in which they can stand. Fates judges each entry by the findings (A4, A5).
#pragma once
#include <map>

#include "sdk/core/page_reader.h"

namespace loglog::client {

class Resolver {
 public:
  struct Found {
    Offset offset;
    Offset next;  ///< end of the entry's frame
    Term term;
  };
  struct Findings {
    std::map<Sequence, Found> found;  ///< every entry of this producer in the range
    /// Bytes of the range below this offset may have been trimmed before they were read (A5). 0:
    /// the whole range was read.
    Offset clipped{};
  };
  /// Called once; may destroy the resolver.
  using Done = std::function<void(Time, Findings&&)>;

  /// Reads [from, until). `from`: a committed offset that was known before the first Commit of any
  /// of the entries, so that none can stand below. `until`: the new term's start, below which all
  /// bytes are committed (S7).
  Resolver(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
           ProducerId producer, Offset from, Offset until, Done done);
  ~Resolver() { reader_->stop(); }
  /// Continues to read, unless a request is under way or a pause lasts. Has no deadline of its own.
  void poll(Time now);
  /// When poll() has work again.
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
