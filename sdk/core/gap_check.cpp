// Entries end the check; every reason that may pass is waited out.
#include "sdk/core/gap_check.h"

namespace loglog::client {

GapCheck::GapCheck(const Options& options, ClusterView& view, ReplicaChoice& choice, LogId log,
                   Offset from, Offset until, Done done)
    : until_(until), done_(std::move(done)) {
  // Term and segment starts are small: a page of this size usually holds the whole range.
  constexpr std::uint32_t page_size = 16u << 10;
  reader_ = std::make_shared<PageReader>(
      options, view, choice, log, from, until, page_size, 100ms,
      [this](Time now, PageReader::Step&& s) {
        const bool nothing_there = s.reason == Errc::trimmed || s.reason == Errc::not_an_entry;
        if (nothing_there || !s.entries.empty()) return end(now, false);
        poll(now);  // any other reason passes, because all bytes below `until` are committed
      });
}

void GapCheck::poll(Time now) {
  if (reader_->next() >= until_) return end(now, true);
  reader_->poll(now);
}

void GapCheck::end(Time now, bool empty) {
  reader_->stop();
  if (const Done done = std::move(done_)) done(now, empty);  // may destroy this object
}

}  // namespace loglog::client
