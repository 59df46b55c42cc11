// The steps of a single log in the journal model: direct groups, checkpoints, cuts, drops, trims.
// Each sync is two steps, so that a power cut between them leaves any part of it on the disk.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/model/journal_model.h"

namespace loglog::model::journal {

namespace {

// Begins the sync of the newest segment. The marks under it name the floor that earlier syncs
// reached (J3), and as durable the end that was durable before.
void begin_sync(Log& log, Work work, int segment, Marks pending, int record) {
  log.work = work;
  log.sync_file = byte(segment);
  log.sync_end = log.written;
  log.sync_record = byte(record);
  log.pending = pending;
}

}  // namespace

// J3: a group goes to its segment alone, under a sync that also carries all lazy bytes.
void Model::begin_direct(const State& state, int l, Steps<State>& steps) const {
  if (!bounds_.directs || state.phase != open || state.logs[l].work != idle) return;
  // J1: a log's groups are made durable one after the other.
  if (!may_append(state, l) || is_in_flight(state, l)) return;
  State next = state;
  Log& log = next.logs[l];
  append(log);
  const Byte floor = on(Part::j3) ? log.reached : byte(durable_record(state));
  begin_sync(log, direct, segment_of(log.written - 1), {1, log.told, floor, 0},
             durable_record(state));
  steps.add(next, Kind::chance, [&] {
    return fmt::format("{} writes place {} version {} directly, with marks of floor {}",
                       log_text(state, l), log.written - 1, static_cast<int>(log.version),
                       static_cast<int>(floor));
  });
}

// A sync with marks and without a group. A forced checkpoint is the same step (J2).
void Model::begin_checkpoint(const State& state, int l, Steps<State>& steps) const {
  const Log& before = state.logs[l];
  if (!on(Part::j2_forced) || state.phase != open || before.work != idle) return;
  if (before.is_dropped != 0 || before.is_suspect != 0 || before.files_cache == 0) return;
  if (!has_bytes_to_sync(state, l) && on(Part::j2_flight)) return;
  State next = state;
  Log& log = next.logs[l];
  const Byte floor = on(Part::j3) ? log.reached : byte(durable_record(state));
  // J2: a record in flight may be torn, and its number is then used again.
  const int record = on(Part::j2_flight) ? durable_record(state) : state.next_number - 1;
  if (record == log.reached && log.reached == log.floor) return;
  begin_sync(log, checkpoint, newest_segment(log.files_cache), {1, log.told, floor, 0}, record);
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} begins a checkpoint, with marks of floor {}", log_text(state, l),
                       static_cast<int>(floor));
  });
}

// The sync under way ends.
void Model::end_sync(const State& state, int l, Steps<State>& steps) const {
  const Log& before = state.logs[l];
  if (before.work == idle) return;
  State next = state;
  Log& log = next.logs[l];
  const int file = log.sync_file;
  const auto sync_bytes = [&](int end) {
    for (int place = 0; place < end; ++place)
      if (segment_of(place) == file) log.disk[place] = log.cache[place];
  };
  const auto finish_cut = [&] {
    std::fill(log.expected + log.cut_to, log.expected + most_places, Value{0});
    log.version++;
    log.cut_to = 0;
    if (log.is_rebased == 0) return;
    log.is_rebased = 0;
    log.is_trimmed = 1;
    log.told = log.written = byte(bounds_.places_a_segment);
  };
  if (log.work == cut_bytes) {
    sync_bytes(bounds_.places);
    finish_cut();
    log.work = idle;
    log.sync_file = 0;
    steps.add(next, Kind::prescribed, [&] { return log_text(state, l) + " has been cut"; });
    return;
  }
  const bool is_cut = log.work == cut_marks;
  sync_bytes(log.sync_end);
  log.files_disk |= byte(log.files_cache & bit(file));
  remove_first_file(log);
  log.marks[file][1] = is_cut && on(Part::j4_slots) ? log.pending : log.marks[file][0];
  log.marks[file][0] = log.pending;
  log.pending = {};
  if (newest_segment(log.files_cache) == file) log.floor = log.marks[file][0].floor;
  // J3: a sync counts for the bytes that were written before it began.
  log.reached =
      std::max(log.reached, on(Part::j3_began) ? log.sync_record : byte(durable_record(next)));
  if (log.work == direct) log.told = std::max(log.told, log.sync_end);
  log.work = idle;
  log.sync_end = log.sync_record = log.sync_file = 0;
  if (is_cut) {
    // The marks are durable, and the cut follows. Names go durably, the newest first, and the rest
    // of the last file goes under a sync.
    const bool keeps_file = log.cut_to > first_place(log) || on(Part::j4_kept);
    for (int place = log.cut_to; place < bounds_.places; ++place) {
      const int segment = segment_of(place);
      if (segment != segment_of(std::max(log.cut_to - 1, first_place(log))) || !keeps_file) {
        log.files_cache &= byte(~bit(segment));
        log.files_disk &= byte(~bit(segment));
        log.marks[segment][0] = log.marks[segment][1] = {};
        log.disk[place] = 0;
      }
      log.cache[place] = 0;
    }
    log.floor = marks_of(log, log.files_disk).floor;
    log.told = std::min(log.told, log.cut_to);
    log.written = log.cut_to;
    if (keeps_file) {
      log.work = cut_bytes;
      log.sync_file = byte(newest_segment(log.files_cache));
    } else {
      finish_cut();
    }
  }
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("the sync of {} ends, its floor is {}{}", log_text(state, l),
                       static_cast<int>(log.floor),
                       is_cut ? fmt::format(", and the cut to {} begins", log.written) : "");
  });
}

// A leader has the log cut, or re-based: cut to nothing, so that it begins anew at the second
// segment. J4: a sync has covered all bytes of the log, so that the marks may name
// its last record, and these marks are durable before the cut.
void Model::begin_cut(const State& state, int l, int to, bool rebase, Steps<State>& steps) const {
  const Log& before = state.logs[l];
  if (rebase ? state.rebases >= bounds_.rebases : state.cuts >= bounds_.cuts) return;
  if (state.phase != open || before.work != idle) return;
  if (before.is_dropped != 0 || before.is_suspect != 0 || to >= before.written ||
      to < first_place(before))
    return;
  if (is_in_flight(state, l) && on(Part::j9)) return;  // J9: the cut waits for the record in flight
  if (on(Part::j4_floor) && on(Part::j4_synced) && on(Part::j9) &&
      before.reached < last_record(state, l))
    return;
  State next = state;
  Log& log = next.logs[l];
  rebase ? next.rebases++ : next.cuts++;
  log.is_rebased = rebase ? 1 : 0;
  log.cut_to = byte(to);
  Byte floor = log.reached;
  if (!on(Part::j4_floor)) floor = log.floor;
  if (!on(Part::j4_synced)) floor = byte(durable_record(state));
  // The file that the cut leaves as the newest.
  int file = segment_of(std::max(to - 1, first_place(log)));
  if (!on(Part::j4_file)) file = newest_segment(log.files_cache);
  begin_sync(log, cut_marks, file, {1, byte(to), floor, 0}, durable_record(state));
  steps.add(next, Kind::chance, [&] {
    return fmt::format("{} is to be {} {}, and writes marks of floor {}", log_text(state, l),
                       rebase ? "re-based from" : "cut to", to, static_cast<int>(floor));
  });
}

// T5: the tombstone is durable, and the files go. The ring forgets the log.
void Model::drop(const State& state, int l, Steps<State>& steps) const {
  const Log& before = state.logs[l];
  if (state.drops >= bounds_.drops || state.phase != open || before.work != idle) return;
  if (before.is_dropped != 0 || is_in_flight(state, l)) return;
  State next = state;
  next.drops++;
  next.logs[l] = {};
  next.logs[l].is_dropped = 1;
  next.logs[l].name = before.name;
  steps.add(next, Kind::chance, [&] { return log_text(state, l) + " is dropped"; });
}

// R3: the first segment is unlinked. J4: a durable floor covers its records, so that no replay
// makes the file anew.
void Model::trim(const State& state, int l, Steps<State>& steps) const {
  const Log& before = state.logs[l];
  if (state.trims >= bounds_.trims || state.phase != open || before.work != idle) return;
  if (before.is_dropped != 0 || before.is_suspect != 0 || before.is_trimmed != 0 ||
      before.files_cache != 3 || before.told <= bounds_.places_a_segment)
    return;
  int last = 0;
  for (const Record& record : state.cache)
    if (record.piece[l] != 0 && segment_of(place_of(record.piece[l])) == 0)
      last = std::max<int>(last, record.number);
  if (on(Part::j4_trim) && (!has(before.files_disk, 1) || before.floor < last)) return;
  // Rot of the newest slot must not let the floor fall below these records.
  if (on(Part::j4_slots) && on(Part::j4_trim) && before.marks[1][1].floor < last) return;
  State next = state;
  Log& log = next.logs[l];
  next.trims++;
  log.is_trimmed = 1;
  log.files_cache &= byte(~bit(0));
  log.files_disk &= byte(~bit(0));
  log.marks[0][0] = log.marks[0][1] = {};
  for (int place = 0; place < bounds_.places_a_segment; ++place)
    log.cache[place] = log.disk[place] = log.expected[place] = 0;
  steps.add(next, Kind::chance,
            [&] { return fmt::format("the first segment of {} is trimmed", log_text(state, l)); });
}

// K4: peers bring everything that the log is to have, and marks end the suspicion.
void Model::refill(const State& state, int l, Steps<State>& steps) const {
  const Log& before = state.logs[l];
  if (state.phase != open || before.is_suspect == 0 || before.is_dropped != 0) return;
  State next = state;
  Log& log = next.logs[l];
  for (int place = 0; place < bounds_.places; ++place) {
    if (place >= log.told) log.expected[place] = 0;
    log.cache[place] = log.disk[place] = log.expected[place];
  }
  log.files_cache = bit(segment_of(first_place(log)));
  for (int place = first_place(log); place < log.told; ++place)
    log.files_cache |= bit(segment_of(place));
  log.files_disk = log.files_cache;
  const Marks marks = {1, log.told, log.reached, 0};
  for (int segment = 0; segment < most_segments; ++segment)
    for (Marks& slot : log.marks[segment]) slot = has(log.files_cache, segment) ? marks : Marks{};
  log.floor = log.reached;
  log.written = log.told;
  log.is_suspect = 0;
  log.version++;
  steps.add(next, Kind::chance,
            [&] { return fmt::format("peers fill {} again", log_text(state, l)); });
}

}  // namespace loglog::model::journal
