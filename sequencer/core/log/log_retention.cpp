// Of this term the leader knows where segments begin. For earlier terms it asks a replica once,
// when there may be something to trim. It then reads the clocks in the first frames of these
// segments, from the oldest on, each when it is needed. The host gives the time of a majority of
// clocks, or says that nobody knows it.
#include "sequencer/core/log/log_retention.h"

#include <algorithm>
#include <utility>

#include "proto-spec/disk/frame.h"
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

void LogRetention::changed() {
  segments_.clear();
  listed_to_ = aged_ = Offset{};
  question_.reset();
}

std::uint64_t LogRetention::retained_ms() const {
  return rules::retained_age(info_.options.retention.ms);
}

/// An eighth of the retention by age, so that entries are kept little longer than asked for.
Duration LogRetention::segment_span() const {
  const std::uint64_t ms = info_.options.retention.ms;
  return ms == 0 ? segment_span_max
                 : std::clamp(as_duration(ms / 8), segment_span_min, segment_span_max);
}

/// Segments are remembered only for a log with retention. 0 means an unknown clock, so a clock of 0
/// is kept as 1.
void LogRetention::note_segment(Offset begin, std::uint64_t newest_below) {
  if (is_set()) segments_[begin] = std::max<std::uint64_t>(1, newest_below);
}

/// R3: segments below the trim point are no more.
void LogRetention::trimmed(Offset begins) {
  segments_.erase(segments_.begin(), segments_.upper_bound(begins));
}

/// True if the bounds may allow a trim; otherwise nobody asks about segments.
bool LogRetention::may_retain_less(const LogExtent& log) const {
  const Retention& r = info_.options.retention;
  return log.last_segment > log.begins &&
         ((r.bytes > 0 && log.committed - log.begins > r.bytes) || r.ms > 0);
}

bool LogRetention::retains_all(Offset first, Offset last_segment, Offset end) const {
  const Retention& r = info_.options.retention;
  const Offset begins = std::max(first, std::min(info_.trim, end));
  return end == Offset{} || ((r.ms == 0 || end - begins <= segment_start_size) &&
                             (r.bytes == 0 || last_segment <= begins || end - begins <= r.bytes));
}

/// The highest segment start that has the retained number of committed bytes above it.
Offset LogRetention::allowed_by_bytes(Offset committed) const {
  const std::uint64_t bytes = rules::retained_bytes(info_.options.retention.bytes);
  if (bytes == 0 || committed.value < bytes) return {};
  const auto above = segments_.upper_bound(Offset{committed.value - bytes});
  return above == segments_.begin() ? Offset{} : std::prev(above)->first;
}

/// Moves `aged_` over segment starts that are older than the retention, in order. It stops at the
/// first younger segment, so a clock that went back between two leaders keeps entries longer, never
/// shorter. A start without a clock is passed over: the next clock covers all entries below it.
/// Asks for the next clock that was not read.
void LogRetention::look_at_ages(Time now, const LogExtent& log, const ReplicaSet& replicas) {
  const std::uint64_t ms = retained_ms();
  const std::optional<std::uint64_t> wall = ms == 0 ? std::nullopt : host_.age_by();
  if (!wall || *wall < ms) return;
  for (auto s = segments_.upper_bound(std::max(log.begins, aged_));
       s != segments_.end() && s->first <= log.committed; ++s) {
    if (s->second == 0) return ask(now, s->first, log.begins, replicas);
    if (s->second == no_clock) continue;
    if (s->second >= *wall - ms) return;
    aged_ = s->first;
  }
}

bool LogRetention::awaits_answer(Time now) {
  if (!question_) return false;
  if (now < question_->deadline) return true;
  question_.reset();
  ++asked_;
  return false;
}

/// The next segment holds nothing, so this happens once. Its start must have a clock, because no
/// later start would cover these entries.
bool LogRetention::closes_idle_segment(Time now, const LogExtent& log) const {
  const std::uint64_t ms = retained_ms();
  return ms != 0 && log.end == log.committed && !log.is_idle &&
         now - log.last_run >= as_duration(ms) && host_.wall_ms() != no_clock;
}

std::optional<Offset> LogRetention::trim_point(Time now, const LogExtent& log,
                                               const ReplicaSet& replicas) {
  if (!may_retain_less(log)) return std::nullopt;
  if (listed_to_ != no_offset) {
    ask(now, no_offset, log.begins, replicas);
    return std::nullopt;
  }
  look_at_ages(now, log, replicas);
  // Old segments go together: while a clock is being asked for, the trim by age waits.
  const Offset point = std::max(allowed_by_bytes(log.committed), question_ ? Offset{} : aged_);
  if (point <= std::max(log.begins, trim_asked_) || now < trim_after_) return std::nullopt;
  trim_asked_ = point;
  trim_after_ = now + options_.retention_every;
  return point;
}

/// Asks a streaming replica: for the list of segments (`start` is no_offset) or for the clock in
/// the first frame of the segment at `start`. Replicas take turns, so a replica that does not
/// answer is not asked for ever.
void LogRetention::ask(Time now, Offset start, Offset begins, const ReplicaSet& replicas) {
  if (now < ask_after_) return;
  for (std::size_t i = 0; i < replicas.size(); ++i, ++asked_) {
    const Replica& r = replicas[asked_ % replicas.size()];
    if (!r.streams()) continue;
    Message question = start == no_offset
                           ? Message(GetSegments{info_.id, std::max(begins, listed_to_)})
                           : Message(Read{info_.id, start, segment_start_size, 0});
    const RequestId id = host_.to_node(r.member.node, std::move(question));
    if (id == RequestId{}) continue;
    question_ = {r.member.node, id, start, now + options_.recovery_step_timeout};
    return;
  }
  ask_after_ = now + options_.retention_every;
}

/// True if this is the answer to the question under way, and not to a question that was given up.
bool LogRetention::is_answer(NodeId from, RequestId request, bool list) const {
  return question_ && question_->node == from && question_->id == request &&
         (question_->start == no_offset) == list;
}

bool LogRetention::listed(NodeId from, RequestId request, const SegmentsAre& m, Offset begins) {
  if (!is_answer(from, request, true)) return false;
  question_.reset();
  for (const Offset begin : m.begins)
    if (begin > begins) segments_.try_emplace(begin, 0);
  listed_to_ = m.begins.size() < segments_listed_max ? no_offset : m.begins.back();
  return true;
}

bool LogRetention::told_clock(Time now, NodeId from, RequestId request, const Page& m) {
  if (!is_answer(from, request, false)) return false;
  const Offset start = std::exchange(question_, std::nullopt)->start;
  const auto clock = m.offset == start ? clock_at(m.frames, info_.id, start) : std::nullopt;
  if (const auto s = segments_.find(start); s != segments_.end() && clock) {
    s->second = std::max<std::uint64_t>(1, *clock);
    return true;
  }
  ++asked_;  // another replica, after a pause
  ask_after_ = now + options_.retention_every;
  return false;
}

void LogRetention::plan(Time now, const LogExtent& log) {
  due_ = never;
  if (!is_set()) return;
  const std::uint64_t ms = retained_ms();
  if (question_) {
    due_ = question_->deadline;
    return;
  }
  if (ms > 0 && log.end == log.committed && !log.is_idle) {
    due_ = log.last_run + as_duration(ms);
    if (due_ <= now && host_.wall_ms() == no_clock) due_ = now + clocks_again;
  }
  if (!may_retain_less(log)) return;
  if (listed_to_ != no_offset) {
    due_ = std::min(due_, ask_after_);
    return;
  }
  if (std::max(allowed_by_bytes(log.committed), aged_) > std::max(log.begins, trim_asked_))
    due_ = std::min(due_, trim_after_);
  const auto next =
      std::find_if(segments_.upper_bound(std::max(log.begins, aged_)), segments_.end(),
                   [](const auto& s) { return s.second != no_clock; });
  if (ms == 0 || next == segments_.end() || next->first > log.committed) return;
  const std::optional<std::uint64_t> known = host_.age_by();
  if (!known) {
    due_ = std::min(due_, now + clocks_again);
    return;
  }
  const std::uint64_t wall = *known;
  const std::uint64_t old_at = next->second + ms + 1;
  const Duration left = old_at > wall ? std::min(look_again, as_duration(std::min<std::uint64_t>(
                                                                 old_at - wall, retention_ms_max)))
                                      : Duration{};
  due_ = std::min(due_, next->second == 0 ? ask_after_ : now + left);
}

}  // namespace loglog::sequencer
