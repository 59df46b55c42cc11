// The steps of the recovery model. Each guard names the rule that it stands for.
#include "proto-spec/model/recovery_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace loglog::model::recovery {
namespace {

constexpr int frames_a_leader = 4;  // its term start and three entries

Frame frame_of(int l, int entry) { return static_cast<Frame>(1 + l * frames_a_leader + entry); }
int leader_of(Frame frame) { return (frame - 1) / frames_a_leader; }
int entry_of(Frame frame) { return (frame - 1) % frames_a_leader; }

Byte byte(int value) { return static_cast<Byte>(value); }
Byte bit(int value) { return byte(1 << value); }
bool has(int bits, int value) { return (bits >> value & 1) != 0; }
char name(const Replica& replica) { return static_cast<char>(replica.name == 0 ? '?' : replica.name); }
std::string leader_text(int l) { return fmt::format("L{}", l + 1); }

enum Broken : Byte { nothing, entry_lost, known_cut, too_few_copies };

int whole_length(const Replica& replica, int length) {
  return replica.holes == 0 ? length : std::min(length, std::countr_zero(static_cast<unsigned>(replica.holes)));
}

}  // namespace

// ---- The beginning: the first leader leads, its term start is committed on every replica.
State Model::initial() const {
  State state = {};
  // Nothing hangs on when a term is begun, but where that is chosen with care: so all of them are begun already.
  const bool at_choice = bounds_.look_for_wedges || bounds_.set_changes;
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

// Brings states together from which the same can happen: what nobody will ask for again is forgotten.
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
  std::sort(std::begin(state.replicas), std::end(state.replicas), [](const Replica& left, const Replica& right) {
    return std::memcmp(&left, &right, sizeof(Replica) - 1) > 0;  // all but the name, which is last
  });
}

// ---- What the guards ask
int Model::term_of(int l) const { return !on(Part::t1) && l > 1 ? l : l + 1; }  // without T1, L2 and L3 use one term
int Model::term_of_frame(Frame frame) const { return term_of(leader_of(frame)); }
int Model::members() const { return 3; }
int Model::seal_quorum() const { return members() - bounds_.write_quorum + 1 - (on(Part::s2_quorum) ? 0 : 1); }

// T1: the promise is of this term and bound to this leader.
bool Model::obeys(const Replica& replica, int l) const {
  return replica.promise == term_of(l) && (replica.instance == l + 1 || !on(Part::t1));
}

// Nobody hears the leader any more, and too few acknowledgements are on their way to it for another commit.
bool Model::is_powerless(const State& state, int l) const {
  for (const Part part : {Part::t1, Part::t3_durable, Part::t3_every_command, Part::t3_order, Part::t4_disk, Part::t4_promise, Part::s1,
                          Part::s3_once, Part::s4_state, Part::r2})
    if (!on(part)) return false;  // without these, a leader may find another one to hear it
  const auto helps = [&](const Replica& replica) { return replica.acknowledged[l] > state.leaders[l].committed; };
  const auto hears = [&](const Replica& replica) { return replica.member_of != 0 && may_act(replica, l); };
  return std::none_of(std::begin(state.replicas), std::end(state.replicas), hears) &&
         std::count_if(std::begin(state.replicas), std::end(state.replicas), helps) < bounds_.write_quorum;
}

// T3, T4: a replica hears a leader whose term is not below its promise, unless it has lost data.
bool Model::may_act(const Replica& replica, int l) const {
  return replica.is_down == 0 && replica.has_lost_data == 0 && (replica.promise < term_of(l) || obeys(replica, l));
}

bool Model::is_in_stream(const Replica& replica, int l) const {
  return replica.matched == l + 1 && (obeys(replica, l) || !on(Part::t3_order));
}

// While the set changes, the members of both are in the stream (C1).
bool Model::is_served(const State& state, int l, int n) const {
  const int sets = state.replicas[n].member_of;
  return has(sets, state.leaders[l].serves) || has(sets, state.leaders[l].seals);
}

// What the term itself has ordered comes from producers. Older frames come from replicas that are matched in it (S5).
bool Model::has_payload(const State& state, int l, int place) const {
  if (place >= state.leaders[l].start) return true;
  return std::any_of(std::begin(state.replicas), std::end(state.replicas), [&](const Replica& peer) {
    return peer.is_down == 0 && peer.matched == l + 1 && obeys(peer, l) && peer.written > place && !has(peer.holes, place);
  });
}

// S4: two logs are equal up to where their newest common term ends in the shorter.
int Model::divergence(const Replica& replica, const Leader& leader) const {
  for (int at = std::min(replica.written, leader.length); at > 0; --at)
    if (term_of_frame(replica.frames[at - 1]) == term_of_frame(leader.frames[at - 1])) return at;
  return 0;
}

int Model::tail_on_quorum(const State& state, int l, int set) const {
  int tails[most_replicas] = {};
  for (int n = 0; n < most_replicas; ++n)
    if (has(state.replicas[n].member_of, set)) tails[n] = state.replicas[n].acknowledged[l];
  std::sort(std::begin(tails), std::end(tails), std::greater<>());
  return std::min<int>(tails[bounds_.write_quorum - 1], state.leaders[l].length);
}

// ---- What steps do to a replica
void Model::cut(State& state, int n, int place) const {
  Replica& replica = state.replicas[n];
  if (place < std::min(replica.committed, replica.written)) state.broken = known_cut;
  for (int at = place; at < most_places; ++at) replica.frames[at] = 0;
  replica.written = std::min(replica.written, byte(place));
  replica.durable = std::min(replica.durable, replica.written);
  replica.medium = std::min(replica.medium, replica.written);
  replica.committed = std::min(replica.committed, replica.written);
  replica.holes &= byte((1 << place) - 1);
}

void Model::write_frame(State& state, int l, int n, Frame frame) const {
  Replica& replica = state.replicas[n];
  replica.frames[replica.written++] = frame;
  if (!bounds_.one_step_writes) return;
  replica.durable = replica.medium = replica.written;
  if (replica.holes == 0) replica.acknowledged[l] = std::max(replica.acknowledged[l], replica.written);
}

// K1: whatever ended the process, it comes back with what the disk holds, and matched with nobody.
void Model::come_back(Replica& replica, int length) const {
  for (int at = length; at < most_places; ++at) replica.frames[at] = 0;
  replica.written = replica.durable = replica.medium = byte(length);
  replica.holes &= byte((1 << length) - 1);
  replica.matched = replica.committed = 0;
}

// ---- Terms
void Model::begin_term(const State& state, Steps<State>& steps) const {
  if (state.begun >= bounds_.leaders) return;
  const int l = state.begun;
  // S8: a recovery that stands still is given up for a new term. Elections for other reasons are chance.
  const Kind kind = on(Part::s8) ? Kind::prescribed : Kind::chance;
  const auto begin = [&](int seals, int serves, std::string_view how) {
    State next = state;
    next.begun++;
    next.leaders[l].phase = sealing;
    next.leaders[l].seals = byte(seals);
    next.leaders[l].serves = byte(serves);
    steps.add(next, kind, [&] { return fmt::format("{} begins term {}{}", leader_text(l), term_of(l), how); });
  };
  begin(state.active_set, state.active_set, "");
  if (bounds_.set_changes && state.active_set == 0) begin(0, 1, ", to change the replica set to {b, c, d}");
  if (!on(Part::t2) && state.active_set == 1) begin(0, 0, ", not knowing that the replica set is {b, c, d} now");
}

void Model::seal(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != sealing || has(replica.answered, l) || !has(replica.member_of, leader.seals) || !may_act(replica, l)) return;
  State next = state;
  Replica& sealed = next.replicas[n];
  Leader& asking = next.leaders[l];
  if (on(Part::s1)) sealed.durable = sealed.medium = sealed.written;  // S1: what is in flight ends before the state is told
  if (on(Part::s1) && on(Part::t3_order)) sealed.matched = 0;         // S1, T3: and no order of a lower term is taken any more
  sealed.promise = byte(term_of(l));
  sealed.instance = byte(l + 1);
  sealed.answered |= bit(l);
  const int told = whole_length(sealed, sealed.durable);  // K4: what lies behind a hole proves nothing
  if (!on(Part::s6_tails)) sealed.acknowledged[l] = byte(told);
  asking.answers++;
  if (sealed.holes != 0) asking.suspects++;
  // S3: the highest (term of the last frame, length) of the answers so far.
  const int term = told == 0 ? 0 : term_of_frame(sealed.frames[told - 1]);
  const int best = asking.length == 0 ? 0 : term_of_frame(asking.frames[asking.length - 1]);
  const bool is_newer = on(Part::s3_highest) && term != best ? term > best : told > asking.length;
  if (is_newer) {
    std::fill(std::begin(asking.frames), std::end(asking.frames), Frame{0});
    std::copy_n(sealed.frames, told, asking.frames);
    asking.length = byte(told);
  }
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} seals {} for term {}: it tells {}{}{}", leader_text(l), name(replica), term_of(l),
                       log_text(sealed.frames, told), replica.holes != 0 ? ", and that it is suspect" : "",
                       sealed.written > sealed.durable ? ", while a write beyond it is still in flight" : "");
  });
}

void Model::choose_base(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase != sealing || leader.length >= most_places || leader.answers == 0) return;
  const int doubtful = on(Part::s2_suspects) ? std::min<int>(leader.suspects, 1) : 0;
  if (leader.answers - doubtful < seal_quorum()) return;  // S2
  State next = state;
  Leader& chosen = next.leaders[l];
  chosen.phase = leading;
  chosen.start = leader.length;
  chosen.frames[chosen.length++] = frame_of(l, 0);
  chosen.answers = chosen.suspects = 0;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} chooses the base {} and places its term start at {}", leader_text(l), log_text(leader.frames, leader.length),
                       leader.length);
  });
}

// What S3 forbids: other members answer later, and the leader takes their best log in the same term.
void Model::choose_again(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (on(Part::s3_once) || leader.phase != leading || leader.committed > 0) return;
  State next = state;
  Leader& again = next.leaders[l];
  again = {};
  again.phase = sealing;
  again.seals = leader.seals;
  again.serves = leader.serves;
  for (Replica& replica : next.replicas) replica.answered &= byte(~bit(l));
  steps.add(next, Kind::chance, [&] { return fmt::format("{} asks for states once more, in the same term", leader_text(l)); });
}

void Model::reconcile(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != leading || !is_served(state, l, n)) return;
  if (!may_act(replica, l) || (replica.matched == l + 1 && obeys(replica, l))) return;
  int place = divergence(replica, leader);
  if (!on(Part::s4_committed)) place = std::min<int>(place, replica.committed);
  if (!on(Part::s4_divergence)) place = replica.written;
  State next = state;
  Replica& matched = next.replicas[n];
  if (!on(Part::s4_state) && place < replica.written) matched.cut_at[l] = byte(place + 1);
  cut(next, n, place);
  matched.promise = byte(term_of(l));
  matched.instance = matched.matched = byte(l + 1);
  if (on(Part::k1)) matched.medium = matched.written;  // the cut is durable before a new byte (S4), with all that is before it
  matched.durable = matched.written;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} reconciles {}: {} becomes {}", leader_text(l), name(replica),
                       log_text(replica.frames, replica.written, replica.holes), log_text(matched.frames, matched.written, matched.holes));
  });
}

// What T3 and S4 forbid: a reconcile that was made for a state of long ago is carried out now.
void Model::reconcile_late(const State& state, int l, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.leaders[l].phase != leading || replica.is_down != 0 || replica.has_lost_data != 0) return;
  const auto carry_out = [&](int place, std::string_view how) {
    State next = state;
    cut(next, n, place);
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{} carries out {} reconcile of {} (term {}): {} becomes {}", name(replica), how, leader_text(l), term_of(l),
                         log_text(replica.frames, replica.written), log_text(next.replicas[n].frames, next.replicas[n].written));
    });
  };
  if (!on(Part::t3_every_command) && replica.promise > term_of(l)) {
    const int place = divergence(replica, state.leaders[l]);
    if (place < replica.written) carry_out(place, "a late");
  }
  if (!on(Part::s4_state) && replica.cut_at[l] != 0 && obeys(replica, l) && replica.written >= replica.cut_at[l])
    carry_out(replica.cut_at[l] - 1, "a repeated");
}

// ---- The data path
void Model::write_ordered(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != leading || replica.is_down != 0 || replica.has_lost_data != 0) return;
  if (!is_in_stream(replica, l) || replica.written >= most_places) return;
  for (int place = 0; place < leader.length; ++place) {
    // D2: the order names the end of the frame before it, and that is this replica's tail.
    if (place != replica.written && (on(Part::d2) || place < leader.start)) continue;
    if (!has_payload(state, l, place)) continue;
    State next = state;
    write_frame(next, l, n, leader.frames[place]);
    steps.add(next, Kind::prescribed, [&] {
      return fmt::format("{} writes {} at {} by order of {}{}", name(replica), frame_text(leader.frames[place]), replica.written,
                         leader_text(l), bounds_.one_step_writes ? ", durably, and acknowledges it" : "");
    });
  }
}

// What S5 forbids: the bytes of a base come from a peer that nobody has compared with it.
void Model::copy_from_anyone(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  const int place = replica.written;
  if (on(Part::s5) || leader.phase != leading || !is_in_stream(replica, l) || place >= leader.start) return;
  for (const Replica& peer : state.replicas) {
    if (peer.written <= place || peer.frames[place] == leader.frames[place]) continue;
    State next = state;
    write_frame(next, l, n, peer.frames[place]);
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{}, which {} has told to copy {}, copies {} from {}", name(replica), leader_text(l), place,
                         frame_text(peer.frames[place]), name(peer));
    });
  }
}

// K4: a hole is filled from peers that are matched in the term.
void Model::fill_hole(const State& state, int l, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (replica.holes == 0 || replica.is_down != 0 || state.leaders[l].phase != leading || !is_in_stream(replica, l)) return;
  const int place = std::countr_zero(static_cast<unsigned>(replica.holes));
  if (place >= state.leaders[l].length || !has_payload(state, l, place)) return;
  State next = state;
  next.replicas[n].frames[place] = state.leaders[l].frames[place];
  next.replicas[n].holes &= byte(~bit(place));
  steps.add(next, Kind::prescribed, [&] { return fmt::format("{} fills its hole at {} from a peer", name(replica), place); });
}

void Model::finish_sync(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (replica.durable == replica.written) return;
  State next = state;
  next.replicas[n].durable = next.replicas[n].medium = replica.written;
  steps.add(next, Kind::prescribed, [&] { return fmt::format("{} ends an fdatasync: durable up to {}", name(replica), replica.written); });
}

void Model::acknowledge(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != leading || replica.is_down != 0 || replica.has_lost_data != 0 || replica.matched != l + 1) return;
  // D4: the term is checked again at the moment of sending. Without S1, nobody looks.
  if (!obeys(replica, l) && on(Part::s1) && on(Part::t3_order)) return;
  if (replica.holes != 0 && on(Part::k4_count)) return;  // K4
  const int tail = on(Part::d4) ? replica.durable : replica.written;
  if (tail <= replica.acknowledged[l] || tail <= leader.committed || tail > leader.length) return;
  State next = state;
  next.replicas[n].acknowledged[l] = byte(tail);
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} acknowledges {} to {}{}", name(replica), tail, leader_text(l),
                       replica.promise > term_of(l) ? fmt::format(", although it has promised term {}", replica.promise) : "");
  });
}

void Model::commit(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase != leading || (leader.seals != leader.serves && leader.has_activated == 0)) return;
  const int end = tail_on_quorum(state, l, leader.serves);
  // S6: the last frame that counts is of this term.
  if (end <= leader.committed || (end <= leader.start && on(Part::s6_term))) return;
  State next = state;
  next.leaders[l].committed = byte(end);
  for (int place = 0; place < end; ++place) {
    if (place < state.truth_length && state.truth[place] != leader.frames[place]) next.broken = entry_lost;
    if (place >= state.truth_length) next.truth[place] = leader.frames[place];
  }
  next.truth_length = std::max(state.truth_length, byte(end));
  // C2: what is acknowledged lies on W disks, but for those lost or damaged since.
  const auto copies = std::count_if(std::begin(state.replicas), std::end(state.replicas), [&](const Replica& replica) {
    return replica.medium >= end && whole_length(replica, end) == end && std::equal(leader.frames, leader.frames + end, replica.frames);
  });
  if (bounds_.count_copies && next.broken == nothing && copies + state.disk_losses + state.late_damage < bounds_.write_quorum) next.broken = too_few_copies;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} commits {} and answers the producers", leader_text(l), log_text(leader.frames, end));
  });
}

// C1: the new set is active once the term start is durable on W of both sets; only the newest leader can commit that.
void Model::activate_set(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase != leading || leader.seals == leader.serves || leader.has_activated != 0 || l + 1 != state.begun) return;
  for (const int set : {leader.seals, leader.serves})
    if (tail_on_quorum(state, l, set) <= leader.start) return;
  State next = state;
  next.leaders[l].has_activated = 1;
  next.active_set = leader.serves;
  steps.add(next, Kind::prescribed, [&] { return fmt::format("the replica set {{b, c, d}} of {} is committed as active", leader_text(l)); });
}

void Model::spread_committed(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (!bounds_.has_readers || leader.phase != leading || !may_act(replica, l)) return;
  if (on(Part::d5) && !(replica.matched == l + 1 && obeys(replica, l))) return;  // D5: only in a term that it is matched in
  const Byte end = std::min(leader.committed, replica.written);
  if (end <= replica.committed) return;
  State next = state;
  next.replicas[n].committed = end;
  steps.add(next, Kind::prescribed,
            [&] { return fmt::format("{} hears from {} that {} is committed, and serves readers below {}", name(replica), leader_text(l), leader.committed, end); });
}

void Model::order_entry(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase != leading || leader.committed <= leader.start) return;  // S7: no appends before the term start is committed
  if (leader.entries >= bounds_.entries[l]) return;
  const auto order = [&](int place) {
    State next = state;
    Leader& ordering = next.leaders[l];
    ordering.frames[place] = frame_of(l, ++ordering.entries);
    ordering.length = byte(place + 1);
    steps.add(next, Kind::chance,
              [&] { return fmt::format("{} orders {} at {}", leader_text(l), frame_text(ordering.frames[place]), place); });
  };
  if (leader.length < most_places) order(leader.length);
  if (!on(Part::d1) && leader.length - 1 > leader.start && leader.committed < leader.length) order(leader.length - 1);
}

// ---- Faults
void Model::lose_power(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.power_losses >= bounds_.power_losses || replica.is_down != 0) return;
  for (int length = replica.medium; length <= replica.written; ++length) {
    State next = state;
    Replica& back = next.replicas[n];
    next.power_losses++;
    come_back(back, length);
    if (!on(Part::t3_durable)) back.promise = back.instance = 0;
    if (!on(Part::k3)) {
      come_back(back, whole_length(back, length));
    } else if (!on(Part::k4_skip) && back.holes != 0) {
      const int hole = std::countr_zero(static_cast<unsigned>(back.holes));
      std::copy(back.frames + hole + 1, back.frames + length, back.frames + hole);
      back.holes = 0;
      come_back(back, length - 1);
    }
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{} loses power and comes back with {}{}", name(replica), log_text(back.frames, back.written, back.holes),
                         back.promise == 0 ? ", its promise forgotten" : "");
    });
  }
}

void Model::restart_process(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.restarts >= bounds_.restarts || replica.is_down != 0) return;
  State next = state;
  next.restarts++;
  come_back(next.replicas[n], replica.written);
  if (!on(Part::k1)) next.replicas[n].medium = replica.medium;  // it reads what only the page cache holds
  steps.add(next, Kind::chance, [&] {
    return fmt::format("{} is killed and starts again with {}{}", name(replica), log_text(replica.frames, replica.written),
                       on(Part::k1) ? "" : ", as the page cache shows it");
  });
}

void Model::fail_sync(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.failed_syncs >= bounds_.failed_syncs || replica.durable == replica.written) return;
  State next = state;
  next.failed_syncs++;
  if (on(Part::k2)) {
    come_back(next.replicas[n], replica.medium);  // the kernel has dropped the pages: the medium's tail is the tail
  } else {
    next.replicas[n].durable = replica.written;
  }
  steps.add(next, Kind::chance, [&] {
    return fmt::format("an fdatasync of {} fails and the pages are lost{}", name(replica),
                       on(Part::k2) ? "; it ends and starts again" : "; the next one succeeds, and it believes itself durable");
  });
}

void Model::rot(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.bit_rots >= bounds_.bit_rots || replica.is_down != 0) return;
  for (int place = 0; place < replica.medium; ++place) {
    if (has(replica.holes, place)) continue;
    State next = state;
    next.bit_rots++;
    next.replicas[n].holes |= bit(place);
    for (int l = 0; l < state.begun; ++l)
      if (std::max(replica.acknowledged[l], state.leaders[l].committed) > place) next.late_damage = 1;
    steps.add(next, Kind::chance, [&] { return fmt::format("a bit rots in {} of {}", frame_text(replica.frames[place]), name(replica)); });
  }
}

void Model::lose_disk(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.disk_losses >= bounds_.disk_losses || replica.is_down != 0 || replica.has_lost_data != 0) return;
  const auto lose = [&](auto&& change, std::string_view how) {
    State next = state;
    next.disk_losses++;
    change(next.replicas[n]);
    steps.add(next, Kind::chance, [&] { return fmt::format("{} {}", name(replica), how); });
  };
  const auto empty = [&](Replica& lost) { come_back(lost, 0); };
  lose(
      [&](Replica& lost) {
        empty(lost);
        lost.promise = lost.instance = 0;
        lost.has_lost_data = on(Part::t4_disk);  // T4: another disk identity is another member
      },
      "gets a new disk and comes back empty under its old id");
  lose(
      [&](Replica& lost) {
        come_back(lost, lost.medium);
        lost.promise = lost.instance = 0;
        lost.has_lost_data = on(Part::t4_promise);  // T4: an unreadable promise is DATA LOSS
      },
      "comes back with its log, but cannot read its promise");
  if (!on(Part::t5)) lose(empty, "finds no word of the log in an old copy of the metadata, and deletes it");
}

void Model::go_down(const State& state, int n, Steps<State>& steps) const {
  if (state.nodes_down >= bounds_.nodes_down || state.replicas[n].is_down != 0) return;
  State next = state;
  next.nodes_down++;
  next.replicas[n].is_down = 1;
  steps.add(next, Kind::chance, [&] { return fmt::format("{} goes down for good", name(state.replicas[n])); });
}

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
    go_down(state, n, steps);
  }
}

// ---- The promises
std::string_view Model::broken(const State& state) const {
  if (state.broken == entry_lost) return "an acknowledged entry is lost: another stands in its place";
  if (state.broken == known_cut) return "a log is cut below what it has served as committed";
  if (state.broken == too_few_copies) return "what is acknowledged does not lie on W disks";
  for (const Replica& replica : state.replicas) {
    for (int place = 0; place < std::min(replica.committed, replica.written); ++place) {
      if (has(replica.holes, place)) continue;  // the checksum tells the reader
      if (place >= state.truth_length) return "a reader sees what is not committed";
      if (replica.frames[place] != state.truth[place]) return "a reader sees another entry than the acknowledged one";
    }
  }
  for (int l = 0; l < state.begun; ++l) {
    const Leader& leader = state.leaders[l];
    if (leader.phase != leading || leader.committed <= leader.start || state.truth_length <= leader.committed) continue;
    const auto confirming = std::count_if(std::begin(state.replicas), std::end(state.replicas), [&](const Replica& replica) {
      return has(replica.member_of, leader.serves) && replica.is_down == 0 && replica.has_lost_data == 0 && obeys(replica, l);
    });
    const int needed = std::max(bounds_.write_quorum, members() - bounds_.write_quorum + 1);
    if (!on(Part::r2) || confirming >= needed) return "a tail is told that lies before an acknowledged entry";
  }
  return {};
}

// The newest leader's log is open, or there are no more terms to begin.
bool Model::arrived(const State& state) const {
  const Leader& newest = state.leaders[state.begun - 1];
  return state.begun == bounds_.leaders || (newest.phase == leading && newest.committed > newest.start);
}

// ---- Words
std::string Model::frame_text(Frame frame) const {
  const int l = leader_of(frame), entry = entry_of(frame);
  const std::string of = fmt::format("{}{}", term_of(l), !on(Part::t1) && l == 2 ? "'" : "");
  return entry == 0 ? fmt::format("start{}", of) : fmt::format("e{}.{}", of, entry);
}

std::string Model::log_text(const Frame* frames, int length, int holes) const {
  std::string text = "[";
  for (int place = 0; place < length; ++place)
    text += fmt::format("{}{}", place == 0 ? "" : " ", has(holes, place) ? "####" : frame_text(frames[place]));
  return text + "]";
}

}  // namespace loglog::model::recovery
