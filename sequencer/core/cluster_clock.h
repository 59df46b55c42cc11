// The time of a cluster whose sequencers may have wrong wall clocks (R5): a wall clock counts only
// while its own machine's steady time confirms it, and a majority of clocks decides. Used by
// SequencerMachine for retention by age and for the clocks that leaders write into logs (R4).
// Pure; no other rule reads a clock.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// The wall clock of this process. If the clock moves by more than `clock_skew_ms_max` against
/// steady time, somebody has set it, and it does not count. It counts again once it is back, or
/// after an hour. Otherwise a single command that sets all clocks would make minutes-old entries a
/// day old.
class OwnClock {
 public:
  /// Takes a reading. `wall_ms`: Unix time in milliseconds. Called at each tick.
  void look(Time now, std::uint64_t wall_ms);
  /// The clock as last read, carried on by steady time.
  std::uint64_t at(Time now) const { return plus(wall_ms_, now - wall_at_); }
  /// True from the moment at which somebody set the clock until it counts again.
  bool was_just_set() const { return set_at_.has_value(); }

  /// `clock_ms` carried on by `d`.
  static std::uint64_t plus(std::uint64_t clock_ms, Duration d);

 private:
  std::uint64_t wall_ms_ = 0;  // as of the last look()
  Time wall_at_{};
  // The last reading that counted. Steady time carries it on to judge the next reading.
  std::uint64_t base_ms_ = 0;
  std::optional<Time> base_at_;
  // Set exactly while the clock does not count.
  std::optional<Time> set_at_;
};

/// The clocks of all sequencers, as the leader hears them in `Vote` and `Appended` (R5).
class ClusterClock {
 public:
  /// `sequencers`: number of all voters, this sequencer included.
  ClusterClock(SequencerId self, std::size_t sequencers)
      : self_(self), majority_(sequencers / 2 + 1) {}

  /// Takes a reading of this sequencer's own clock; see OwnClock::look().
  void look(Time now, std::uint64_t wall_ms) { own_.look(now, wall_ms); }
  /// Sequencer `from` tells its clock. `clock_ms` 0: that clock was just set and counts for
  /// nothing.
  void heard(Time now, SequencerId from, std::uint64_t clock_ms) { heard_[from] = {clock_ms, now}; }
  /// Takes the clock out of a message of Raft that carries a clock. Raft itself reads none.
  void take_from(Time now, SequencerId from, const Message& m);
  /// Puts the own clock into a message of Raft that carries a clock, on its way out.
  void put_into(Time now, Message& m) const;
  /// The clock to tell other sequencers; 0 while the own clock does not count.
  std::uint64_t told(Time now) const { return own_.was_just_set() ? 0 : own_.at(now); }

  /// The clock for new entries: the earliest time that is not behind a majority's clocks. no_clock
  /// if no majority is heard, because a stamp that is too early would trim entries too soon.
  std::uint64_t stamp(Time now) const;
  /// The clock that the age of entries is measured by: the latest time that a majority's clocks
  /// have reached. nullopt if no majority is heard, or if the clocks differ by more than
  /// `clock_skew_ms_max`; then nothing is trimmed by age.
  std::optional<std::uint64_t> age_by(Time now) const;
  /// Distance of sequencer `id`'s clock from the majority's, in milliseconds. 0: it agrees or is
  /// not known; all ones: somebody just set it.
  std::uint32_t off_ms(Time now, SequencerId id) const;

  /// The leader looks at the clocks at most once a second. Tells the operator once when they begin
  /// to differ, and once when that is over; the status page shows it while it lasts.
  std::optional<Event> differ(Time now, const std::vector<SequencerInfo>& sequencers);
  /// Another sequencer leads and raises the alarm from now on.
  void lead_is_lost() { differ_told_ = false; }

 private:
  /// A clock as its sequencer told it, and when the message came.
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
  bool differ_told_ = false;  // the alarm was raised
  Time look_due_{};
};

}  // namespace loglog::sequencer
