// LogTerm: retention by bytes and by age (R5), applied as trims at segment starts.
//
// Of this term the leader knows where segments begin. For earlier terms it asks a replica once,
// when there may be something to trim. It then reads the clocks in the first frames of these
// segments, from the oldest on, each when it is needed. Nothing else is decided by a clock (R4).
// The host gives the time of a majority of clocks, or says that nobody knows it.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/disk/frame.h"
#include "sequencer/core/log/log_term.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

using std::chrono::milliseconds;

/// Bounds of the time that a segment covers.
constexpr Duration segment_span_min = 1s;
constexpr Duration segment_span_max = std::chrono::hours(1);
/// How soon a clock that somebody sets is noticed.
constexpr Duration look_again = std::chrono::minutes(1);
/// How soon it is noticed that the clocks agree again.
constexpr Duration clocks_again = 1s;

Duration as_duration(std::uint64_t ms) { return milliseconds(static_cast<std::int64_t>(ms)); }

}  // namespace

/// A new retention is judged anew, from the list of segments on. A log at rest gets a term start if
/// it may have something to trim.
void LogTerm::changed(Time now, const LogInfo& info) {
  info_.fence = info.fence;
  if (info.members != info_.members) members_changed(now, info.members);
  if (info.options.retention == info_.options.retention) return;
  info_.options.retention = info.options.retention;
  segments_.clear();
  listed_to_ = aged_ = Offset{};
  segment_question_.reset();
  if (resting_ && !retains_all()) want(now);
}

std::uint64_t LogTerm::retained_ms() const {
  return rules::retained_age(info_.options.retention.ms);
}

/// Time that a segment covers: an eighth of the retention by age, so that entries are kept little
/// longer than asked for.
Duration LogTerm::segment_span() const {
  const std::uint64_t ms = info_.options.retention.ms;
  return ms == 0 ? segment_span_max
                 : std::clamp(as_duration(ms / 8), segment_span_min, segment_span_max);
}

/// Segments are remembered only for a log with retention. 0 means an unknown clock, so a clock of 0
/// is kept as 1.
void LogTerm::note_segment(Offset begin, std::uint64_t newest_below) {
  if (has_retention()) segments_[begin] = std::max<std::uint64_t>(1, newest_below);
}

/// True if the bounds may allow a trim; otherwise nobody asks about segments.
bool LogTerm::may_retain_less() const {
  const Retention& r = info_.options.retention;
  return last_segment_ > begins() && ((r.bytes > 0 && committed_ - begins() > r.bytes) || r.ms > 0);
}

/// The same question before the term has begun, as far as it can be told: neither bound asks for
/// anything.
bool LogTerm::retains_all() const {
  const Retention& r = info_.options.retention;
  const Offset first = std::max(first_, std::min(info_.trim, stream_.end()));
  return stream_.end() == Offset{} ||
         ((r.ms == 0 || stream_.end() - first <= segment_start_size) &&
          (r.bytes == 0 || last_segment_ <= first || stream_.end() - first <= r.bytes));
}

/// The highest segment start that has the retained number of committed bytes above it.
Offset LogTerm::allowed_by_bytes() const {
  const std::uint64_t bytes = rules::retained_bytes(info_.options.retention.bytes);
  if (bytes == 0 || committed_.value < bytes) return {};
  const auto above = segments_.upper_bound(Offset{committed_.value - bytes});
  return above == segments_.begin() ? Offset{} : std::prev(above)->first;
}

/// Moves `aged_` over segment starts that are older than the retention, in order. It stops at the
/// first younger segment, so a clock that went back between two leaders keeps entries longer, never
/// shorter. Asks for the next unknown clock.
void LogTerm::look_at_ages(Time now) {
  const std::uint64_t ms = retained_ms();
  const std::optional<std::uint64_t> wall = ms == 0 ? std::nullopt : host_.age_by();
  if (!wall || *wall < ms) return;
  for (auto s = segments_.upper_bound(std::max(begins(), aged_));
       s != segments_.end() && s->first <= committed_; ++s) {
    if (s->second == 0) return ask_about_segments(now, s->first);
    if (s->second >= *wall - ms) return;
    aged_ = s->first;
  }
}

/// R5: trims as far as the bounds allow, at most once in retention_every. Called when
/// retention_due_ has come, and when an answer about segments has come.
void LogTerm::retain(Time now) {
  if (phase_ != Phase::open || !has_retention()) return;
  if (segment_question_) {
    if (now < segment_question_->deadline) return;
    segment_question_.reset();
    ++segments_asked_;
  }
  roll_idle_segment(now);
  if (!may_retain_less()) return;
  if (listed_to_ != no_offset) return ask_about_segments(now, no_offset);
  look_at_ages(now);
  // Old segments go together: while a clock is being asked for, the trim by age waits.
  const Offset point = std::max(allowed_by_bytes(), segment_question_ ? Offset{} : aged_);
  if (point <= std::max(begins(), trim_asked_) || now < retain_after_) return;
  trim_asked_ = point;
  retain_after_ = now + options_.retention_every;
  host_.event(
      Event::Level::info,
      fmt::format("log {} ({}): retention trims it from {} to {}, committed {}", info_.id.value,
                  info_.name, begins().value, point.value, committed_.value));
  host_.trim(info_.id, point);
}

/// An idle log's last entries could never go while their segment is open, so that segment is
/// closed. The next segment holds nothing, so this happens once.
void LogTerm::roll_idle_segment(Time now) {
  const std::uint64_t ms = retained_ms();
  if (ms == 0 || stream_.end() != committed_ || segment_is_idle() ||
      now - last_run_ < as_duration(ms))
    return;
  commit_moved_ = now;
  open_segment(now);
}

/// Asks a streaming replica: for the list of segments (`start` is no_offset) or for the clock in
/// the first frame of the segment at `start`. Replicas take turns, so a replica that does not
/// answer is not asked for ever.
void LogTerm::ask_about_segments(Time now, Offset start) {
  if (now < ask_after_) return;
  for (std::size_t i = 0; i < replicas_.size(); ++i, ++segments_asked_) {
    const Replica& r = replicas_[segments_asked_ % replicas_.size()];
    if (!r.streams()) continue;
    Message question = start == no_offset
                           ? Message(GetSegments{info_.id, std::max(begins(), listed_to_)})
                           : Message(Read{info_.id, start, segment_start_size, 0});
    const RequestId id = host_.to_node(r.member.node, std::move(question));
    if (id == RequestId{}) continue;
    segment_question_ = {r.member.node, id, start, now + options_.recovery_step_timeout};
    return;
  }
  ask_after_ = now + options_.retention_every;
}

/// True if this is the answer to the question under way, and not to a question that was given up.
bool LogTerm::answers_segment_question(NodeId from, RequestId request, bool list) {
  return segment_question_ && segment_question_->node == from && segment_question_->id == request &&
         (segment_question_->start == no_offset) == list;
}

void LogTerm::on(Time now, NodeId from, RequestId request, const SegmentsAre& m) {
  if (!answers_segment_question(from, request, true)) return;
  segment_question_.reset();
  for (const Offset begin : m.begins)
    if (begin > begins()) segments_.try_emplace(begin, 0);
  listed_to_ = m.begins.size() < segments_listed_max ? no_offset : m.begins.back();
  retain(now);
}

void LogTerm::on(Time now, NodeId from, RequestId request, const Page& m) {
  if (!answers_segment_question(from, request, false)) return;
  const Offset start = std::exchange(segment_question_, std::nullopt)->start;
  const auto clock = m.offset == start ? clock_at(m.frames, info_.id, start) : std::nullopt;
  if (const auto s = segments_.find(start); s != segments_.end() && clock) {
    s->second = std::max<std::uint64_t>(1, *clock);
    return retain(now);
  }
  ++segments_asked_;  // another replica, after a pause
  ask_after_ = now + options_.retention_every;
}

/// Sets the time of the next look. A log without anything to trim is not looked at.
void LogTerm::plan_retention(Time now) {
  retention_due_ = never;
  if (phase_ != Phase::open || !has_retention()) return;
  const std::uint64_t ms = retained_ms();
  if (segment_question_) {
    retention_due_ = segment_question_->deadline;
    return;
  }
  if (ms > 0 && stream_.end() == committed_ && !segment_is_idle())
    retention_due_ = last_run_ + as_duration(ms);
  if (!may_retain_less()) return;
  if (listed_to_ != no_offset) {
    retention_due_ = std::min(retention_due_, ask_after_);
    return;
  }
  if (std::max(allowed_by_bytes(), aged_) > std::max(begins(), trim_asked_))
    retention_due_ = std::min(retention_due_, retain_after_);
  const auto next = segments_.upper_bound(std::max(begins(), aged_));
  if (ms == 0 || next == segments_.end() || next->first > committed_) return;
  const std::optional<std::uint64_t> known = host_.age_by();
  if (!known) {
    retention_due_ = std::min(retention_due_, now + clocks_again);
    return;
  }
  const std::uint64_t wall = *known;
  const std::uint64_t old_at = next->second + ms + 1;
  const Duration left = old_at > wall ? std::min(look_again, as_duration(std::min<std::uint64_t>(
                                                                 old_at - wall, retention_ms_max)))
                                      : Duration{};
  retention_due_ = std::min(retention_due_, next->second == 0 ? ask_after_ : now + left);
}

}  // namespace loglog::sequencer
