// The beginning, the predicates and the promises of the journal model. The steps are in the other
// journal_*.cpp files.
#include "proto-spec/model/journal_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace loglog::model::journal {
namespace {

// The state with the names of its two logs exchanged.
State exchanged(const State& state) {
  State other = state;
  std::swap(other.logs[0], other.logs[1]);
  const auto swap_bits = [](Byte bits) { return byte((bits & 1) << 1 | (bits >> 1 & 1)); };
  for (auto* ring : {other.medium, other.cache})
    for (Record* record = ring; record != ring + most_records; ++record) {
      std::swap(record->piece[0], record->piece[1]);
      record->bad_pieces = swap_bits(record->bad_pieces);
    }
  other.judged = swap_bits(other.judged);
  return other;
}

}  // namespace

// No log has a file. The journal was made, and the first file is open for record 1.
State Model::initial() const {
  State state = {};
  for (Log& log : state.logs) log.version = 1;
  for (int l = bounds_.logs; l < most_logs; ++l) state.logs[l].is_dropped = 1;
  std::fill_n(state.from, files, Byte{1});
  state.next_number = 1;
  return state;
}

void Model::name_members(State& state) const {
  for (int l = 0; l < bounds_.logs; ++l) state.logs[l].name = byte('A' + l);
}

// Logs are alike, so their order has no meaning. Names are left out of the comparison.
void Model::settle(State& state) const {
  if (bounds_.logs < 2) return;
  State nameless = state;
  for (Log& log : nameless.logs) log.name = 0;
  const State other = exchanged(nameless);
  if (std::memcmp(&other, &nameless, sizeof(State)) > 0) state = exchanged(state);
}

// ---- The predicates that guards use
// The segment with the highest first place among `names`, or -1.
int Model::newest_segment(int names) const {
  int newest = -1;
  for (int segment = 0; segment < most_segments; ++segment)
    if (has(names, segment)) newest = segment;
  return newest;
}

// The place where the log begins.
int Model::first_place(const Log& log) const {
  return log.is_trimmed != 0 ? bounds_.places_a_segment : 0;
}

// A re-base leaves the first file without frames, for its marks. It goes when the next file has a
// durable name.
void Model::remove_first_file(Log& log) const {
  if (log.is_trimmed == 0 || log.files_disk != 3) return;
  log.files_cache = log.files_disk = bit(1);
  log.marks[0][0] = log.marks[0][1] = {};
}

// K3: the tail lies behind the last good group; no group behind a gap counts.
int Model::tail_of(const Log& log, const Value* bytes) const {
  int tail = first_place(log);
  while (tail < bounds_.places && bytes[tail] != 0) ++tail;
  return tail;
}

// The marks of the newest file among `names`; not good if there is no file.
Marks Model::marks_of(const Log& log, int names) const {
  const int newest = newest_segment(names);
  return newest < 0 ? Marks{} : log.marks[newest][0];
}

// The newest record that is durable, to the knowledge of the running node.
int Model::durable_record(const State& state) const {
  int newest = state.next_number - 1;
  for (int at = 0; at < ring(); ++at)
    if (has(state.in_flight, at)) newest = std::min(newest, state.cache[at].number - 1);
  return newest;
}

// The last record with bytes of the log, to the knowledge of the running node.
int Model::last_record(const State& state, int l) const {
  int last = 0;
  for (const Record& record : state.cache)
    if (record.piece[l] != 0) last = std::max<int>(last, record.number);
  return last;
}

bool Model::is_in_flight(const State& state, int l) const {
  for (int at = 0; at < ring(); ++at)
    if (has(state.in_flight, at) && state.cache[at].piece[l] != 0) return true;
  return false;
}

// A checkpoint would raise `reached` over bytes of the log, or the floor in the marks.
bool Model::has_bytes_to_sync(const State& state, int l) const {
  const Log& log = state.logs[l];
  return log.reached > log.floor ||
         std::min(durable_record(state), last_record(state, l)) > log.reached;
}

// Whether the log's next group may be written lazily, and has its segment.
bool Model::may_append(const State& state, int l) const {
  const Log& log = state.logs[l];
  if (log.is_dropped != 0 || log.is_suspect != 0 || log.written == bounds_.places) return false;
  if (log.work == cut_marks || log.work == cut_bytes) return false;
  const int segment = segment_of(log.written);
  if (has(log.files_cache, segment)) return true;
  // A new segment. J3: everything in the segment before is synced, so that later syncs of the new
  // segment alone are checkpoints of the log.
  if (log.work != idle) return false;
  return !on(Part::j3_whole) || (std::equal(log.cache, log.cache + most_places, log.disk) &&
                                 log.reached >= last_record(state, l));
}

// Writes the next group into the cache of its segment, which is made if it is new. K6: a file's
// header, with marks, is durable before the file has a name; the name itself is not yet.
void Model::append(Log& log) const {
  const int segment = segment_of(log.written);
  if (!has(log.files_cache, segment)) {
    log.files_cache |= bit(segment);
    // J2: the floor is carried over, in both slots.
    const Byte floor = on(Part::j2_carried) ? log.reached : Byte{0};
    log.marks[segment][0] = log.marks[segment][1] = {1, log.told, floor, 0};
  }
  log.cache[log.written] = log.expected[log.written] = log.version;
  log.written++;
}

// True if something durable shows that the record `number` was durable too (J5). Rot of a record
// without it looks like a torn record, which K3 allows for.
bool Model::was_followed(const State& state, int number) const {
  const auto follows = [&](const Record& record) {
    return record.number > number && record.is_foreign == 0;
  };
  if (std::any_of(std::begin(state.medium), std::end(state.medium), follows)) return true;
  if (std::any_of(std::begin(state.from), std::end(state.from),
                  [&](Byte from) { return from > number; }))
    return true;
  return bounds_.rots_newest &&
         std::any_of(std::begin(state.logs), std::end(state.logs), [&](const Log& log) {
           return log.is_dropped == 0 && marks_of(log, log.files_disk).floor >= number;
         });
}

void Model::break_promise(State& state, Broken broken) const {
  if (state.broken == nothing) state.broken = broken;
}

// Lists every step. The order matters to stories alone.
void Model::successors(const State& state, Steps<State>& steps) const {
  for (int at = 0; at < ring(); ++at) {
    end_record(state, at, steps);
    fail_record(state, at, steps);
    misdirect_record(state, at, steps);
    rot(state, at, steps);
    place_foreign(state, at, steps);
  }
  open_file(state, steps);
  for (int with = 1; with < 1 << bounds_.logs; ++with) begin_record(state, with, steps);
  for (int l = 0; l < bounds_.logs; ++l) {
    end_sync(state, l, steps);
    begin_checkpoint(state, l, steps);
    begin_direct(state, l, steps);
    for (int to = 0; to < bounds_.places; ++to) begin_cut(state, l, to, false, steps);
    begin_cut(state, l, 0, true, steps);
    drop(state, l, steps);
    trim(state, l, steps);
    refill(state, l, steps);
    rot_slot(state, l, steps);
  }
  begin_start(state, steps);
  end_start(state, steps);
  lose_journal(state, steps);
  cut_power(state, steps);
  kill(state, steps);
}

// ---- The promises
std::string_view Model::broken(const State& state) const {
  switch (state.broken) {
    case bytes_lost:
      return "bytes that were told durable are gone, and the log is not suspect";
    case bytes_back:
      return "bytes that were cut are back";
    case bytes_differ:
      return "a log holds other bytes than it was given";
    case dropped_back:
      return "a log that was dropped is back";
    case trimmed_back:
      return "a segment that was trimmed is back";
    case suspect_in_vain:
      return "a log is suspect although no disk lost anything";
    case loss_in_vain:
      return "the node reports DATA LOSS although its journal is there";
    case floor_fell:
      return "a floor that was durable has fallen";
    case told_after_cut:
      return "bytes are told durable after they were cut";
    default:
      return {};
  }
}

// Progress for the wedge search: every log has all of its groups, or waits for peers.
bool Model::arrived(const State& state) const {
  if (state.phase == data_loss) return true;
  return state.phase == open &&
         std::all_of(std::begin(state.logs), std::end(state.logs), [&](const Log& log) {
           return log.is_dropped != 0 || log.is_suspect != 0 || log.told == bounds_.places;
         });
}

// ---- Words
std::string Model::log_text(const State& state, int l) const {
  const Byte name = state.logs[l].name;
  return fmt::format("log {}", static_cast<char>(name == 0 ? '?' : name));
}

std::string Model::record_text(const State& state, const Record& record) const {
  std::string text = fmt::format("record {}", static_cast<int>(record.number));
  for (int l = 0; l < bounds_.logs; ++l)
    if (record.piece[l] != 0)
      text += fmt::format(", {} place {} version {}", log_text(state, l), place_of(record.piece[l]),
                          static_cast<int>(value_of(record.piece[l])));
  return text;
}

}  // namespace loglog::model::journal
