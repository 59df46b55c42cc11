// The journal model: one storage node with a ring of records and the lazily written segments of its
// logs (spec/10, J1 to J9). It shows that a node holds the bytes that it told to be durable through
// power cuts, killed processes, bad records and a lost journal, that cut bytes stay away, that
// clean crashes make no log suspect, and that a full ring can always be freed.
//
// A place of a log holds a single group. The steps of the running node are in journal_writer.cpp
// and journal_logs.cpp, a start is in journal_start.cpp, the faults are in journal_faults.cpp, and
// the promises are in journal_model.cpp. Peers and leaders are left out: a cut, a drop and a trim
// come at any time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto-spec/model/bytes.h"
#include "proto-spec/model/explorer.h"
#include "proto-spec/model/rules.h"

namespace loglog::model::journal {

inline constexpr int most_logs = 2;
inline constexpr int most_places = 4;    // of a log
inline constexpr int most_segments = 2;  // of a log
inline constexpr int files = 2;          // of the ring
inline constexpr int most_records = 4;   // of the ring

// How far the search goes. Each fault count is the most that a whole run may contain.
struct Bounds {
  int logs = 2;
  int places = 2;
  int records_a_file = 2;
  int places_a_segment = most_places;  // less than `places`: the log goes on in a second segment
  int power_cuts = 0, kills = 0, failed_syncs = 0;
  int rots = 0, slot_rots = 0, foreign = 0, misdirected = 0, lost_journals = 0;
  int cuts = 0, rebases = 0, drops = 0, trims = 0;
  bool directs = false;  // groups may go to their segment without the journal (J3)
  // The newest record may rot as well, if a floor names it. Otherwise its rot is the loss that K3
  // allows for.
  bool rots_newest = false;
  // A file of the ring is written again as soon as the bytes are synced, before marks name the
  // floor.
  bool release_by_sync = false;
  bool look_for_wedges = false;
};

// Bytes of a group: 0 none; else the version of the log in which they were written. A version
// begins when bytes were cut or lost, so two groups for one place differ in it.
using Value = Byte;
inline constexpr Value foreign_value = 7;

// The bytes of one log in a record: 0 none; else place and value.
constexpr Byte piece_of(int place, Value value) { return byte(place * 8 + value); }
constexpr int place_of(Byte piece) { return piece / 8; }
constexpr Value value_of(Byte piece) { return piece % 8; }

struct Record {
  Byte number;  // 0: no good record
  Byte is_bad;  // torn, or gone bad, so that the header is not readable
  Byte is_foreign;
  Byte bad_pieces;  // bit for each log whose bytes are bad, while header and table are good
  Byte piece[most_logs];
};

// A slot of marks (K3) with the floor (J2).
struct Marks {
  Byte is_good;
  Byte durable;
  Byte floor;
  Byte is_suspect;  // the slot names a hole whose end is not known
};

enum Work : Byte { idle, checkpoint, direct, cut_marks, cut_bytes };

struct Log {
  Value cache[most_places];  // as the process and the operating system see the segments
  Value disk[most_places];
  Byte files_cache, files_disk;   // bit for each segment file that has a name
  Marks marks[most_segments][2];  // on the disk: the newest slot of a file, and the slot before
  Value expected[most_places];    // for the promises: the bytes that the log is to have
  Byte told;                      // for the promises: end of the bytes that were told durable
  Byte version;
  Byte written;                // end of the log in memory
  Byte reached;                // highest record whose bytes a finished sync has covered
  Byte floor;                  // highest floor that durable marks name; survives, as a promise
  Byte work;                   // the sync under way
  Byte sync_end, sync_record;  // end of the bytes, newest durable record when the sync began
  Byte sync_file;              // the segment that is synced
  Byte cut_to;
  Byte is_rebased;  // the cut under way is a re-base
  Marks pending;    // the marks under the sync, not yet durable
  Byte is_suspect, is_dropped, is_trimmed;
  Byte name;  // the last field; used in stories alone
};

enum Phase : Byte { open, down, replayed, data_loss };

// A promise that a step itself breaks.
enum Broken : Byte {
  nothing,
  bytes_lost,
  bytes_back,
  bytes_differ,
  dropped_back,
  trimmed_back,
  suspect_in_vain,
  loss_in_vain,
  floor_fell,
  told_after_cut
};

struct State {
  Log logs[most_logs];
  Record medium[most_records];  // the ring on its medium
  Record cache[most_records];   // the ring as the process knows it
  Byte unsynced;                // bit for each place whose record is not durable yet
  Byte from[files];             // file header: lower numbers do not count; 0: the file is missing
  Byte next_number, next_place;
  Byte in_flight;  // bit for each place whose record is being written
  Byte end;        // while a start goes on: the last number that the journal had
  Byte judged;     // while a start goes on: bit for each log found suspect
  Byte phase;
  Byte power_cuts, kills, failed_syncs, rots, slot_rots, foreign, misdirected, lost_journals, cuts,
      rebases, drops, trims;  // so far, bounded by `Bounds`
  Byte broken;
};

// The journal as a start finds it.
struct Reading {
  Byte counts = 0;      // bit for each place whose record counts
  Byte newest = 0;      // highest number among these
  Byte end = 0;         // highest number that was durable, as records, headers and floors show
  Byte missing = 0;     // highest number up to `end` without a record; 0: none
  Byte next_place = 0;  // where the next record goes
};

// Implements the model interface of explorer.h. It has no state of its own; all methods are const.
class Model {
 public:
  using State = journal::State;

  Model(Rules rules, Bounds bounds) : rules_(rules), bounds_(bounds) {}
  State initial() const;
  void name_members(State& state) const;
  void settle(State& state) const;
  void successors(const State& state, Steps<State>& steps) const;
  std::string_view broken(const State& state) const;
  bool arrived(const State& state) const;

 private:
  // Each method adds every possible step of its kind, for log `l` and place `at` of the ring.
  void open_file(const State& state, Steps<State>& steps) const;
  void begin_record(const State& state, int with, Steps<State>& steps) const;
  void end_record(const State& state, int at, Steps<State>& steps) const;
  void fail_record(const State& state, int at, Steps<State>& steps) const;
  void misdirect_record(const State& state, int at, Steps<State>& steps) const;
  void begin_direct(const State& state, int l, Steps<State>& steps) const;
  void begin_checkpoint(const State& state, int l, Steps<State>& steps) const;
  void end_sync(const State& state, int l, Steps<State>& steps) const;
  void begin_cut(const State& state, int l, int to, bool rebase, Steps<State>& steps) const;
  void drop(const State& state, int l, Steps<State>& steps) const;
  void trim(const State& state, int l, Steps<State>& steps) const;
  void refill(const State& state, int l, Steps<State>& steps) const;
  void begin_start(const State& state, Steps<State>& steps) const;
  void end_start(const State& state, Steps<State>& steps) const;
  void cut_power(const State& state, Steps<State>& steps) const;
  void kill(const State& state, Steps<State>& steps) const;
  void rot(const State& state, int at, Steps<State>& steps) const;
  void rot_slot(const State& state, int l, Steps<State>& steps) const;
  void place_foreign(const State& state, int at, Steps<State>& steps) const;
  void lose_journal(const State& state, Steps<State>& steps) const;

  // The predicates that guards use, and parts of steps.
  bool on(Part part) const { return rules_.on(part); }
  int ring() const { return files * bounds_.records_a_file; }
  int file_of(int at) const { return at / bounds_.records_a_file; }
  int segment_of(int place) const { return place / bounds_.places_a_segment; }
  int newest_segment(int names) const;
  int first_place(const Log& log) const;
  void remove_first_file(Log& log) const;
  int tail_of(const Log& log, const Value* bytes) const;
  Marks marks_of(const Log& log, int names) const;
  int durable_record(const State& state) const;
  int last_record(const State& state, int l) const;
  bool is_in_flight(const State& state, int l) const;
  bool has_bytes_to_sync(const State& state, int l) const;
  bool may_append(const State& state, int l) const;
  void append(Log& log) const;
  bool was_followed(const State& state, int number) const;
  Reading read_journal(const State& state) const;
  bool is_journal_lost(const State& state) const;
  void replay(State& state, const Reading& reading) const;
  void judge(State& state, const Reading& reading) const;
  void open_log(State& state, int l) const;
  void forget(State& state) const;
  void break_promise(State& state, Broken broken) const;
  std::string log_text(const State& state, int l) const;
  std::string record_text(const State& state, const Record& record) const;

  Rules rules_;
  Bounds bounds_;
};

}  // namespace loglog::model::journal
