// A clock is a pair of a value and the time of its reading; it is always carried on by steady time.
#include "sequencer/core/cluster_clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// A follower tells its clock with each answer, ten times a second. A clock that was told longer
/// ago than this counts as unknown.
constexpr Duration heard_max = std::chrono::seconds(10);
/// How long a clock that was set does not count.
constexpr Duration doubted_for = std::chrono::hours(1);

std::uint64_t apart(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; }

}  // namespace

std::uint64_t OwnClock::plus(std::uint64_t clock_ms, Duration d) {
  return clock_ms + static_cast<std::uint64_t>(
                        std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

/// While the clock is doubted, the base stays at the last reading that counted. A clock that is put
/// back in order therefore agrees with the base, and counts at once.
void OwnClock::look(Time now, std::uint64_t wall_ms) {
  wall_ms_ = wall_ms;
  wall_at_ = now;
  const bool steady =
      !base_at_ || apart(wall_ms, plus(base_ms_, now - *base_at_)) <= clock_skew_ms_max;
  if (!steady && !set_at_) set_at_ = now;
  if (!steady && now - *set_at_ < doubted_for) return;
  set_at_.reset();
  base_ms_ = wall_ms;
  base_at_ = now;
}

/// nullopt: the clock is not known, or does not count.
std::optional<std::uint64_t> ClusterClock::clock_of(Time now, SequencerId id) const {
  if (id == self_) return own_.was_just_set() ? std::nullopt : std::optional(own_.at(now));
  const auto h = heard_.find(id);
  if (h == heard_.end() || h->second.clock_ms == 0 || now - h->second.at > heard_max)
    return std::nullopt;
  return OwnClock::plus(h->second.clock_ms, now - h->second.at);
}

/// All clocks that count.
std::vector<std::uint64_t> ClusterClock::ascending(Time now) const {
  std::vector<std::uint64_t> all;
  if (const auto own = clock_of(now, self_)) all.push_back(*own);
  for (const auto& [id, h] : heard_)
    if (const auto c = clock_of(now, id)) all.push_back(*c);
  std::ranges::sort(all);
  return all;
}

std::uint64_t ClusterClock::stamp(Time now) const {
  if (!rules::majority_decides_clock()) return own_.at(now);
  const auto all = ascending(now);
  if (all.size() < majority_) return rules::stamp_of_a_minority(own_.at(now));
  // With the clocks in ascending order, a majority is at or below the entry number `majority_`. So
  // the slow clocks of a minority cannot make the stamp too early.
  return all[majority_ - 1];
}

/// The clock that a majority has reached. A disagreement beyond the skew shows that some clock is
/// wrong, and nobody knows which, so nothing is trimmed by age.
std::optional<std::uint64_t> ClusterClock::age_by(Time now) const {
  const auto all = ascending(now);
  const bool agree = all.size() >= majority_ && all.back() - all.front() <= clock_skew_ms_max;
  if (!rules::may_judge_age(agree)) return std::nullopt;
  if (all.size() < majority_ || !rules::majority_decides_clock()) return own_.at(now);
  return all[all.size() - majority_];
}

std::uint32_t ClusterClock::off_ms(Time now, SequencerId id) const {
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  const auto all = ascending(now);
  const auto clock = clock_of(now, id);
  if (clock && all.size() >= majority_)
    return static_cast<std::uint32_t>(
        std::min(most - 1, apart(*clock, all[all.size() - majority_])));
  const auto h = heard_.find(id);
  const bool was_set =
      id == self_ ? own_.was_just_set()
                  : h != heard_.end() && h->second.clock_ms == 0 && now - h->second.at <= heard_max;
  return was_set ? static_cast<std::uint32_t>(most) : 0;
}

void ClusterClock::take_from(Time now, SequencerId from, const Message& m) {
  if (const auto* v = std::get_if<Vote>(&m)) heard(now, from, v->clock_ms);
  else if (const auto* a = std::get_if<Appended>(&m)) heard(now, from, a->clock_ms);
}

void ClusterClock::put_into(Time now, Message& m) const {
  if (auto* v = std::get_if<Vote>(&m)) v->clock_ms = told(now);
  else if (auto* a = std::get_if<Appended>(&m)) a->clock_ms = told(now);
}

std::optional<Event> ClusterClock::differ(Time now, const std::vector<SequencerInfo>& sequencers) {
  if (now < look_due_) return std::nullopt;
  look_due_ = now + 1s;
  std::string off;
  for (const SequencerInfo& s : sequencers) {
    const std::uint32_t ms = off_ms(now, s.id);
    if (ms <= clock_skew_ms_max) continue;
    off += fmt::format("{}sequencer {} {}", off.empty() ? "" : ", ", s.id.value,
                       ms == ~std::uint32_t{0} ? std::string("was just set")
                                               : fmt::format("is {} s off", ms / 1000));
  }
  if (std::exchange(differ_told_, !off.empty()) == !off.empty()) return std::nullopt;
  if (off.empty()) return Event{Event::Level::info, "the clocks of the sequencers agree again"};
  return Event{
      Event::Level::alarm,
      fmt::format(
          "the clocks of the sequencers differ ({}): retention by age waits until they agree",
          off)};
}

}  // namespace loglog::sequencer
