// How a producer learns what became of its entries: commits that are repeated and arrive late,
// refusals, resolution in a new term by reading the log, trims, callers that give up.
//
// What the recovery model has shown is taken as given here, so no replicas appear: a term begins
// with a log that holds all that was ever committed, and perhaps more of what an older leader has
// ordered; what an older leader has ordered beyond that is never committed. A message is never lost
// for good; one that nobody ever receives is one that is very late.
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

struct Bounds {
  int terms = 2;
  int producers = 1;
  int entries = 2;     // of each producer
  int run_length = 1;  // entries that are committed as a unit
  int in_flight = 2;   // runs of a producer that are sent and unsettled
  int messages = 3;    // commits on their way
  int repeats = 1, refusals = 0, trims = 0, given_up = 0, failures = 0, forgotten = 0;
  bool look_for_wedges = false;
};

// 0: nothing here; else the term that placed it in the upper bits, then a bit for "its number was
// another entry's before", then 0 for a term start or the entry's id.
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

enum Phase : Byte { unborn, based, open };  // open: the term start is committed

inline constexpr Byte trimmed_away = 255;
enum Broken : Byte { nothing, entry_lost, trimmed_unasked };

struct Leader {
  Frame frames[most_places];
  Byte phase;
  Byte length;
  Byte start;  // place of the term start
  Byte committed;
  Byte known;                 // bit for each producer with a record
  Byte next[most_producers];  // the sequence number (from 0) that the record expects
};

struct Commit {
  Byte term;  // 0: no message
  Byte producer;
  Byte first, count;
  Byte settled;  // how many entries, from the first on, the producer knows the fate of
  Byte reused;   // the entry has the number of an older one (without A6.number)
};

enum Fate : Byte { waiting, unsettled, committed, failed, unknown };

struct Entry {
  Byte fate;
  Byte place;  // where it was said to be committed, plus 1; trimmed_away: somewhere below the first
               // offset
  Byte from;   // the committed offset known before its first commit since the last resolution
  Byte sent;   // commits of it in this term: 0, 1, 2 for more
  Byte reused;
};

struct Producer {
  Byte term;
  Byte resolving;  // has heard of a new term, and commits nothing before it has read the log
  Byte end;        // of the range to read: the term start
  Entry entries[most_entries];
};

struct State {
  Leader leaders[most_terms];
  Commit messages[most_messages];
  Producer producers[most_producers];
  Frame truth[most_places];  // the committed log
  Byte truth_length;
  Byte first;                                                    // the log begins here after a trim
  Byte repeats, refusals, trims, given_up, failures, forgotten;  // so far
  Byte broken;
};

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
