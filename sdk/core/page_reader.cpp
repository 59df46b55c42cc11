// Each answer goes through page(): bytes become a step, a refusal leads to the next replica. A step
// handler may stop or destroy the owner of the reader, so shared_from_this keeps the reader
// meanwhile.
#include "sdk/core/page_reader.h"

#include <algorithm>
#include <utility>

namespace loglog::client {

void PageReader::poll(Time now) {
  if (asked_ || stopped_ || now < due_) return;
  const LogInfo* info = view_.log(log_);
  if (info == nullptr) {
    view_.want_log(now, log_);
    due_ = now + connect_pause;
    return;
  }
  const ConnectionId c = connection(now, *info);
  if (c == ConnectionId{}) {
    due_ = now + connect_pause;
    return;
  }
  asked_ = true;
  // A page must hold the rest of a partial frame, or a large frame would take many round trips.
  const std::uint32_t bytes = std::max(max_bytes_, cursor_.missing());
  const std::uint32_t wait_ms = saturated_ms(wait_);
  view_.request(now, c, Read{log_, cursor_.ask(), bytes, wait_ms}, options_.answer_timeout + wait_,
                [self = weak_from_this(), n = node_, c](Time t, Message* m) {
                  if (const auto s = self.lock()) s->page(t, n, c, m);
                });
}

/// Returns the connection to ask, and sets node_ to its node; 0: no connection is up.
ConnectionId PageReader::connection(Time now, const LogInfo& info) {
  if (whom_.replica != NodeId{}) return view_.node(now, node_ = whom_.replica);
  return view_.replica(now, info, choice_, round_.tried(), node_);
}

/// Reports bytes that do not verify to their node. A read of a named replica reports only if it was
/// asked to, because its offset may be a guess of a person.
void PageReader::taken(Offset begin, ConnectionId connection, bool good) {
  if (whom_.replica == NodeId{}) {
    reports_.taken(view_, cursor_, begin, connection, good);
    doubted_ = doubted_ || !good;
  } else if (whom_.report && !good) {
    view_.tell(connection, RequestId{0}, ReportCorrupt{log_, cursor_.next(), frame_overhead});
  }
}

void PageReader::page(Time now, NodeId from, ConnectionId connection, Message* m) {
  asked_ = false;
  if (stopped_) return;
  const auto keep = shared_from_this();
  auto* p = m ? std::get_if<Page>(m) : nullptr;
  if (p == nullptr) {
    const auto* failed = m ? std::get_if<Failed>(m) : nullptr;
    return next_replica(now, from, failed ? failed->error : Errc::unavailable);
  }
  if (!p->frames.empty() && p->offset == cursor_.ask()) {
    Step step;
    const Offset begin = cursor_.next();
    const bool good = cursor_.take(p->frames.to_keep(), p->committed, step.entries, until_,
                                   whom_.frames ? &step.frames : nullptr);
    const bool nothing = step.entries.empty() && step.frames.empty();
    choice_.succeeded(from);
    // A replica that gave anything useful begins a new round: the next offset may be readable on a
    // replica that failed at this offset.
    if (good || !step.entries.empty()) round_.begin_anew();
    taken(begin, connection, good);
    due_ = {};
    if (!good && (nothing || whom_.replica == NodeId{})) next_replica(now, from, Errc::corrupt);
    // Only a part of a frame, or a mismatch: ask on at once, since the owner has nothing to decide.
    if (nothing && (!good || cursor_.missing() > 0)) return poll(now);
    return on_step_(now, std::move(step));
  }
  if (p->reason == Errc::past_end && cursor_.missing() == 0) {
    round_.begin_anew();
    due_ = now + connect_pause;
    return on_step_(now,
                    Step{.reason = Errc::past_end, .first = p->first, .committed = p->committed});
  }
  if (p->reason == Errc::trimmed)
    return on_step_(now, Step{.reason = Errc::trimmed, .first = p->first});
  next_replica(now, from, p->reason == Errc::ok ? Errc::not_here : p->reason);
}

/// After a refusal or bad bytes: asks another replica, or, once all have failed, pauses and tells
/// the owner. A named replica is asked again after the pause unless the owner stops.
void PageReader::next_replica(Time now, NodeId failed, Errc why) {
  cursor_.drop_partial();
  if (whom_.replica != NodeId{}) {
    due_ = now + all_refused_pause;
    return on_step_(now, Step{.reason = why});
  }
  node_ = {};
  due_ = {};
  const LogInfo* info = view_.log(log_);
  if (!round_.failed(now, failed, info)) return poll(now);
  const bool none_has_it = info != nullptr && reports_.all_of(*info);
  reports_.clear();
  due_ = now + all_refused_pause;
  on_step_(now, Step{.reason = none_has_it ? Errc::not_an_entry : why});
}

}  // namespace loglog::client
