// The faults of the journal model: power cuts, killed processes, bad, foreign and misdirected
// records, a bad slot of marks, and a lost journal. No step here is prescribed.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/model/journal_model.h"

namespace loglog::model::journal {
namespace {

// Every way in which a power cut may leave the disk: each thing that is not synced is there or not,
// whatever the order in which the writes were made.
class Leftovers {
 public:
  explicit Leftovers(const State& state) : states_{state} {}
  // Doubles the states: with and without `change`.
  template <class Change>
  void either(Change change) {
    const std::size_t count = states_.size();
    for (std::size_t i = 0; i < count; ++i) {
      states_.push_back(states_[i]);
      change(states_.back());
    }
  }
  std::vector<State>& states() { return states_; }

 private:
  std::vector<State> states_;
};

}  // namespace

// What a process knows is gone with it.
void Model::forget(State& state) const {
  for (Log& log : state.logs) {
    log.written = log.reached = log.sync_end = log.sync_record = log.sync_file = 0;
    log.cut_to = log.is_rebased = 0;
    log.work = idle;
    log.pending = {};
    log.is_suspect = 0;
  }
  for (int at = 0; at < ring(); ++at)
    if (!has(state.unsynced, at)) state.cache[at] = state.medium[at];
  state.next_number = state.next_place = state.in_flight = state.end = state.judged = 0;
  state.phase = down;
}

void Model::cut_power(const State& state, Steps<State>& steps) const {
  if (state.power_cuts >= bounds_.power_cuts || state.phase == down || state.phase == data_loss)
    return;
  Leftovers left(state);
  for (int l = 0; l < bounds_.logs; ++l) {
    const Log& log = state.logs[l];
    for (int segment = 0; segment < most_segments; ++segment)
      if (has(log.files_cache, segment) && !has(log.files_disk, segment))
        left.either([=](State& s) { s.logs[l].files_disk |= bit(segment); });
    for (int place = 0; place < bounds_.places; ++place)
      if (log.cache[place] != log.disk[place])
        left.either([=, this](State& s) {
          // Bytes in a file whose name is lost are lost too.
          if (has(s.logs[l].files_disk, segment_of(place)))
            s.logs[l].disk[place] = s.logs[l].cache[place];
        });
    if (log.pending.is_good != 0 && has(log.files_cache, log.sync_file))
      left.either([=](State& s) {
        Log& other = s.logs[l];
        if (!has(other.files_disk, other.sync_file)) return;
        other.marks[other.sync_file][1] = other.marks[other.sync_file][0];
        other.marks[other.sync_file][0] = other.pending;
      });
  }
  for (int at = 0; at < ring(); ++at) {
    if (!has(state.unsynced, at)) continue;
    left.either([=](State& s) { s.medium[at] = s.cache[at]; });
    // J6: part of the record is there.
    left.either([=, this](State& s) {
      s.medium[at] = {};
      s.medium[at].is_bad = 1;
      // Without J5.opened the header is written with the first record and is torn with it.
      if (!on(Part::j5_opened) && at % bounds_.records_a_file == 0)
        s.from[file_of(at)] = byte(std::max(1, s.cache[at].number - ring()));
    });
  }
  for (State& next : left.states()) {
    next.power_cuts++;
    next.unsynced = 0;
    for (Log& log : next.logs) {
      log.files_cache = log.files_disk;
      std::copy_n(log.disk, most_places, log.cache);
      for (int segment = 0; segment < most_segments; ++segment)
        if (!has(log.files_disk, segment)) log.marks[segment][0] = log.marks[segment][1] = {};
    }
    forget(next);
    steps.add(next, Kind::chance, [&] {
      std::string text = "the power fails; on the disk are";
      for (int l = 0; l < bounds_.logs; ++l) {
        const Marks marks = marks_of(next.logs[l], next.logs[l].files_disk);
        text += fmt::format(" {}:", log_text(next, l));
        for (int place = 0; place < bounds_.places; ++place)
          text += next.logs[l].disk[place] == 0 ? "-" : std::to_string(next.logs[l].disk[place]);
        text += fmt::format(" with floor {};", static_cast<int>(marks.floor));
      }
      text += " records";
      for (int at = 0; at < ring(); ++at)
        text += next.medium[at].is_bad != 0
                    ? " torn"
                    : fmt::format(" {}", static_cast<int>(next.medium[at].number));
      return text;
    });
  }
}

// The process ends, and the operating system goes on: everything written stays readable.
void Model::kill(const State& state, Steps<State>& steps) const {
  if (state.kills >= bounds_.kills || state.phase == down || state.phase == data_loss) return;
  Leftovers left(state);
  for (int l = 0; l < bounds_.logs; ++l)
    if (state.logs[l].pending.is_good != 0)
      left.either([=](State& s) {
        Log& log = s.logs[l];
        log.marks[log.sync_file][1] = log.marks[log.sync_file][0];
        log.marks[log.sync_file][0] = log.pending;
      });
  for (State& next : left.states()) {
    next.kills++;
    forget(next);
    steps.add(next, Kind::chance, [] { return std::string("the process is killed"); });
  }
}

// A record goes bad: as a whole, or the bytes of one log in it.
void Model::rot(const State& state, int at, Steps<State>& steps) const {
  const Record& record = state.medium[at];
  if (state.rots >= bounds_.rots || record.number == 0 || has(state.unsynced, at)) return;
  if (!was_followed(state, record.number)) return;
  const auto add = [&](const Record& bad, std::string_view how) {
    State next = state;
    next.rots++;
    next.medium[at] = bad;
    if (state.phase == down) next.cache[at] = bad;
    steps.add(next, Kind::chance, [&] {
      return fmt::format("record {} goes bad{}", static_cast<int>(record.number), how);
    });
  };
  Record bad = {};
  bad.is_bad = 1;
  add(bad, "");
  for (int l = 0; l < bounds_.logs; ++l) {
    if (record.piece[l] == 0) continue;
    bad = record;
    bad.bad_pieces = bit(l);
    add(bad, ": the bytes of " + log_text(state, l));
  }
}

// The newest slot of the newest file goes bad, and the slot before it counts.
void Model::rot_slot(const State& state, int l, Steps<State>& steps) const {
  if (state.slot_rots >= bounds_.slot_rots || state.phase != down) return;
  const int segment = newest_segment(state.logs[l].files_disk);
  if (segment < 0 || state.logs[l].marks[segment][1].is_good == 0) return;
  State next = state;
  next.slot_rots++;
  Marks* slots = next.logs[l].marks[segment];
  slots[0] = slots[1];
  slots[1] = {};
  steps.add(next, Kind::chance, [&] {
    return fmt::format("the newest marks of {} go bad; the slot before has floor {}",
                       log_text(state, l), static_cast<int>(slots[0].floor));
  });
}

// A record of another disk lies in the ring, with the number that would come next.
void Model::place_foreign(const State& state, int at, Steps<State>& steps) const {
  const Record& victim = state.medium[at];
  if (state.foreign >= bounds_.foreign || state.phase != down || has(state.unsynced, at)) return;
  const bool counts = victim.number >= state.from[file_of(at)] && victim.number != 0;
  if (counts && !was_followed(state, victim.number)) return;
  const Log& log = state.logs[0];
  if (log.is_dropped != 0 || log.told == bounds_.places) return;
  int newest = 0;
  for (const Record& record : state.medium) newest = std::max<int>(newest, record.number);
  State next = state;
  next.foreign++;
  next.medium[at] = {byte(newest + 1), 0, 1, 0, {piece_of(log.told, foreign_value), 0}};
  next.cache[at] = next.medium[at];
  steps.add(next, Kind::chance, [&] {
    return fmt::format("a record {} of another disk lies at place {} of the ring", newest + 1, at);
  });
}

// The disk writes the record in flight to another place, and reports success.
void Model::misdirect_record(const State& state, int at, Steps<State>& steps) const {
  if (!has(state.in_flight, at) || state.misdirected >= bounds_.misdirected) return;
  Steps<State> ended(false);
  end_record(state, at, ended);
  for (int to = 0; to < ring(); ++to) {
    // At the next record's place it would be gone before a durable record shows that it is missing.
    if (to == at || to == state.next_place || has(state.unsynced, to)) continue;
    State next = ended.steps()[0].next;
    next.misdirected++;
    next.medium[to] = state.cache[at];
    next.medium[at] = state.medium[at];
    steps.add(next, Kind::chance, [&] {
      return fmt::format("record {} is written to place {} instead of {}, and is told",
                         static_cast<int>(state.cache[at].number), to, at);
    });
  }
}

// The folder of the journal is gone at a start.
void Model::lose_journal(const State& state, Steps<State>& steps) const {
  if (state.lost_journals >= bounds_.lost_journals || state.phase != down) return;
  State next = state;
  next.lost_journals++;
  for (auto* records : {next.medium, next.cache}) std::fill_n(records, most_records, Record{});
  std::fill_n(next.from, files, Byte{0});
  next.unsynced = 0;
  steps.add(next, Kind::chance, [] { return std::string("the journal's folder is gone"); });
}

}  // namespace loglog::model::journal
