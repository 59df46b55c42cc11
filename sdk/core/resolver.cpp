// Reads page after page until the range is exhausted; every reason that may pass is waited out.
#include "sdk/core/resolver.h"

namespace loglog::client {

Resolver::Resolver(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
                   ProducerId producer, Offset from, Offset until, Done done)
    : producer_(producer), until_(until), done_(std::move(done)) {
  reader_ = std::make_shared<PageReader>(
      options, view, choice, log, from, until, page_size_default, 100ms,
      [this](Time now, PageReader::Step&& s) { step(now, std::move(s)); });
}

void Resolver::poll(Time now) {
  if (reader_->next() >= until_) {
    reader_->stop();
    const Done done = std::move(done_);
    if (done) done(now, std::move(findings_));  // may destroy this object
    return;
  }
  reader_->poll(now);
}

void Resolver::step(Time now, PageReader::Step&& s) {
  for (const Entry& e : s.entries)
    if (e.producer == producer_) findings_.found[e.sequence] = {e.offset, e.next, e.term};
  if (s.reason == Errc::trimmed && s.first > reader_->next()) {  // A5: read on behind the trim
    findings_.clipped = s.first;
    reader_->jump(s.first);
  }
  poll(now);  // any other reason passes, because all bytes below `until` are committed
}

}  // namespace loglog::client
