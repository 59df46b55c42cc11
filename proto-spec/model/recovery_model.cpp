// The common part of the recovery model: the initial state, the reduction of equal states
// (`settle`), the predicates that guards use, and the promises (`broken`).
#include "proto-spec/model/recovery_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace loglog::model::recovery {

// Bytes behind a hole prove nothing (K4), so tails are told only up to it.
int whole_length(const Replica& replica, int length) {
  return replica.holes == 0
             ? length
             : std::min(length, std::countr_zero(static_cast<unsigned>(replica.holes)));
}

// ---- The beginning: the first leader leads, and its term start is committed on every replica.
State Model::initial() const {
  State state = {};
  // The moment at which a term begins matters only in these settings. Elsewhere all terms begin at
  // once, which saves states and excludes no history.
  const bool at_choice = bounds_.look_for_wedges || bounds_.set_changes || bounds_.replacements > 0;
  state.begun = byte(at_choice ? 1 : bounds_.leaders);
  for (int l = 1; l < state.begun; ++l) state.leaders[l].phase = sealing;
  Leader& leader = state.leaders[0];
  leader.phase = leading;
  leader.frames[0] = state.truth[0] = frame_of(0, 0);
  leader.length = leader.committed = state.truth_length = 1;
  for (int n = 0; n < most_replicas; ++n) {
    Replica& replica = state.replicas[n];
    if (n < 3) replica.member_of |= bit(0);
    if (bounds_.set_changes && n > 0) replica.member_of |= bit(1);
    if (n == 3) continue;
    replica.frames[0] = frame_of(0, 0);
    replica.written = replica.durable = replica.medium = 1;
    replica.promise = replica.instance = replica.matched = replica.acknowledged[0] = 1;
  }
  return state;
}

void Model::name_members(State& state) const {
  for (int n = 0; n < most_replicas; ++n) state.replicas[n].name = byte('a' + n);
}

// Joins states that have the same futures, by forgetting values that no step reads any more. Then
// the replicas are sorted, because the model treats them alike.
void Model::settle(State& state) const {
  for (int l = 0; l < state.begun; ++l) {
    Leader& leader = state.leaders[l];
    for (Replica& replica : state.replicas) {
      if (replica.acknowledged[l] <= leader.committed) replica.acknowledged[l] = 0;
      if (leader.phase == leading && on(Part::s3_once)) replica.answered &= byte(~bit(l));
    }
    if (!is_powerless(state, l)) continue;
    leader = {};
    for (Replica& replica : state.replicas) {
      replica.acknowledged[l] = 0;
      replica.answered &= byte(~bit(l));
    }
  }
  std::sort(std::begin(state.replicas), std::end(state.replicas),
            [](const Replica& left, const Replica& right) {
              // All fields except the name, which is last.
              return std::memcmp(&left, &right, sizeof(Replica) - 1) > 0;
            });
}

// ---- The predicates that guards use
// Without T1, L2 and L3 use the same term.
int Model::term_of(int l) const { return !on(Part::t1) && l > 1 ? l : l + 1; }
int Model::term_of_frame(Frame frame) const { return term_of(leader_of(frame)); }
// A replica set has three members at any time; `d` takes the place of `a` when the set changes.
int Model::members() const { return 3; }
// S2: N - W + 1 answers meet every write quorum. Without S2.quorum the leader accepts an answer
// fewer.
int Model::seal_quorum() const {
  return members() - bounds_.write_quorum + 1 - (on(Part::s2_quorum) ? 0 : 1);
}

// T1: the promise is for the leader's term and bound to this leader.
bool Model::obeys(const Replica& replica, int l) const {
  return replica.promise == term_of(l) && (replica.instance == l + 1 || !on(Part::t1));
}

// True if no replica hears the leader any more, and too few acknowledgements are on their way for
// another commit. `settle` then forgets the leader.
bool Model::is_powerless(const State& state, int l) const {
  for (const Part part :
       {Part::t1, Part::t3_durable, Part::t3_every_command, Part::t3_order, Part::t4_disk,
        Part::t4_promise, Part::s1, Part::s3_once, Part::s4_state, Part::c1_term, Part::r2})
    // Without these parts, a leader may yet find another replica that hears it.
    if (!on(part)) return false;
  const auto helps = [&](const Replica& replica) {
    return replica.acknowledged[l] > state.leaders[l].committed;
  };
  const auto hears = [&](const Replica& replica) {
    return replica.member_of != 0 && may_act(replica, l);
  };
  return std::none_of(std::begin(state.replicas), std::end(state.replicas), hears) &&
         std::count_if(std::begin(state.replicas), std::end(state.replicas), helps) <
             bounds_.write_quorum;
}

// T3, T4: a replica hears a leader if the leader's term is not below the replica's promise and the
// leader knows its disk. A replica that has lost data hears none.
bool Model::may_act(const Replica& replica, int l) const {
  return replica.is_down == 0 && replica.has_lost_data == 0 && l + 1 >= replica.known_from &&
         (replica.promise < term_of(l) || obeys(replica, l));
}

// D2, T3: the replica takes this leader's orders.
bool Model::is_in_stream(const Replica& replica, int l) const {
  return replica.matched == l + 1 && (obeys(replica, l) || !on(Part::t3_order));
}

// While the set changes, the members of both sets are in the stream (C1).
bool Model::is_served(const State& state, int l, int n) const {
  const int sets = state.replicas[n].member_of;
  return has(sets, state.leaders[l].serves) || has(sets, state.leaders[l].seals);
}

// S5: producers bring the frames that the term itself has ordered. Older frames come only from
// replicas that are matched in the term.
bool Model::has_payload(const State& state, int l, int place) const {
  if (place >= state.leaders[l].start) return true;
  return std::any_of(std::begin(state.replicas), std::end(state.replicas),
                     [&](const Replica& peer) {
                       return peer.is_down == 0 && peer.matched == l + 1 && obeys(peer, l) &&
                              peer.written > place && !has(peer.holes, place);
                     });
}

// S4: two logs are equal up to where their newest common term ends in the shorter log. Returns that
// place.
int Model::divergence(const Replica& replica, const Leader& leader) const {
  for (int at = std::min(replica.written, leader.length); at > 0; --at)
    if (term_of_frame(replica.frames[at - 1]) == term_of_frame(leader.frames[at - 1])) return at;
  return 0;
}

// S6: the W-th largest acknowledged tail of the set, but never beyond the leader's own log.
int Model::tail_on_quorum(const State& state, int l, int set) const {
  int tails[most_replicas] = {};
  for (int n = 0; n < most_replicas; ++n)
    if (has(state.replicas[n].member_of, set)) tails[n] = state.replicas[n].acknowledged[l];
  std::sort(std::begin(tails), std::end(tails), std::greater<>());
  return std::min<int>(tails[bounds_.write_quorum - 1], state.leaders[l].length);
}

// Lists every step of every actor. The order matters to stories alone.
void Model::successors(const State& state, Steps<State>& steps) const {
  begin_term(state, steps);
  for (int l = 0; l < state.begun; ++l) {
    choose_base(state, l, steps);
    choose_again(state, l, steps);
    order_entry(state, l, steps);
    commit(state, l, steps);
    activate_set(state, l, steps);
    for (int n = 0; n < most_replicas; ++n) {
      if (state.replicas[n].member_of == 0) continue;
      seal(state, l, n, steps);
      reconcile(state, l, n, steps);
      reconcile_late(state, l, n, steps);
      write_ordered(state, l, n, steps);
      copy_from_anyone(state, l, n, steps);
      fill_hole(state, l, n, steps);
      acknowledge(state, l, n, steps);
      take_in(state, l, n, steps);
      spread_committed(state, l, n, steps);
    }
  }
  for (int n = 0; n < most_replicas; ++n) {
    if (state.replicas[n].member_of == 0) continue;
    finish_sync(state, n, steps);
    lose_power(state, n, steps);
    restart_process(state, n, steps);
    fail_sync(state, n, steps);
    rot(state, n, steps);
    lose_disk(state, n, steps);
    replace_disk(state, n, steps);
    go_down(state, n, steps);
  }
}

// ---- The promises
// Judges a state. A wedge is not judged here but by the explorer.
std::string_view Model::broken(const State& state) const {
  if (state.broken == entry_lost)
    return "an acknowledged entry is lost: another stands in its place";
  if (state.broken == known_cut) return "a log is cut below what it has served as committed";
  if (state.broken == too_few_copies) return "what is acknowledged does not lie on W disks";
  for (const Replica& replica : state.replicas) {
    for (int place = 0; place < std::min(replica.committed, replica.written); ++place) {
      if (has(replica.holes, place)) continue;  // the reader notices a bad frame by its checksum
      if (place >= state.truth_length) return "a reader sees what is not committed";
      if (replica.frames[place] != state.truth[place])
        return "a reader sees another entry than the acknowledged one";
    }
  }
  // R2: a deposed leader that can still confirm its term must not answer with a tail below the
  // truth.
  for (int l = 0; l < state.begun; ++l) {
    const Leader& leader = state.leaders[l];
    if (leader.phase != leading || leader.committed <= leader.start ||
        state.truth_length <= leader.committed)
      continue;
    const auto confirming = std::count_if(
        std::begin(state.replicas), std::end(state.replicas), [&](const Replica& replica) {
          return has(replica.member_of, leader.serves) && replica.is_down == 0 &&
                 replica.has_lost_data == 0 && obeys(replica, l);
        });
    const int needed = std::max(bounds_.write_quorum, members() - bounds_.write_quorum + 1);
    if (!on(Part::r2) || confirming >= needed)
      return "a tail is told that lies before an acknowledged entry";
  }
  return {};
}

// Progress for the wedge search: the newest leader's log is open, or no more terms may begin.
bool Model::arrived(const State& state) const {
  const Leader& newest = state.leaders[state.begun - 1];
  return state.begun == bounds_.leaders ||
         (newest.phase == leading && newest.committed > newest.start);
}

// ---- Texts for stories
std::string Model::frame_text(Frame frame) const {
  const int l = leader_of(frame), entry = entry_of(frame);
  const std::string of = fmt::format("{}{}", term_of(l), !on(Part::t1) && l == 2 ? "'" : "");
  return entry == 0 ? fmt::format("start{}", of) : fmt::format("e{}.{}", of, entry);
}

std::string Model::log_text(const Frame* frames, int length, int holes) const {
  std::string text = "[";
  for (int place = 0; place < length; ++place)
    text += fmt::format("{}{}", place == 0 ? "" : " ",
                        has(holes, place) ? "####" : frame_text(frames[place]));
  return text + "]";
}

}  // namespace loglog::model::recovery
