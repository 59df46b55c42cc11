// A start in the journal model: the journal is read (J5, J6, J7) and replayed, the segments are
// synced, and then the tails are read (K1). It takes two steps, with any fault between them.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/model/journal_model.h"

namespace loglog::model::journal {

// Which records count, and which are missing. The cache is what the process reads.
Reading Model::read_journal(const State& state) const {
  Reading reading;
  int begin = 255;  // the first number that must be there
  for (int at = 0; at < ring(); ++at) {
    const Record& record = state.cache[at];
    if (record.number == 0 || (record.is_foreign != 0 && on(Part::j7_foreign))) continue;
    if (on(Part::j5_from) && record.number < state.from[file_of(at)]) continue;
    reading.counts |= bit(at);
    reading.newest = std::max(reading.newest, record.number);
    begin = std::min<int>(begin, record.number);
  }
  reading.end = reading.newest;
  if (on(Part::j5_from)) {
    begin = *std::min_element(std::begin(state.from), std::end(state.from));
    // A header proves that the records before it were durable.
    for (const Byte from : state.from) reading.end = std::max(reading.end, byte(from - 1));
  }
  if (on(Part::j5_evidence))
    for (const Log& log : state.logs)
      if (log.is_dropped == 0)
        reading.end = std::max(reading.end, marks_of(log, log.files_disk).floor);
  const auto is_there = [&](int number) {
    for (int at = 0; at < ring(); ++at)
      if (has(reading.counts, at) && state.cache[at].number == number) return true;
    return false;
  };
  for (int number = begin; number <= reading.end; ++number) {
    if (is_there(number)) continue;
    reading.missing = byte(number);
    if (on(Part::j5_rot)) continue;
    // Without J5.rot the journal ends here.
    for (int at = 0; at < ring(); ++at)
      if (state.cache[at].number > number) reading.counts &= byte(~bit(at));
    reading.newest = reading.end = byte(number - 1);
    reading.missing = 0;
    break;
  }
  // The next record goes behind the newest, or to the beginning of the file that was opened last.
  int file = 0;
  for (int other = 1; other < files; ++other)
    if (state.from[other] > state.from[file]) file = other;
  reading.next_place = byte(file * bounds_.records_a_file);
  for (int at = 0; at < ring(); ++at)
    if (has(reading.counts, at) && state.cache[at].number == reading.newest)
      reading.next_place = byte((at + 1) % ring());
  // J6: a bad record behind the newest was torn, and its groups were never told.
  if (!on(Part::j6_torn) && state.cache[reading.next_place].is_bad != 0)
    reading.missing = byte(reading.end + 1);
  return reading;
}

// J7: the identity says that there is a journal. Without that word, a log whose floor is still 0
// would be taken for a log that has journalled nothing.
bool Model::is_journal_lost(const State& state) const {
  if (std::none_of(std::begin(state.from), std::end(state.from),
                   [](Byte from) { return from == 0; }))
    return false;
  if (!on(Part::j7_missing)) return false;
  if (on(Part::j7_identity)) return true;
  return std::any_of(std::begin(state.logs), std::end(state.logs),
                     [&](const Log& log) { return marks_of(log, log.files_disk).floor > 0; });
}

// Writes the bytes above each log's floor into the segments, in the order of the records.
void Model::replay(State& state, const Reading& reading) const {
  for (int number = 1; number <= reading.newest; ++number)
    for (int at = 0; at < ring(); ++at) {
      const Record& record = state.cache[at];
      if (!has(reading.counts, at) || record.number != number) continue;
      for (int l = 0; l < bounds_.logs; ++l) {
        Log& log = state.logs[l];
        const Byte piece = record.piece[l];
        if (piece == 0 || has(record.bad_pieces, l)) continue;
        if (log.is_dropped != 0 && on(Part::j4_drop)) continue;       // T5: no replay makes a log
        if (number <= marks_of(log, log.files_disk).floor) continue;  // J4
        const int segment = segment_of(place_of(piece));
        if (!has(log.files_cache, segment)) {
          // The record begins the segment, so it has everything that the header needs.
          log.files_cache |= bit(segment);
          log.marks[segment][0] = {1, 0, marks_of(log, log.files_disk).floor, 0};
        }
        log.cache[place_of(piece)] = value_of(piece);
      }
    }
}

// J5: a log is suspect if a missing record may have held bytes of it above its floor.
void Model::judge(State& state, const Reading& reading) const {
  for (int l = 0; l < bounds_.logs; ++l) {
    const Log& log = state.logs[l];
    if (log.is_dropped != 0) continue;
    const int floor = marks_of(log, log.files_disk).floor;
    bool has_piece = false, has_bad_piece = false;
    for (int at = 0; at < ring(); ++at) {
      if (!has(reading.counts, at) || state.cache[at].piece[l] == 0) continue;
      has_piece = true;
      if (has(state.cache[at].bad_pieces, l) && state.cache[at].number > floor)
        has_bad_piece = true;
    }
    if (has_bad_piece || (reading.missing > floor && (has_piece || on(Part::j5_unknown))))
      state.judged |= bit(l);
  }
}

void Model::begin_start(const State& state, Steps<State>& steps) const {
  if (state.phase != down) return;
  State next = state;
  if (is_journal_lost(state)) {
    next.phase = data_loss;
    if (state.lost_journals == 0) break_promise(next, loss_in_vain);
    steps.add(next, Kind::prescribed, [] { return std::string("a start finds DATA LOSS"); });
    return;
  }
  for (Byte& from : next.from) from = std::max(from, Byte{1});
  // J5, K1: a record that is read must stay, so the journal is synced first.
  if (on(Part::j5_medium)) {
    for (int at = 0; at < ring(); ++at)
      if (has(next.unsynced, at)) next.medium[at] = next.cache[at];
    next.unsynced = 0;
  }
  const Reading reading = read_journal(next);
  next.end = reading.end;
  next.next_number = byte((on(Part::j5_number) ? reading.end : reading.newest) + 1);
  next.next_place = reading.next_place;
  judge(next, reading);
  if (!on(Part::j5_first))
    for (int l = 0; l < bounds_.logs; ++l)
      if (tail_of(next.logs[l], next.logs[l].cache) <
          marks_of(next.logs[l], next.logs[l].files_disk).durable)
        next.judged |= bit(l);
  replay(next, reading);
  if (!on(Part::j5_synced))
    for (Log& log : next.logs)
      if (log.files_disk != 0) {
        log.pending = marks_of(log, log.files_disk);
        log.pending.floor = reading.end;
        log.sync_file = byte(newest_segment(log.files_disk));
      }
  next.phase = replayed;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format(
        "a start replays the journal up to record {}{}", static_cast<int>(reading.newest),
        reading.missing == 0
            ? ""
            : fmt::format("; record {} is missing", static_cast<int>(reading.missing)));
  });
}

// K1, K3: the tail of a log is read from the disk, after its bytes have been synced.
void Model::open_log(State& state, int l) const {
  Log& log = state.logs[l];
  if (log.pending.is_good != 0) log.marks[log.sync_file][0] = log.pending;
  log.pending = {};
  log.sync_file = 0;
  std::copy_n(log.cache, most_places, log.disk);
  log.files_disk = log.files_cache;
  if (log.is_dropped != 0) {
    if (log.files_disk != 0) break_promise(state, dropped_back);
    return;
  }
  for (int place = 0; place < first_place(log); ++place)
    if (log.disk[place] != 0) break_promise(state, trimmed_back);
  remove_first_file(log);
  const Marks marks = marks_of(log, log.files_disk);
  const int tail = tail_of(log, log.disk);
  if (marks.floor < log.floor && state.slot_rots == 0) break_promise(state, floor_fell);
  log.floor = marks.floor;
  log.reached = state.end;
  log.is_suspect =
      has(state.judged, l) || marks.is_suspect != 0 || tail < marks.durable ? Byte{1} : Byte{0};
  if (log.is_suspect != 0) {
    const int faults =
        state.rots + state.slot_rots + state.foreign + state.misdirected + state.lost_journals;
    if (faults == 0) break_promise(state, suspect_in_vain);
    // J5: the marks say so before the node answers, with a hole whose end is not known. Then the
    // ring need not keep the evidence, and the log does not pin it.
    if (on(Part::j5_lasting)) {
      if (log.files_disk == 0) log.files_disk = log.files_cache = bit(segment_of(first_place(log)));
      Marks* slots = log.marks[newest_segment(log.files_disk)];
      slots[1] = slots[0];
      slots[0] = {1, marks.durable, state.end, 1};
      log.floor = state.end;
    }
    return;
  }
  if (tail < log.told) break_promise(state, bytes_lost);
  bool has_lost = false;
  for (int place = first_place(log); place < bounds_.places; ++place) {
    if (place < tail && log.disk[place] != log.expected[place])
      break_promise(state,
                    log.disk[place] != foreign_value &&
                            (log.expected[place] == 0 || log.disk[place] < log.expected[place])
                        ? bytes_back
                        : bytes_differ);
    if (place < tail) continue;
    // Groups behind the tail were never told. The next reconcile cuts their rest (K3).
    has_lost = has_lost || log.expected[place] != 0;
    log.cache[place] = log.disk[place] = log.expected[place] = 0;
  }
  if (has_lost) log.version++;
  log.told = log.written = byte(tail);
}

void Model::end_start(const State& state, Steps<State>& steps) const {
  if (state.phase != replayed) return;
  State next = state;
  for (int l = 0; l < bounds_.logs; ++l) open_log(next, l);
  next.phase = open;
  next.end = next.judged = 0;
  steps.add(next, Kind::prescribed, [&] {
    std::string text = "the replayed bytes are synced, and the node opens";
    for (int l = 0; l < bounds_.logs; ++l)
      if (next.logs[l].is_suspect != 0) text += fmt::format("; {} is suspect", log_text(next, l));
    return text;
  });
}

}  // namespace loglog::model::journal
