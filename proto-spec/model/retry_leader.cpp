// What leaders do with commits, and how a term begins. Each guard names the rule that it stands
// for.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "proto-spec/model/retry_model.h"

namespace loglog::model::retry {

// The base holds all that is committed, and beyond that some of what one older leader has ordered.
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

// An older leader may still commit what the bases of all later ones hold; it hears of
// acknowledgements late.
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

void Model::receive(const State& state, int m, int l, Steps<State>& steps) const {
  const Commit& message = state.messages[m];
  const Leader& leader = state.leaders[l];
  const int p = message.producer;
  if (message.term == 0 || leader.phase != open) return;  // S7: no appends before
  if (message.term != l + 1 && (on(Part::a1_term) || l + 1 < message.term))
    return;  // A1: of this term alone
  if (m > 0 && std::memcmp(&message, &state.messages[m - 1], sizeof(Commit)) == 0)
    return;  // the same as the one before
  const bool is_known = has(leader.known, p);
  const int expected = on(Part::a1_skip) ? std::max(leader.next[p], message.settled)
                                         : leader.next[p];  // A1: max(next, s + 1)
  bool take = false;
  std::string_view why;
  if (!is_known) {
    take = message.first == message.settled ||
           !on(Part::a1_first);  // A1: without a record, first = s + 1 alone
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
  // A refusal for another reason. It means failed only if this commit was the entry's only one in
  // the term (A6).
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

// What A2 forbids.
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

void Model::trim(const State& state, Steps<State>& steps) const {
  if (state.trims >= bounds_.trims) return;
  const auto trim_to = [&](int place, std::string_view by) {
    State next = state;
    next.trims++;
    next.first = byte(place);
    steps.add(next, Kind::chance,
              [&] { return fmt::format("the log is trimmed below {}{}", place, by); });
  };
  for (int place = state.first + 1; place <= state.truth_length; ++place)
    trim_to(place, "");  // R3: never past committed
  if (on(Part::r3)) return;
  for (int l = 0; l < bounds_.terms; ++l)
    if (state.leaders[l].phase == open && state.leaders[l].length > state.truth_length)
      trim_to(state.leaders[l].length, fmt::format(", where L{} has ordered", l + 1));
}

}  // namespace loglog::model::retry
