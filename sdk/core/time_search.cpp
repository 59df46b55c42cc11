// Two kinds of questions alternate: GetSegments while listed_ is false, then Read of the first
// frame of a point. If a replica fails, the next replica is asked the same question.
#include "sdk/core/time_search.h"

#include <algorithm>

#include "proto-spec/disk/frame.h"
#include "sdk/core/rules.h"

namespace loglog::client {

void TimeSearch::poll(Time now) {
  if (asked_ || stopped_ || now < due_) return;
  const LogInfo* info = view_.log(log_);
  if (info == nullptr) view_.want_log(now, log_);
  const ConnectionId c =
      info == nullptr ? ConnectionId{} : view_.replica(now, *info, choice_, round_.tried(), node_);
  if (c == ConnectionId{}) {
    due_ = now + connect_pause;
    return;
  }
  asked_ = true;
  Message question =
      listed_ ? Message(Read{log_, points_[more_ ? points_.size() - 1 : (before_ + after_) / 2],
                             term_start_size_max, 0})
              : Message(GetSegments{log_, holds_.value_or(found_)});
  view_.request(now, c, std::move(question), options_.answer_timeout,
                [self = weak_from_this(), n = node_, c](Time t, Message* m) {
                  if (const auto s = self.lock()) s->answered(t, n, c, m);
                });
}

void TimeSearch::answered(Time now, NodeId from, ConnectionId connection, Message* m) {
  asked_ = false;
  if (stopped_) return;
  const auto keep = shared_from_this();
  if (const auto* list = m ? std::get_if<SegmentsAre>(m) : nullptr; list != nullptr && !listed_)
    return listed(now, *list);
  if (const auto* p = m ? std::get_if<Page>(m) : nullptr; p != nullptr && listed_)
    return page(now, from, connection, *p);
  const auto* failed = m ? std::get_if<Failed>(m) : nullptr;
  next_replica(now, from, failed ? failed->error : Errc::unavailable);
}

/// Takes a list of segment and term starts: the result itself in the second question, else the
/// points of the binary search.
void TimeSearch::listed(Time now, const SegmentsAre& m) {
  found_ = std::max(found_, m.first);
  points_.clear();
  if (holds_) {
    for (const Offset begin : m.begins)
      if (begin <= *holds_) found_ = std::max(found_, begin);
    return on_step_(now, Errc::ok, found_);
  }
  std::merge(m.begins.begin(), m.begins.end(), m.terms.begin(), m.terms.end(),
             std::back_inserter(points_));
  std::erase_if(points_, [this](Offset o) { return o <= found_; });
  listed_ = true;
  more_ = m.begins.size() >= segments_listed_max && !points_.empty();
  before_ = 0;
  after_ = points_.size();
  go_on(now);
}

/// Takes the first frame of a point, and halves the range by its clock.
void TimeSearch::page(Time now, NodeId from, ConnectionId connection, const Page& p) {
  if (p.reason == Errc::trimmed) {  // the point was trimmed after it was listed
    begin_anew();
    return poll(now);
  }
  const std::size_t at = more_ ? points_.size() - 1 : (before_ + after_) / 2;
  if (p.frames.empty() || p.offset != points_[at])
    return next_replica(now, from, p.reason == Errc::ok ? Errc::not_here : p.reason);
  const auto clock = clock_at(p.frames, log_, p.offset);
  if (!clock) {
    if (look_at_frame(p.frames, log_, p.offset, true).state != FrameState::incomplete)
      view_.tell(connection, RequestId{0}, ReportCorrupt{log_, p.offset, frame_overhead});
    return next_replica(now, from, Errc::corrupt);
  }
  choice_.succeeded(from);
  round_.begin_anew();
  if (rules::is_before(*clock, wall_ms_)) {
    found_ = points_[at];
    before_ = at + 1;
    if (more_) listed_ = false;
  } else {
    after_ = at;
  }
  more_ = false;
  go_on(now);
}

void TimeSearch::go_on(Time now) {
  due_ = {};
  if (listed_ && before_ >= after_) return on_step_(now, Errc::ok, found_);
  poll(now);
}

void TimeSearch::begin_anew() {
  listed_ = more_ = false;
  found_ = {};
  due_ = {};
}

/// Asks another replica. After a round without an answer the search starts over, because the
/// replicas may have trimmed the points.
void TimeSearch::next_replica(Time now, NodeId failed, Errc why) {
  node_ = {};
  due_ = {};
  if (!round_.failed(now, failed, view_.log(log_))) return poll(now);
  begin_anew();
  due_ = now + all_refused_pause;
  on_step_(now, why == Errc::ok ? Errc::unavailable : why, {});
}

}  // namespace loglog::client
