// LogTerm: retention by bytes and by age (R5), applied as trims at segment starts.
//
// Where segments of earlier terms begin, a replica is asked once, when there may be something to
// trim; their clocks are read from their first frames, one after the other from the oldest on. What
// this term opens is known. No clock decides anything else (R4), and one that is wrong decides
// nothing: the host says what time it is for a majority, or that nobody knows.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/log_term.h"

namespace loglog::sequencer {
namespace {

using std::chrono::milliseconds;

/// Spans of time that one segment of a log holds.
constexpr Duration segment_span_min = 1s;
constexpr Duration segment_span_max = std::chrono::hours(1);
/// A clock that was set is noticed after so long.
constexpr Duration look_again = std::chrono::minutes(1);
/// … and that clocks agree again.
constexpr Duration clocks_again = 1s;

Duration as_duration(std::uint64_t ms) { return milliseconds(static_cast<std::int64_t>(ms)); }

}  // namespace

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
  return info_.options.retention.ms / (removed(Rule::R5_age) ? 4 : 1);
}

/// A part of the retention by age, so that what is kept is little longer than asked for.
Duration LogTerm::segment_span() const {
  const std::uint64_t ms = info_.options.retention.ms;
  return ms == 0 ? segment_span_max
                 : std::clamp(as_duration(ms / 8), segment_span_min, segment_span_max);
}

void LogTerm::note_segment(Offset begin, std::uint64_t newest_below) {
  if (has_retention()) segments_[begin] = std::max<std::uint64_t>(1, newest_below);
}

bool LogTerm::may_retain_less() const {
  const Retention& r = info_.options.retention;
  return last_segment_ > begins() && ((r.bytes > 0 && committed_ - begins() > r.bytes) || r.ms > 0);
}

/// As far as can be told before the term has begun: neither bound can ask for anything.
bool LogTerm::retains_all() const {
  const Retention& r = info_.options.retention;
  const Offset first = std::max(first_, std::min(info_.trim, stream_.end()));
  return stream_.end() == Offset{} ||
         ((r.ms == 0 || stream_.end() - first <= segment_start_size) &&
          (r.bytes == 0 || last_segment_ <= first || stream_.end() - first <= r.bytes));
}

/// The highest segment start above which that many bytes are committed.
Offset LogTerm::allowed_by_bytes() const {
  const std::uint64_t bytes = info_.options.retention.bytes / (removed(Rule::R5_bytes) ? 4 : 1);
  if (bytes == 0 || committed_.value < bytes) return {};
  const auto above = segments_.upper_bound(Offset{committed_.value - bytes});
  return above == segments_.begin() ? Offset{} : std::prev(above)->first;
}

/// Moves `aged_` over segment starts that are older than the retention, in order, so that a clock
/// which went back between two leaders keeps entries longer, and never shorter. Asks for the next
/// clock that is not known.
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
  // All that is old goes at once, when the last clock is known.
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

/// The last entries of a log that has become idle could never go while their segment is open. What
/// follows holds nothing, so that this happens once.
void LogTerm::roll_idle_segment(Time now) {
  const std::uint64_t ms = retained_ms();
  if (ms == 0 || stream_.end() != committed_ || segment_is_idle() ||
      now - last_run_ < as_duration(ms))
    return;
  commit_moved_ = now;
  open_segment(now);
}

void LogTerm::ask_about_segments(Time now, Offset start) {
  if (now < ask_after_) return;
  for (std::size_t i = 0; i < replicas_.size(); ++i, ++segments_asked_) {
    const Replica& r = replicas_[segments_asked_ % replicas_.size()];
    if (r.at != At::streaming) continue;
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
  ++segments_asked_;  // another replica, not at once
  ask_after_ = now + options_.retention_every;
}

/// When there may be something to do: a log that has nothing to trim is not looked at.
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
