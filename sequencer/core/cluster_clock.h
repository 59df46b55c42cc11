// What time it is for a cluster whose sequencers' wall clocks may be wrong (R5): a clock counts
// where steady time bears it out, and a majority of clocks decides. For retention by age, and for
// the clocks that leaders write into logs (R4). Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::sequencer {

/// A process's own wall clock. Where it moves other than steady time, somebody has set it: it
/// counts again when it is back, or an hour later, so that no single setting of all clocks makes
/// what is minutes old a day old at once.
class OwnClock {
 public:
  /// `wall_ms`: Unix time in milliseconds.
  void look(Time now, std::uint64_t wall_ms);
  std::uint64_t at(Time now) const { return plus(wall_ms_, now - wall_at_); }
  bool was_just_set() const { return set_at_.has_value(); }
  /// What it would show if nobody had set it.
  std::uint64_t unset_at(Time now) const {
    return base_at_ ? plus(base_ms_, now - *base_at_) : at(now);
  }

  /// The clock after so long.
  static std::uint64_t plus(std::uint64_t clock_ms, Duration d);

 private:
  std::uint64_t wall_ms_ = 0;  // as of the last look
  Time wall_at_{};
  std::uint64_t base_ms_ = 0;  // what it showed while it counted
  std::optional<Time> base_at_;
  std::optional<Time> set_at_;
};

/// The clocks of all sequencers, as the leader hears them.
class ClusterClock {
 public:
  ClusterClock(SequencerId self, std::size_t sequencers)
      : self_(self), majority_(sequencers / 2 + 1) {}

  void look(Time now, std::uint64_t wall_ms) { own_.look(now, wall_ms); }
  /// `clock_ms` 0: it was just set, and counts for nothing.
  void heard(Time now, SequencerId from, std::uint64_t clock_ms) { heard_[from] = {clock_ms, now}; }
  /// What to say to others.
  std::uint64_t told(Time now) const { return own_.was_just_set() ? 0 : own_.at(now); }

  /// What new entries are stamped with: the earliest time that a majority's clocks are not past;
  /// the latest that anybody says where no majority is heard. Too late a stamp keeps entries
  /// longer, too early a one takes them too soon.
  std::uint64_t stamp(Time now) const;
  /// By which entries are old: the latest time that a majority's clocks have reached. nullopt: no
  /// majority is heard, or the clocks that are heard differ by more than clock_skew_ms_max.
  std::optional<std::uint64_t> age_by(Time now) const;
  /// How far that sequencer's clock is from a majority's. 0: it agrees, or is not known; all ones:
  /// it was just set.
  std::uint32_t off_ms(Time now, SequencerId id) const;

 private:
  struct Heard {
    std::uint64_t clock_ms;
    Time at;
  };
  std::vector<std::uint64_t> ascending(Time now) const;
  std::optional<std::uint64_t> clock_of(Time now, SequencerId id) const;

  SequencerId self_;
  std::size_t majority_;
  OwnClock own_;
  std::map<SequencerId, Heard> heard_;
};

}  // namespace loglog::sequencer
