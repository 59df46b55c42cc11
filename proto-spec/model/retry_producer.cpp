// The producers' side of the retry model: sending and repeating commits, hearing answers, giving
// up, and resolving in a new term. Each guard names its rule.
#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/model/retry_model.h"

namespace loglog::model::retry {

// Sends the run that begins at entry `run`, without the entries that are settled already. A
// resolving producer commits nothing (A3).
void Model::send(const State& state, int p, int run, Steps<State>& steps) const {
  const Producer& producer = state.producers[p];
  if (producer.resolving != 0) return;
  const int run_end = std::min(bounds_.entries, run + bounds_.run_length);
  int first = run;
  while (first < run_end && producer.entries[first].fate > unsettled) ++first;
  if (first == run_end) return;
  int end = first;
  while (end < run_end && producer.entries[end].fate == producer.entries[first].fate) ++end;
  const bool is_new = producer.entries[first].fate == waiting;
  int in_flight = 0;
  for (int e = 0; e < bounds_.entries; e += bounds_.run_length)
    in_flight += producer.entries[e].fate == unsettled ? 1 : 0;
  for (int e = 0; is_new && e < first; ++e)
    if (producer.entries[e].fate == waiting) return;  // runs leave in the order of their numbers
  if (is_new && in_flight >= bounds_.in_flight) return;
  const Commit message = {producer.term,
                          byte(p),
                          byte(first),
                          byte(end - first),
                          byte(settled(producer)),
                          producer.entries[first].reused};
  const auto carries = [&](const Commit& other) {
    return other.term == message.term && other.producer == message.producer &&
           first >= other.first && first < other.first + other.count;
  };
  const auto* messages_end = state.messages + bounds_.messages;
  auto* const space = std::find_if(state.messages, messages_end,
                                   [](const Commit& other) { return other.term == 0; });
  if (space == messages_end) return;
  // A commit that is neither on its way nor taken must be sent again, so that step is prescribed.
  // Any other repetition is chance and is bounded.
  const Leader& leader = state.leaders[producer.term - 1];
  const bool needed = std::none_of(state.messages, messages_end, carries) &&
                      find(leader.frames, leader.start, leader.length, p, first) < 0;
  if (!is_new && !needed && state.repeats >= bounds_.repeats) return;
  State next = state;
  next.messages[space - state.messages] = message;
  if (!is_new && !needed) next.repeats++;
  for (int e = first; e < end; ++e) {
    Entry& entry = next.producers[p].entries[e];
    // A3: the offset known as committed before the first commit.
    if (is_new) entry.from = state.truth_length;
    entry.fate = unsettled;
    entry.sent = byte(std::min(entry.sent + 1, 2));
  }
  steps.add(next, is_new || needed ? Kind::prescribed : Kind::chance, [&] {
    return fmt::format("{} sends {}{}{}", name(p), commit_text(message),
                       is_new ? "" : " again, over another connection",
                       is_new ? fmt::format("; it knows {} as committed", state.truth_length) : "");
  });
}

// Answers name the place of an entry; they may come from any leader that knows the producer, late
// or not.
void Model::hear_answer(const State& state, int p, int e, Steps<State>& steps) const {
  const Entry& entry = state.producers[p].entries[e];
  if (entry.fate > unsettled || (entry.fate == waiting && entry.reused != 0)) return;
  for (int l = 0; l < bounds_.terms; ++l) {
    const Leader& leader = state.leaders[l];
    if (leader.phase == unborn || !has(leader.known, p) || e >= leader.next[p]) continue;
    const int place = find(leader.frames, leader.start, leader.length, p, e);
    // A1: answered once the entry is committed.
    if (place < 0 || (place >= leader.committed && on(Part::a1_committed))) continue;
    State next = state;
    next.producers[p].entries[e].fate = committed;
    next.producers[p].entries[e].place = byte(place + 1);
    steps.add(next, Kind::prescribed, [&] {
      return fmt::format("{} hears from L{}: {} is committed at {}", name(p), l + 1,
                         entry_text(p, e, entry.reused != 0), place);
    });
  }
}

// Forbidden by A3: a late upload answer moves the start of the range to read.
void Model::hear_late_upload(const State& state, int p, int e, Steps<State>& steps) const {
  const Entry& entry = state.producers[p].entries[e];
  if (on(Part::a3_begin) || entry.fate != unsettled || entry.from >= state.truth_length) return;
  State next = state;
  next.producers[p].entries[e].from = state.truth_length;
  steps.add(next, Kind::chance, [&] {
    return fmt::format("an upload of {} is answered late, and its range begins at {} now",
                       entry_text(p, e, false), state.truth_length);
  });
}

// A6: the deadline passes while a commit is unresolved, so the outcome is unknown.
void Model::give_up(const State& state, int p, int e, Steps<State>& steps) const {
  if (state.given_up >= bounds_.given_up || state.producers[p].entries[e].fate != unsettled) return;
  State next = state;
  next.given_up++;
  next.producers[p].entries[e].fate = unknown;
  steps.add(next, Kind::chance, [&] {
    return fmt::format("the deadline of {} passes: outcome unknown", entry_text(p, e, false));
  });
}

// Forbidden by A6: the number of an entry that was given up names another entry.
void Model::reuse_number(const State& state, int p, int e, Steps<State>& steps) const {
  const Entry& entry = state.producers[p].entries[e];
  if (on(Part::a6_number) || entry.fate != unknown || entry.reused != 0) return;
  State next = state;
  next.producers[p].entries[e] = {};
  next.producers[p].entries[e].reused = 1;
  steps.add(next, Kind::chance, [&] {
    return fmt::format("the number of {} is given to another entry", entry_text(p, e, false));
  });
}

// The producer learns of a newer term and begins to resolve; the term start bounds its reading.
void Model::hear_of_term(const State& state, int p, Steps<State>& steps) const {
  for (int l = state.producers[p].term; l < bounds_.terms; ++l) {
    const Leader& leader = state.leaders[l];
    // S7: told only once the term start is committed.
    if (leader.phase == unborn || (leader.phase != open && on(Part::s7))) continue;
    State next = state;
    next.producers[p].term = byte(l + 1);
    next.producers[p].resolving = 1;
    next.producers[p].end = leader.start;
    steps.add(next, Kind::prescribed, [&] {
      return fmt::format("{} hears of term {}, whose term start is at {}{}", name(p), l + 1,
                         leader.start, leader.phase == open ? "" : " and not committed");
    });
  }
}

// A3 to A5: reads the log up to `end` and decides the fate of each unsettled entry. If an entry is
// absent and its caller still waits, the entry is sent again; if its caller has gone, the entry has
// failed.
void Model::resolve(const State& state, int p, int end, bool callers_wait,
                    Steps<State>& steps) const {
  const Producer& producer = state.producers[p];
  const auto is_open = [&](int e) { return producer.entries[e].fate == unsettled; };
  int place[most_entries];
  int last_found = -1, first_found = bounds_.entries;
  bool reads = false;
  for (int e = 0; e < bounds_.entries; ++e) {
    place[e] = -1;
    if (!is_open(e)) continue;
    reads = true;
    if (on(Part::a3_resolve))
      place[e] = find(state.truth, std::max(producer.entries[e].from, state.first), end, p, e);
    if (place[e] < 0) continue;
    last_found = e;
    first_found = std::min(first_found, e);
  }
  // The read waits until the log is committed so far.
  if (reads && end > state.truth_length) return;
  if (!reads && end != producer.end) return;
  State next = state;
  Producer& resolved = next.producers[p];
  bool any_failed = false;
  for (int e = 0; e < bounds_.entries; ++e) {
    if (!is_open(e)) continue;
    Entry& entry = resolved.entries[e];
    const int run = e - e % bounds_.run_length,
              run_end = std::min(run + bounds_.run_length, bounds_.entries);
    const bool is_readable = entry.from >= state.first || !on(Part::a5);
    const bool run_is_whole =
        std::all_of(place + run, place + run_end, [](int other) { return other >= 0; });
    const Fate absent = callers_wait ? waiting : failed;
    if (!on(Part::a4_found) && e > run && is_open(run) && place[run] >= 0) {
      entry = {committed, byte(place[run] + e - run + 1), 0, 0,
               entry.reused};  // forbidden by A4: found with its run
      // Forbidden by A4: absent with its run.
    } else if (!on(Part::a4_absent) && !run_is_whole) {
      entry.fate = absent;
    } else if (place[e] >= 0) {
      entry = {committed, byte(place[e] + 1), 0, 0, entry.reused};  // A4
    } else if (is_readable) {
      entry.fate = absent;  // A4: every place where it could stand was read
    } else if (e < last_found) {
      // A5: entries stand in order, so it was committed before the entry that was found.
      entry = {committed, trimmed_away, 0, 0, entry.reused};
    } else if (e > first_found) {
      entry.fate = absent;  // A5: its place would lie behind a place that was read
    } else {
      entry.fate = unknown;  // A5: its place may have been trimmed
    }
    any_failed = any_failed || entry.fate == failed;
  }
  if (!callers_wait && !any_failed) return;
  if (!callers_wait) next.failures++;
  resolved.resolving = resolved.end = 0;
  for (Entry& entry : resolved.entries) entry.sent = 0;
  steps.add(next, callers_wait ? Kind::prescribed : Kind::chance, [&] {
    std::string text = fmt::format("{} reads the log up to {}", name(p), end);
    static constexpr std::string_view fates[] = {"absent, to be sent again", "?", "found",
                                                 "absent, its caller is told: failed",
                                                 "outcome unknown"};
    for (int e = 0; e < bounds_.entries; ++e)
      if (is_open(e))
        text += fmt::format("; {} from {}: {}", entry_text(p, e, producer.entries[e].reused != 0),
                            producer.entries[e].from,
                            resolved.entries[e].place == trimmed_away
                                ? "committed and trimmed"
                                : fates[resolved.entries[e].fate]);
    return text;
  });
}

}  // namespace loglog::model::retry
