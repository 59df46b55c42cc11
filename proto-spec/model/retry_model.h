// The retry model: how a producer learns the fate of its entries (spec/07). Commits are repeated
// and arrive late, leaders refuse, a new term is resolved by reading the log, trims remove entries,
// and callers give up.
//
// The results of the recovery model are taken as given, so no replicas appear. A term begins with a
// log that holds everything ever committed, and perhaps more that an older leader ordered; orders
// beyond this base are never committed. No message is lost for good: a lost message is a message
// that is very late.
#pragma once

#include <string>
#include <string_view>

#include "proto-spec/model/bytes.h"
#include "proto-spec/model/explorer.h"
#include "proto-spec/model/rules.h"

namespace loglog::model::retry {

inline constexpr int most_terms = 3;
inline constexpr int most_producers = 2;
inline constexpr int most_entries = 3;
inline constexpr int most_places = 8;
inline constexpr int most_messages = 4;

// How far the search goes. The counts in the line of `repeats` bound a whole run.
struct Bounds {
  int terms = 2;
  int producers = 1;
  int entries = 2;     // of each producer
  int run_length = 1;  // entries that are committed as a unit
  int in_flight = 2;   // runs of a producer that are sent and unsettled
  int messages = 3;    // commits on their way at a time
  int repeats = 1, refusals = 0, trims = 0, given_up = 0, failures = 0, forgotten = 0;
  bool look_for_wedges = false;
};

// 0: no frame. Bits 5 to 7 hold the term that placed the frame. Bit 4 is set if the frame's
// sequence number named another entry before (without A6.number). Bits 0 to 3 hold 0 for a term
// start, or else the entry's id.
using Frame = Byte;
constexpr Frame frame_of(int term, int id, bool reused = false) {
  return byte(term << 5 | (reused ? 16 : 0) | id);
}
constexpr int term_of(Frame frame) { return frame >> 5; }
constexpr bool is_reused(Frame frame) { return (frame & 16) != 0; }
constexpr int id_of(Frame frame) { return frame & 15; }
constexpr int id_of(int p, int e) { return 1 + p * most_entries + e; }
constexpr char name(int p) { return static_cast<char>('P' + p); }
std::string entry_text(int p, int e, bool reused);

// based: the base is chosen; open: the term start is committed (S7)
enum Phase : Byte { unborn, based, open };

// Value of `Entry::place` if the entry was committed and a trim has removed its offset (A5).
inline constexpr Byte trimmed_away = 255;
enum Broken : Byte { nothing, entry_lost, trimmed_unasked };

struct Leader {
  Frame frames[most_places];
  Byte phase;
  Byte length;
  Byte start;  // place of the term start
  Byte committed;
  Byte known;                 // bit for each producer with a record (A1)
  Byte next[most_producers];  // the sequence number, from 0, that the record expects next
};

// A commit on its way to a leader.
struct Commit {
  Byte term;  // 0: no message
  Byte producer;
  Byte first, count;
  Byte settled;  // A1: the producer knows the fate of so many entries, counted from the first
  Byte reused;   // the number named an older entry before (without A6.number)
};

// A6. `waiting`: not sent in this term; `unsettled`: sent and not answered; the others are final.
enum Fate : Byte { waiting, unsettled, committed, failed, unknown };

struct Entry {
  Byte fate;
  Byte place;  // the offset that the producer was told, plus 1; `trimmed_away` if a trim took it
  // A3: the committed offset that was known before the first commit since the last resolution
  Byte from;
  Byte sent;  // commits of the entry in this term: 0, 1, or 2 for two or more
  Byte reused;
};

struct Producer {
  Byte term;
  // The producer knows of a new term and commits nothing until it has read the log (A3).
  Byte resolving;
  Byte end;  // the range to read ends here, at the term start
  Entry entries[most_entries];
};

struct State {
  Leader leaders[most_terms];
  Commit messages[most_messages];
  Producer producers[most_producers];
  Frame truth[most_places];  // the committed log
  Byte truth_length;
  Byte first;                                                    // the log begins here after a trim
  Byte repeats, refusals, trims, given_up, failures, forgotten;  // so far, bounded by `Bounds`
  Byte broken;
};

// Implements the model interface of explorer.h. It has no state of its own; all methods are const.
class Model {
 public:
  using State = retry::State;

  Model(Rules rules, Bounds bounds) : rules_(rules), bounds_(bounds) {}
  State initial() const;
  void name_members(State&) const {}  // producers keep their names
  void settle(State& state) const;
  void successors(const State& state, Steps<State>& steps) const;
  std::string_view broken(const State& state) const;
  bool arrived(const State& state) const;

 private:
  // Each method adds every possible step of its kind, for leader `l`, producer `p`, entry `e` and
  // message `m`.
  void choose_base(const State& state, int l, Steps<State>& steps) const;
  void commit(const State& state, int l, Steps<State>& steps) const;
  void receive(const State& state, int m, int l, Steps<State>& steps) const;
  void forget(const State& state, int l, int p, Steps<State>& steps) const;
  void trim(const State& state, Steps<State>& steps) const;
  void send(const State& state, int p, int run, Steps<State>& steps) const;
  void hear_answer(const State& state, int p, int e, Steps<State>& steps) const;
  void hear_late_upload(const State& state, int p, int e, Steps<State>& steps) const;
  void give_up(const State& state, int p, int e, Steps<State>& steps) const;
  void reuse_number(const State& state, int p, int e, Steps<State>& steps) const;
  void hear_of_term(const State& state, int p, Steps<State>& steps) const;
  void resolve(const State& state, int p, int end, bool callers_wait, Steps<State>& steps) const;

  // The predicates that guards use.
  bool on(Part part) const { return rules_.on(part); }
  bool may_commit(const State& state, int l, int end) const;
  int settled(const Producer& producer) const;
  int find(const Frame* frames, int from, int end, int p, int e) const;
  std::string_view broken_for(const State& state, int p) const;
  std::string frame_text(Frame frame) const;
  std::string log_text(const Frame* frames, int length) const;
  std::string commit_text(const Commit& message) const;

  Rules rules_;
  Bounds bounds_;
};

}  // namespace loglog::model::retry
