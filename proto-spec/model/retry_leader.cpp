// The leaders' side of the retry model: a term begins, commits arrive and are judged (A1), logs are
// trimmed. Each guard names its rule. The producers' side is in retry_producer.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "proto-spec/model/retry_model.h"

namespace loglog::model::retry {

// A term's base holds all committed entries, and beyond them a part of a single older leader's
// orders. The recovery model has shown this.
void Model::choose_base(const State& state, int l, Steps<State>& steps) const {
  if (state.leaders[l].phase != unborn) return;
  for (int from = 0; from < l; ++from) {
    const Leader& older = state.leaders[from];
    if (older.phase == unborn || older.length < state.truth_length) continue;
    if (!std::equal(state.truth, state.truth + state.truth_length, older.frames)) continue;
    for (int length = state.truth_length; length <= older.length && length < most_places;
         ++length) {
      State next = state;
      Leader& leader = next.leaders[l];
      std::copy_n(older.frames, length, leader.frames);
      leader.phase = based;
      leader.start = byte(length);
      leader.frames[length] = frame_of(l + 1, 0);
      leader.length = byte(length + 1);
      steps.add(next, Kind::chance, [&] {
        return fmt::format("term {} begins: its base is {}, its term start goes to {}", l + 1,
                           log_text(leader.frames, length), length);
      });
    }
  }
}

// An older leader may still commit entries that the bases of all later leaders hold, because it
// hears of acknowledgements late.
bool Model::may_commit(const State& state, int l, int end) const {
  for (int later = l + 1; later < bounds_.terms; ++later) {
    const Leader& other = state.leaders[later];
    if (other.phase == unborn) continue;
    if (end > other.start ||
        !std::equal(state.leaders[l].frames, state.leaders[l].frames + end, other.frames))
      return false;
  }
  return true;
}

// A commit moves the end of the leader's committed log and adds to the truth.
void Model::commit(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase == unborn) return;
  for (int end = std::max(leader.committed, leader.start) + 1;
       end <= leader.length && may_commit(state, l, end); ++end) {
    State next = state;
    next.leaders[l].phase = open;
    next.leaders[l].committed = byte(end);
    for (int place = 0; place < end; ++place) {
      if (place < state.truth_length && state.truth[place] != leader.frames[place])
        next.broken = entry_lost;
      if (place >= state.truth_length && place < state.first) next.broken = trimmed_unasked;
      next.truth[place] = leader.frames[place];
    }
    next.truth_length = std::max(state.truth_length, byte(end));
    steps.add(next, Kind::prescribed,
              [&] { return fmt::format("L{} commits {}", l + 1, log_text(leader.frames, end)); });
  }
}

// A1: the leader judges a commit by the producer's record: takes it, recognises a repeat, or
// refuses it.
void Model::receive(const State& state, int m, int l, Steps<State>& steps) const {
  const Commit& message = state.messages[m];
  const Leader& leader = state.leaders[l];
  const int p = message.producer;
  if (message.term == 0 || leader.phase != open) return;  // S7: no appends before
  // A1: a commit of another term is not accepted.
  if (message.term != l + 1 && (on(Part::a1_term) || l + 1 < message.term)) return;
  // Equal messages have equal effects, so only the first is received.
  if (m > 0 && std::memcmp(&message, &state.messages[m - 1], sizeof(Commit)) == 0) return;
  const bool is_known = has(leader.known, p);
  // A1: the larger of its next number and settled + 1.
  const int expected =
      on(Part::a1_skip) ? std::max(leader.next[p], message.settled) : leader.next[p];
  bool take = false;
  std::string_view why;
  if (!is_known) {
    // A1: without a record, only the number settled + 1 is taken.
    take = message.first == message.settled || !on(Part::a1_first);
    why = take ? "has no record of it and begins one"
               : "refuses it: no record, and not the first unsettled entry";
  } else if (message.first == expected || (message.first > expected && !on(Part::a1_gap))) {
    take = true;
    why = "expects that number";
  } else if (message.first < expected) {
    take = !on(Part::a1_repeat);
    why = take ? "takes it once more" : "has taken it before, and does not order it again";
  } else {
    why = "refuses it: another number is expected";
  }
  const auto words = [&](std::string_view what) {
    return fmt::format("L{} receives {}: {}", l + 1, commit_text(message), what);
  };
  State next = state;
  next.messages[m] = {};
  if (!take) {
    steps.add(next, Kind::prescribed, [&] { return words(why); });
  } else if (leader.length + message.count <= most_places) {
    Leader& taking = next.leaders[l];
    taking.known |= bit(p);
    for (int i = 0; i < message.count; ++i)
      taking.frames[taking.length++] =
          frame_of(l + 1, id_of(p, message.first + i), message.reused != 0);
    taking.next[p] = byte(message.first + message.count);
    steps.add(next, Kind::prescribed,
              [&] { return words(fmt::format("{}; orders it at {}", why, leader.length)); });
  }
  if (!take || state.refusals >= bounds_.refusals) return;
  // The leader refuses a commit for any other reason, although it might take it. The producer may
  // conclude "failed" only if this commit was the entry's only commit in the term (A6).
  State refused = state;
  refused.messages[m] = {};
  refused.refusals++;
  Producer& producer = refused.producers[p];
  bool fails = producer.term == message.term && producer.resolving == 0;
  for (int i = 0; i < message.count; ++i) {
    const Entry& entry = producer.entries[message.first + i];
    if (entry.fate != unsettled || (entry.sent != 1 && on(Part::a6_refused))) fails = false;
  }
  for (int i = 0; fails && i < message.count; ++i)
    producer.entries[message.first + i].fate = failed;
  steps.add(refused, Kind::chance, [&] {
    return words(fails ? "refuses it, and its callers are told: failed"
                       : "refuses it; its entries stay unsettled");
  });
}

// Forbidden by A2: the leader forgets a producer within its term.
void Model::forget(const State& state, int l, int p, Steps<State>& steps) const {
  if (state.forgotten >= bounds_.forgotten || on(Part::a2) || !has(state.leaders[l].known, p))
    return;
  State next = state;
  next.forgotten++;
  next.leaders[l].known &= byte(~bit(p));
  next.leaders[l].next[p] = 0;
  steps.add(next, Kind::chance,
            [&] { return fmt::format("L{} forgets the producer {}", l + 1, name(p)); });
}

// R3: a trim goes no further than the committed offset. Without R3 it goes as far as a leader has
// ordered.
void Model::trim(const State& state, Steps<State>& steps) const {
  if (state.trims >= bounds_.trims) return;
  const auto trim_to = [&](int place, std::string_view by) {
    State next = state;
    next.trims++;
    next.first = byte(place);
    steps.add(next, Kind::chance,
              [&] { return fmt::format("the log is trimmed below {}{}", place, by); });
  };
  // R3: never past committed.
  for (int place = state.first + 1; place <= state.truth_length; ++place) trim_to(place, "");
  if (on(Part::r3)) return;
  for (int l = 0; l < bounds_.terms; ++l)
    if (state.leaders[l].phase == open && state.leaders[l].length > state.truth_length)
      trim_to(state.leaders[l].length, fmt::format(", where L{} has ordered", l + 1));
}

}  // namespace loglog::model::retry
