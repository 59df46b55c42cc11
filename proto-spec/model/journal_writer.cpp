// The ring of the journal model: its files, and the records that are written into it. Appends are
// prescribed, so that the wedge search finds a ring that is full for ever.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/model/journal_model.h"

namespace loglog::model::journal {

// The ring goes to its next file. J2: nothing that the file holds is needed any more. The header
// says so durably before the first record is overwritten (J5). Without a header, a torn record at
// the beginning of the file could not be told from a bad record that still counts.
void Model::open_file(const State& state, Steps<State>& steps) const {
  const int file = file_of(state.next_place);
  if (state.phase != open || state.in_flight != 0) return;
  if (state.next_place % bounds_.records_a_file != 0 || state.from[file] == state.next_number)
    return;
  const int first = file * bounds_.records_a_file;
  for (int l = 0; l < bounds_.logs; ++l) {
    const Log& log = state.logs[l];
    const int floor = bounds_.release_by_sync ? log.reached : log.floor;
    for (int at = first; at < first + bounds_.records_a_file; ++at)
      if (on(Part::j2) && log.is_dropped == 0 && state.cache[at].piece[l] != 0 &&
          state.cache[at].number >= state.from[file] && state.cache[at].number > floor)
        return;
  }
  State next = state;
  next.from[file] = state.next_number;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("file {} is opened for records from {} on", file,
                       static_cast<int>(state.next_number));
  });
}

// The writer puts the next group of each log in `with` into a record, and lazily into the segments.
void Model::begin_record(const State& state, int with, Steps<State>& steps) const {
  const int at = state.next_place;
  if (state.phase != open) return;
  // J6: one record is in flight.
  if (state.in_flight != 0 && (on(Part::j6_one) || has(state.in_flight, at))) return;
  if (at % bounds_.records_a_file == 0 && state.from[file_of(at)] != state.next_number) return;
  State next = state;
  Record record = {};
  record.number = state.next_number;
  for (int l = 0; l < bounds_.logs; ++l) {
    if (!has(with, l)) continue;
    Log& log = next.logs[l];
    if (!may_append(state, l)) return;
    // J1: a log's groups are made durable one after the other.
    if (log.work == direct && on(Part::j1_order)) return;
    append(log);
    record.piece[l] = piece_of(log.written - 1, log.version);
    if (!on(Part::j1)) log.told = log.written;
  }
  next.cache[at] = record;
  next.unsynced |= bit(at);
  next.in_flight |= bit(at);
  next.next_number++;
  next.next_place = byte((at + 1) % ring());
  steps.add(next, Kind::prescribed,
            [&] { return fmt::format("{}, is begun", record_text(state, record)); });
}

// J1: the record's sync ends, and its groups are told durable.
void Model::end_record(const State& state, int at, Steps<State>& steps) const {
  if (!has(state.in_flight, at)) return;
  State next = state;
  next.medium[at] = state.cache[at];
  next.in_flight &= byte(~bit(at));
  next.unsynced &= byte(~bit(at));
  for (int l = 0; l < bounds_.logs; ++l) {
    const Byte piece = state.cache[at].piece[l];
    if (piece == 0) continue;
    Log& log = next.logs[l];
    if (log.expected[place_of(piece)] != value_of(piece)) break_promise(next, told_after_cut);
    log.told = std::max(log.told, byte(place_of(piece) + 1));
  }
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("record {} is durable, and its groups are told",
                       static_cast<int>(state.cache[at].number));
  });
}

// J8, K2: a failed sync ends the process, because the bytes may never reach the medium.
void Model::fail_record(const State& state, int at, Steps<State>& steps) const {
  if (!has(state.in_flight, at) || state.failed_syncs >= bounds_.failed_syncs) return;
  State next = state;
  if (on(Part::j8)) {
    next.unsynced &= byte(~bit(at));
    forget(next);
  } else {
    // The second sync has nothing to write.
    Steps<State> ended(false);
    end_record(state, at, ended);
    next = ended.steps()[0].next;
    next.medium[at] = state.medium[at];
  }
  next.failed_syncs++;
  steps.add(next, Kind::chance, [&] {
    return fmt::format("the sync of record {} fails, and nothing reaches the medium{}",
                       static_cast<int>(state.cache[at].number),
                       on(Part::j8) ? "; the process ends" : "; a second sync succeeds");
  });
}

}  // namespace loglog::model::journal
