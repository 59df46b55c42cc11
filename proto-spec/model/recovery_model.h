// Seal, choose a base, reconcile, order, acknowledge, commit: how a log passes from one leader to
// the next, under power losses, damaged disks and leaders that do not know yet that they are
// deposed.
//
// One place of a log holds one frame. Messages are not kept: a message that is late is a step that
// is taken late, and a leader that is deposed goes on for ever. What a step needs to know of the
// other side is what that side once said.
#pragma once

#include <string>
#include <string_view>

#include "proto-spec/model/bytes.h"
#include "proto-spec/model/explorer.h"
#include "proto-spec/model/rules.h"

namespace loglog::model::recovery {

inline constexpr int most_replicas = 4;  // three, and a newcomer where the replica set changes
inline constexpr int most_leaders = 4;
inline constexpr int most_places = 8;

struct Bounds {
  int write_quorum = 2;
  int leaders = 2;                           // the first one leads from the beginning
  int entries[most_leaders] = {1, 1, 1, 1};  // how many each of them may order
  bool one_step_writes = false;  // write, fdatasync and acknowledge as one step: a third of the
                                 // states, no power loss between
  int power_losses = 0, restarts = 0, failed_syncs = 0, bit_rots = 0, disk_losses = 0,
      replacements = 0, nodes_down = 0;
  bool set_changes = false;  // one change of the replica set, from {a, b, c} to {b, c, d}
  bool has_readers = true;  // replicas serve what they know as committed; else a loss is one when a
                            // leader commits over it
  bool count_copies = false;  // what is acknowledged must lie on W disks at once; else a loss is
                              // one when somebody sees it
  bool look_for_wedges = false;
};

// Everything is a byte, so that a state is its bytes. Places and leaders count from 0, terms and
// instances from 1.
using Frame = Byte;  // 0: nothing here; else which leader's it is, and 0 for its term start or the
                     // number of an entry

inline constexpr int frames_a_leader = 4;
constexpr Frame frame_of(int l, int entry) { return byte(1 + l * frames_a_leader + entry); }
constexpr int leader_of(Frame frame) { return (frame - 1) / frames_a_leader; }
constexpr int entry_of(Frame frame) { return (frame - 1) % frames_a_leader; }

struct Replica {
  Frame frames[most_places];
  Byte written;                     // end of what it has written
  Byte durable;                     // end of what it believes durable
  Byte medium;                      // end of what a power loss leaves
  Byte holes;                       // bit for each place whose bytes have gone bad
  Byte promise;                     // term
  Byte instance;                    // the leader that the promise is bound to
  Byte matched;                     // the leader that it is matched with; 0: none
  Byte committed;                   // it serves readers below
  Byte has_lost_data;               // DATA LOSS, and knows it
  Byte known_from;                  // the first leader that knows of its disk; 0: all do
  Byte newcomer;                    // its disk is not the member's yet (C1)
  Byte is_down;                     // for good
  Byte member_of;                   // bit for each replica set
  Byte answered;                    // bit for each leader that has its answer to the seal
  Byte acknowledged[most_leaders];  // the tail that each leader has heard of
  Byte cut_at[most_leaders];  // where a reconcile cut it, plus 1: what a repetition would do (kept
                              // only without S4.state)
  Byte name;                  // for stories alone: never compared
};

inline char name(const Replica& replica) {
  return static_cast<char>(replica.name == 0 ? '?' : replica.name);
}
int whole_length(const Replica& replica, int length);  // up to the first hole

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
  Frame truth[most_places];  // what has been acknowledged to producers, by whomever
  Byte truth_length;
  Byte begun;       // leaders so far
  Byte active_set;  // the replica set that is committed as active
  Byte power_losses, restarts, failed_syncs, bit_rots, disk_losses, replacements,
      nodes_down;    // so far
  Byte late_damage;  // a frame went bad after its replica had acknowledged it
  Byte broken;       // a promise that the last step broke
};

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
  // Each takes every step of its kind that is possible: one leader l, one replica n.
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
