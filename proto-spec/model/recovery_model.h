// The recovery model: seal, choose a base, reconcile, order, acknowledge, commit (spec/04). It
// shows how a log passes from a leader to the next under power losses, damaged disks and deposed
// leaders that do not know yet that they are deposed.
//
// A place of a log holds a single frame. The model keeps no messages: a late message is a step that
// is taken late, and a deposed leader goes on for ever. If a step needs knowledge of the other
// side, it uses the last state that the other side reported. The steps are in recovery_protocol.cpp
// and recovery_faults.cpp, the promises in recovery_model.cpp.
#pragma once

#include <string>
#include <string_view>

#include "proto-spec/model/bytes.h"
#include "proto-spec/model/explorer.h"
#include "proto-spec/model/rules.h"

namespace loglog::model::recovery {

inline constexpr int most_replicas = 4;  // three, and a newcomer if the replica set changes
inline constexpr int most_leaders = 4;
inline constexpr int most_places = 8;

// How far the search goes. Each fault count is the most that a whole run may contain.
struct Bounds {
  int write_quorum = 2;
  int leaders = 2;                           // the first leader leads from the beginning
  int entries[most_leaders] = {1, 1, 1, 1};  // how many entries each leader may order
  // Write, fdatasync and acknowledge are a single step: a third of the states, but no power loss
  // between them.
  bool one_step_writes = false;
  int power_losses = 0, restarts = 0, failed_syncs = 0, bit_rots = 0, disk_losses = 0,
      replacements = 0, nodes_down = 0;
  bool set_changes = false;  // the replica set changes once, from {a, b, c} to {b, c, d}
  // Replicas serve readers up to their committed offset; if false, a loss shows only when a leader
  // commits over the lost entry.
  bool has_readers = true;
  // Acknowledged entries must lie on W disks at once; if false, a loss shows only when a client or
  // leader meets it.
  bool count_copies = false;
  bool look_for_wedges = false;
};

// Places and leaders count from 0, terms and instances from 1.
//
// 0: no frame; else the leader that ordered it, and 0 for its term start or the number of its entry
using Frame = Byte;

// A frame's code is 1 + leader * frames_a_leader + entry, so a leader orders 3 entries at most.
inline constexpr int frames_a_leader = 4;
constexpr Frame frame_of(int l, int entry) { return byte(1 + l * frames_a_leader + entry); }
constexpr int leader_of(Frame frame) { return (frame - 1) / frames_a_leader; }
constexpr int entry_of(Frame frame) { return (frame - 1) % frames_a_leader; }

// A replica of the log. Invariant: medium <= durable <= written, unless a removed rule breaks it.
struct Replica {
  Frame frames[most_places];
  Byte written;                     // end of the frames that it has written
  Byte durable;                     // end of the frames that it takes for durable
  Byte medium;                      // end of the frames that survive a power loss
  Byte holes;                       // bit for each place whose bytes are bad
  Byte promise;                     // the highest term that it has sealed (T3)
  Byte instance;                    // the leader that the promise is bound to
  Byte matched;                     // leader (from 1) that has reconciled it; 0: none
  Byte committed;                   // readers are served below this place
  Byte has_lost_data;               // DATA LOSS (T4): the replica knows it and counts as down
  Byte known_from;                  // the first leader that knows its disk; 0: every leader
  Byte newcomer;                    // its disk is not a member yet (C1)
  Byte is_down;                     // stays down for the rest of the run
  Byte member_of;                   // bit for each replica set
  Byte answered;                    // bit for each leader that has its answer to the seal (S2)
  Byte acknowledged[most_leaders];  // the tail that it has acknowledged to each leader (D4)
  // Place, plus 1, where a reconcile of each leader cut it, so that a repetition can be played;
  // kept only without S4.state.
  Byte cut_at[most_leaders];
  // The last field, because `settle` compares the bytes before it; used in stories alone.
  Byte name;
};

inline char name(const Replica& replica) {
  return static_cast<char>(replica.name == 0 ? '?' : replica.name);
}
// The length of the log up to its first hole, at most `length`.
int whole_length(const Replica& replica, int length);

// A promise that a step itself breaks; the other promises are judged from the state by `broken`.
enum Broken : Byte { nothing, entry_lost, known_cut, too_few_copies };

inline std::string leader_text(int l) { return "L" + std::to_string(l + 1); }

enum Phase : Byte { unborn, sealing, leading };

struct Leader {
  Frame frames[most_places];  // the best answer while sealing, the log of the term afterwards
  Byte phase;
  Byte length;
  Byte start;  // place of the term start
  Byte committed;
  Byte entries;
  Byte answers, suspects;
  Byte seals, serves;  // replica sets; they differ while the set is changed
  Byte has_activated;
};

struct State {
  Replica replicas[most_replicas];
  Leader leaders[most_leaders];
  // The frames that any leader has committed, and so acknowledged to producers.
  Frame truth[most_places];
  Byte truth_length;
  Byte begun;       // how many leaders have begun a term
  Byte active_set;  // the replica set that is committed as active
  Byte power_losses, restarts, failed_syncs, bit_rots, disk_losses, replacements,
      nodes_down;  // faults so far, bounded by `Bounds`
  // A frame went bad after its replica had acknowledged it: the copy count allows for it (C2).
  Byte late_damage;
  Byte broken;  // a promise that the last step broke
};

// Implements the model interface of explorer.h. It has no state of its own; all methods are const.
class Model {
 public:
  using State = recovery::State;

  Model(Rules rules, Bounds bounds) : rules_(rules), bounds_(bounds) {}
  State initial() const;
  void name_members(State& state) const;
  void settle(State& state) const;
  void successors(const State& state, Steps<State>& steps) const;
  std::string_view broken(const State& state) const;
  bool arrived(const State& state) const;

 private:
  // Each method adds every possible step of its kind, for leader `l` and replica `n`. The names of
  // the rules that guard a step stand in the definitions.
  void begin_term(const State& state, Steps<State>& steps) const;
  void seal(const State& state, int l, int n, Steps<State>& steps) const;
  void choose_base(const State& state, int l, Steps<State>& steps) const;
  void choose_again(const State& state, int l, Steps<State>& steps) const;
  void reconcile(const State& state, int l, int n, Steps<State>& steps) const;
  void reconcile_late(const State& state, int l, int n, Steps<State>& steps) const;
  void write_ordered(const State& state, int l, int n, Steps<State>& steps) const;
  void copy_from_anyone(const State& state, int l, int n, Steps<State>& steps) const;
  void fill_hole(const State& state, int l, int n, Steps<State>& steps) const;
  void finish_sync(const State& state, int n, Steps<State>& steps) const;
  void acknowledge(const State& state, int l, int n, Steps<State>& steps) const;
  void commit(const State& state, int l, Steps<State>& steps) const;
  void activate_set(const State& state, int l, Steps<State>& steps) const;
  void replace_disk(const State& state, int n, Steps<State>& steps) const;
  void take_in(const State& state, int l, int n, Steps<State>& steps) const;
  void spread_committed(const State& state, int l, int n, Steps<State>& steps) const;
  void order_entry(const State& state, int l, Steps<State>& steps) const;
  void lose_power(const State& state, int n, Steps<State>& steps) const;
  void restart_process(const State& state, int n, Steps<State>& steps) const;
  void fail_sync(const State& state, int n, Steps<State>& steps) const;
  void rot(const State& state, int n, Steps<State>& steps) const;
  void lose_disk(const State& state, int n, Steps<State>& steps) const;
  void go_down(const State& state, int n, Steps<State>& steps) const;

  // The predicates that guards use.
  bool on(Part part) const { return rules_.on(part); }
  int term_of(int l) const;
  int term_of_frame(Frame frame) const;
  int members() const;
  int seal_quorum() const;
  bool is_powerless(const State& state, int l) const;
  bool obeys(const Replica& replica, int l) const;
  bool may_act(const Replica& replica, int l) const;
  bool is_in_stream(const Replica& replica, int l) const;
  bool is_served(const State& state, int l, int n) const;
  bool has_payload(const State& state, int l, int place) const;
  int divergence(const Replica& replica, const Leader& leader) const;
  int tail_on_quorum(const State& state, int l, int set) const;
  void cut(State& state, int n, int place) const;
  void write_frame(State& state, int l, int n, Frame frame) const;
  void come_back(Replica& replica, int length) const;
  std::string frame_text(Frame frame) const;
  std::string log_text(const Frame* frames, int length, int holes = 0) const;

  Rules rules_;
  Bounds bounds_;
};

}  // namespace loglog::model::recovery
