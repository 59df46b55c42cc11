// The steps of leaders and replicas in the recovery model, and the forbidden steps that appear when
// a rule is removed. Each guard names its rule. Faults are in recovery_faults.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "proto-spec/model/recovery_model.h"

namespace loglog::model::recovery {

// ---- How steps change a replica
// Shortens a log to `place`. A cut below the committed offset that readers were served breaks a
// promise.
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

// Appends a frame. In one-step settings the frame is durable and acknowledged at once.
void Model::write_frame(State& state, int l, int n, Frame frame) const {
  Replica& replica = state.replicas[n];
  replica.frames[replica.written++] = frame;
  if (!bounds_.one_step_writes) return;
  replica.durable = replica.medium = replica.written;
  if (replica.holes == 0)
    replica.acknowledged[l] = std::max(replica.acknowledged[l], replica.written);
}

// K1: after its process ends for any reason, a replica comes back with its disk's content and
// matched with no leader.
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
  // S8: the leader gives up a recovery that stands still and begins a new term. Without S8 a new
  // term is an election for other reasons, which is chance.
  const Kind kind = on(Part::s8) ? Kind::prescribed : Kind::chance;
  const auto begin = [&](int seals, int serves, std::string_view how) {
    State next = state;
    next.begun++;
    next.leaders[l].phase = sealing;
    next.leaders[l].seals = byte(seals);
    next.leaders[l].serves = byte(serves);
    steps.add(next, kind,
              [&] { return fmt::format("{} begins term {}{}", leader_text(l), term_of(l), how); });
  };
  begin(state.active_set, state.active_set, "");
  if (bounds_.set_changes && state.active_set == 0)
    begin(0, 1, ", to change the replica set to {b, c, d}");
  if (!on(Part::t2) && state.active_set == 1)
    begin(0, 0, ", not knowing that the replica set is {b, c, d} now");
}

// S1 to S3: the leader seals a replica and takes its state into account at once. The best answer so
// far becomes the candidate base.
void Model::seal(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != sealing || has(replica.answered, l) ||
      !has(replica.member_of, leader.seals) || !may_act(replica, l))
    return;
  if (replica.newcomer != 0 && on(Part::c1_seal)) return;
  State next = state;
  Replica& sealed = next.replicas[n];
  Leader& asking = next.leaders[l];
  if (on(Part::s1))
    // S1: the write in flight ends before the state is told.
    sealed.durable = sealed.medium = sealed.written;
  // S1, T3: the replica takes no more orders of a lower term.
  if (on(Part::s1) && on(Part::t3_order)) sealed.matched = 0;
  sealed.promise = byte(term_of(l));
  sealed.instance = byte(l + 1);
  sealed.answered |= bit(l);
  // K4: frames behind a hole prove nothing.
  const int told = whole_length(sealed, sealed.durable);
  if (!on(Part::s6_tails)) sealed.acknowledged[l] = byte(told);
  asking.answers++;
  if (sealed.holes != 0) asking.suspects++;
  // S3: the best answer has the highest (term of the last frame, length).
  const int term = told == 0 ? 0 : term_of_frame(sealed.frames[told - 1]);
  const int best = asking.length == 0 ? 0 : term_of_frame(asking.frames[asking.length - 1]);
  const bool is_newer = on(Part::s3_highest) && term != best ? term > best : told > asking.length;
  if (is_newer) {
    std::fill(std::begin(asking.frames), std::end(asking.frames), Frame{0});
    std::copy_n(sealed.frames, told, asking.frames);
    asking.length = byte(told);
  }
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format(
        "{} seals {} for term {}: it tells {}{}{}", leader_text(l), name(replica), term_of(l),
        log_text(sealed.frames, told), replica.holes != 0 ? ", and that it is suspect" : "",
        sealed.written > sealed.durable ? ", while a write beyond it is still in flight" : "");
  });
}

// S2, S3: enough answers are there; the best of them is the base for the whole term. A suspect
// answer reduces the count by a single answer, however many are suspect.
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
    return fmt::format("{} chooses the base {} and places its term start at {}", leader_text(l),
                       log_text(leader.frames, leader.length), leader.length);
  });
}

// Forbidden by S3: members answer later, and the leader takes their best log as a second base in
// the same term.
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
  steps.add(next, Kind::chance, [&] {
    return fmt::format("{} asks for states once more, in the same term", leader_text(l));
  });
}

// S4: the leader cuts the replica where the logs part, and the replica enters the stream.
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
  // S4: the cut is durable before a new byte, with all bytes before it.
  if (on(Part::k1)) matched.medium = matched.written;
  matched.durable = matched.written;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} reconciles {}: {} becomes {}", leader_text(l), name(replica),
                       log_text(replica.frames, replica.written, replica.holes),
                       log_text(matched.frames, matched.written, matched.holes));
  });
}

// Forbidden by T3 and S4: a reconcile that was made for an earlier state is carried out now.
void Model::reconcile_late(const State& state, int l, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.leaders[l].phase != leading || replica.is_down != 0 || replica.has_lost_data != 0)
    return;
  const auto carry_out = [&](int place, std::string_view how) {
    State next = state;
    cut(next, n, place);
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{} carries out {} reconcile of {} (term {}): {} becomes {}",
                         name(replica), how, leader_text(l), term_of(l),
                         log_text(replica.frames, replica.written),
                         log_text(next.replicas[n].frames, next.replicas[n].written));
    });
  };
  if (!on(Part::t3_every_command) && replica.promise > term_of(l)) {
    const int place = divergence(replica, state.leaders[l]);
    if (place < replica.written) carry_out(place, "a late");
  }
  if (!on(Part::s4_state) && replica.cut_at[l] != 0 && obeys(replica, l) &&
      replica.written >= replica.cut_at[l])
    carry_out(replica.cut_at[l] - 1, "a repeated");
}

// ---- The data path
// Orders come from the leader, payloads from producers or matched peers.
void Model::write_ordered(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != leading || replica.is_down != 0 || replica.has_lost_data != 0) return;
  if (!is_in_stream(replica, l) || replica.written >= most_places) return;
  for (int place = 0; place < leader.length; ++place) {
    // D2: the order names the end of the frame before it, and a replica accepts it only at its own
    // tail.
    if (place != replica.written && (on(Part::d2) || place < leader.start)) continue;
    if (!has_payload(state, l, place)) continue;
    State next = state;
    write_frame(next, l, n, leader.frames[place]);
    steps.add(next, Kind::prescribed, [&] {
      return fmt::format("{} writes {} at {} by order of {}{}", name(replica),
                         frame_text(leader.frames[place]), replica.written, leader_text(l),
                         bounds_.one_step_writes ? ", durably, and acknowledges it" : "");
    });
  }
}

// Forbidden by S5: the replica copies from a peer that no leader has compared with the base.
void Model::copy_from_anyone(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  const int place = replica.written;
  if (on(Part::s5) || leader.phase != leading || !is_in_stream(replica, l) || place >= leader.start)
    return;
  for (const Replica& peer : state.replicas) {
    if (peer.written <= place || peer.frames[place] == leader.frames[place]) continue;
    State next = state;
    write_frame(next, l, n, peer.frames[place]);
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{}, which {} has told to copy {}, copies {} from {}", name(replica),
                         leader_text(l), place, frame_text(peer.frames[place]), name(peer));
    });
  }
}

// K4: the replica fills a hole from peers that are matched in the term.
void Model::fill_hole(const State& state, int l, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (replica.holes == 0 || replica.is_down != 0 || state.leaders[l].phase != leading ||
      !is_in_stream(replica, l))
    return;
  const int place = std::countr_zero(static_cast<unsigned>(replica.holes));
  if (place >= state.leaders[l].length || !has_payload(state, l, place)) return;
  State next = state;
  next.replicas[n].frames[place] = state.leaders[l].frames[place];
  next.replicas[n].holes &= byte(~bit(place));
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} fills its hole at {} from a peer", name(replica), place);
  });
}

// The frames become durable without an acknowledgement; `acknowledge` is a later step.
void Model::finish_sync(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (replica.durable == replica.written) return;
  State next = state;
  next.replicas[n].durable = next.replicas[n].medium = replica.written;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} ends an fdatasync: durable up to {}", name(replica), replica.written);
  });
}

// D4: the replica acknowledges durable frames alone, to a leader that it obeys.
void Model::acknowledge(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (leader.phase != leading || replica.is_down != 0 || replica.has_lost_data != 0 ||
      replica.matched != l + 1)
    return;
  // D4: the term is checked again at the moment of sending. Without S1 this check is missing too.
  if (!obeys(replica, l) && on(Part::s1) && on(Part::t3_order)) return;
  // K4: a replica with a hole acknowledges nothing.
  if (replica.holes != 0 && on(Part::k4_count)) return;
  const int tail = on(Part::d4) ? replica.durable : replica.written;
  if (tail <= replica.acknowledged[l] || tail <= leader.committed || tail > leader.length) return;
  State next = state;
  next.replicas[n].acknowledged[l] = byte(tail);
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} acknowledges {} to {}{}", name(replica), tail, leader_text(l),
                       replica.promise > term_of(l)
                           ? fmt::format(", although it has promised term {}", replica.promise)
                           : "");
  });
}

// S6: the leader counts acknowledged tails and moves its committed offset. The producers are
// answered in the same step, so the committed frames become the truth.
void Model::commit(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase != leading || (leader.seals != leader.serves && leader.has_activated == 0))
    return;
  const int end = tail_on_quorum(state, l, leader.serves);
  // S6: the last frame that counts is a frame of this term.
  if (end <= leader.committed || (end <= leader.start && on(Part::s6_term))) return;
  State next = state;
  next.leaders[l].committed = byte(end);
  for (int place = 0; place < end; ++place) {
    if (place < state.truth_length && state.truth[place] != leader.frames[place])
      next.broken = entry_lost;
    if (place >= state.truth_length) next.truth[place] = leader.frames[place];
  }
  next.truth_length = std::max(state.truth_length, byte(end));
  // C2: acknowledged entries lie on W disks, except for disks lost or damaged since.
  const auto copies = std::count_if(
      std::begin(state.replicas), std::end(state.replicas), [&](const Replica& replica) {
        return replica.medium >= end && whole_length(replica, end) == end &&
               std::equal(leader.frames, leader.frames + end, replica.frames);
      });
  if (bounds_.count_copies && next.broken == nothing &&
      copies + state.disk_losses + state.late_damage < bounds_.write_quorum)
    next.broken = too_few_copies;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} commits {} and answers the producers", leader_text(l),
                       log_text(leader.frames, end));
  });
}

// C1: the new set becomes active once the term start is durable on W members of both sets. Only the
// newest leader can commit that.
void Model::activate_set(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase != leading || leader.seals == leader.serves || leader.has_activated != 0 ||
      l + 1 != state.begun)
    return;
  for (const int set : {leader.seals, leader.serves})
    if (tail_on_quorum(state, l, set) <= leader.start) return;
  State next = state;
  next.leaders[l].has_activated = 1;
  next.active_set = leader.serves;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("the replica set {{b, c, d}} of {} is committed as active", leader_text(l));
  });
}

// C1: an operator has an empty disk take the place of a replica's lost disk. A new term begins with
// it, and this and all later terms know the new disk.
void Model::replace_disk(const State& state, int n, Steps<State>& steps) const {
  if (state.replacements >= bounds_.replacements || state.replicas[n].has_lost_data == 0 ||
      state.begun >= bounds_.leaders)
    return;
  State next = state;
  next.replacements++;
  Replica& fresh = next.replicas[n];
  come_back(fresh, 0);
  fresh.promise = fresh.instance = fresh.has_lost_data = 0;
  if (on(Part::c1_term)) {
    fresh.newcomer = 1;
    fresh.known_from = byte(++next.begun);
    Leader& leader = next.leaders[next.begun - 1];
    leader.phase = sealing;
    leader.seals = leader.serves = state.active_set;
  }
  steps.add(next, Kind::chance, [&] {
    return fmt::format(
        "an empty disk takes the place of the one that {} has lost{}", name(state.replicas[n]),
        on(Part::c1_term)
            ? fmt::format(", and {} begins term {}", leader_text(state.begun), term_of(state.begun))
            : "");
  });
}

// C1: the new disk becomes a member once a term that knows it is open and the disk has joined that
// term. The command may be applied late.
void Model::take_in(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (replica.newcomer == 0 || l + 1 < replica.known_from || leader.phase != leading ||
      leader.committed <= leader.start)
    return;
  if (replica.instance < replica.known_from) return;  // the disk has joined no term yet
  State next = state;
  next.replicas[n].newcomer = 0;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} makes the new disk of {} a member", leader_text(l), name(replica));
  });
}

// D5: a replica serves readers below the committed offset that it was told, but never beyond its
// own tail.
void Model::spread_committed(const State& state, int l, int n, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  const Replica& replica = state.replicas[n];
  if (!bounds_.has_readers || leader.phase != leading || !may_act(replica, l)) return;
  // D5: only in a term in which it is matched.
  if (on(Part::d5) && !(replica.matched == l + 1 && obeys(replica, l))) return;
  const Byte end = std::min(leader.committed, replica.written);
  if (end <= replica.committed) return;
  State next = state;
  next.replicas[n].committed = end;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} hears from {} that {} is committed, and serves readers below {}",
                       name(replica), leader_text(l), leader.committed, end);
  });
}

// A producer appends: the leader orders an entry at its end. Without D1 it may order another entry
// at its last, uncommitted place.
void Model::order_entry(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  // S7: no appends before the term start is committed.
  if (leader.phase != leading || leader.committed <= leader.start) return;
  if (leader.entries >= bounds_.entries[l]) return;
  const auto order = [&](int place) {
    State next = state;
    Leader& ordering = next.leaders[l];
    ordering.frames[place] = frame_of(l, ++ordering.entries);
    ordering.length = byte(place + 1);
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{} orders {} at {}", leader_text(l), frame_text(ordering.frames[place]),
                         place);
    });
  };
  if (leader.length < most_places) order(leader.length);
  if (!on(Part::d1) && leader.length - 1 > leader.start && leader.committed < leader.length)
    order(leader.length - 1);
}

}  // namespace loglog::model::recovery
