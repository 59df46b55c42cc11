// The steps of the retry model. Each guard names the rule that it stands for.
#include "proto-spec/model/retry_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace loglog::model::retry {
namespace {

constexpr Byte trimmed_away = 255;

// A frame: term in the upper bits, then "its number was another entry's before", then 0 for a term start or the entry.
Frame frame_of(int term, int entry_id, bool reused = false) { return static_cast<Frame>(term << 5 | (reused ? 16 : 0) | entry_id); }
int term_of(Frame frame) { return frame >> 5; }
bool is_reused(Frame frame) { return (frame & 16) != 0; }
int id_of(Frame frame) { return frame & 15; }
int id_of(int p, int e) { return 1 + p * most_entries + e; }

Byte byte(int value) { return static_cast<Byte>(value); }
Byte bit(int value) { return byte(1 << value); }
bool has(int bits, int value) { return (bits >> value & 1) != 0; }
char name(int p) { return static_cast<char>('P' + p); }
std::string entry_text(int p, int e, bool reused) { return fmt::format("{}{}{}", name(p), e + 1, reused ? "'" : ""); }

enum Broken : Byte { nothing, entry_lost, trimmed_unasked };

}  // namespace

State Model::initial() const {
  State state = {};
  Leader& leader = state.leaders[0];
  leader.phase = open;
  leader.frames[0] = state.truth[0] = frame_of(1, 0);
  leader.length = leader.committed = state.truth_length = 1;
  for (int p = 0; p < bounds_.producers; ++p) state.producers[p].term = 1;
  return state;
}

// The order of messages on their way means nothing, and of an entry whose fate is known only the fate and the place do.
void Model::settle(State& state) const {
  std::sort(std::begin(state.messages), std::end(state.messages),
            [](const Commit& left, const Commit& right) { return std::memcmp(&left, &right, sizeof(Commit)) > 0; });
  for (Producer& producer : state.producers)
    for (Entry& entry : producer.entries)
      if (entry.fate != unsettled) entry.from = entry.sent = 0;
}

int Model::settled(const Producer& producer) const {
  int count = 0;
  while (count < bounds_.entries && producer.entries[count].fate > unsettled) ++count;
  return count;
}

int Model::find(const Frame* frames, int from, int end, int p, int e) const {
  for (int place = from; place < end; ++place)
    if (id_of(frames[place]) == id_of(p, e)) return place;
  return -1;
}

// ---- Leaders
// The base holds all that is committed, and beyond that some of what one older leader has ordered.
void Model::choose_base(const State& state, int l, Steps<State>& steps) const {
  if (state.leaders[l].phase != unborn) return;
  for (int from = 0; from < l; ++from) {
    const Leader& older = state.leaders[from];
    if (older.phase == unborn || older.length < state.truth_length) continue;
    if (!std::equal(state.truth, state.truth + state.truth_length, older.frames)) continue;
    for (int length = state.truth_length; length <= older.length && length < most_places; ++length) {
      State next = state;
      Leader& leader = next.leaders[l];
      std::copy_n(older.frames, length, leader.frames);
      leader.phase = based;
      leader.start = byte(length);
      leader.frames[length] = frame_of(l + 1, 0);
      leader.length = byte(length + 1);
      steps.add(next, Kind::chance, [&] {
        return fmt::format("term {} begins: its base is {}, its term start goes to {}", l + 1, log_text(leader.frames, length), length);
      });
    }
  }
}

// An older leader may still commit what the bases of all later ones hold; it hears of acknowledgements late.
bool Model::may_commit(const State& state, int l, int end) const {
  for (int later = l + 1; later < bounds_.terms; ++later) {
    const Leader& other = state.leaders[later];
    if (other.phase == unborn) continue;
    if (end > other.start || !std::equal(state.leaders[l].frames, state.leaders[l].frames + end, other.frames)) return false;
  }
  return true;
}

void Model::commit(const State& state, int l, Steps<State>& steps) const {
  const Leader& leader = state.leaders[l];
  if (leader.phase == unborn) return;
  for (int end = std::max(leader.committed, leader.start) + 1; end <= leader.length && may_commit(state, l, end); ++end) {
    State next = state;
    next.leaders[l].phase = open;
    next.leaders[l].committed = byte(end);
    for (int place = 0; place < end; ++place) {
      if (place < state.truth_length && state.truth[place] != leader.frames[place]) next.broken = entry_lost;
      if (place >= state.truth_length && place < state.first) next.broken = trimmed_unasked;
      next.truth[place] = leader.frames[place];
    }
    next.truth_length = std::max(state.truth_length, byte(end));
    steps.add(next, Kind::prescribed, [&] { return fmt::format("L{} commits {}", l + 1, log_text(leader.frames, end)); });
  }
}

void Model::receive(const State& state, int m, int l, Steps<State>& steps) const {
  const Commit& message = state.messages[m];
  const Leader& leader = state.leaders[l];
  const int p = message.producer;
  if (message.term == 0 || leader.phase != open) return;                                              // S7: no appends before
  if (message.term != l + 1 && (on(Part::a1_term) || l + 1 < message.term)) return;                   // A1: of this term alone
  if (m > 0 && std::memcmp(&message, &state.messages[m - 1], sizeof(Commit)) == 0) return;            // the same as the one before
  const bool is_known = has(leader.known, p);
  const int expected = on(Part::a1_skip) ? std::max(leader.next[p], message.settled) : leader.next[p];  // A1: max(next, s + 1)
  bool take = false;
  std::string_view why;
  if (!is_known) {
    take = message.first == message.settled || !on(Part::a1_first);  // A1: without a record, first = s + 1 alone
    why = take ? "has no record of it and begins one" : "refuses it: no record, and not the first unsettled entry";
  } else if (message.first == expected || (message.first > expected && !on(Part::a1_gap))) {
    take = true;
    why = "expects that number";
  } else if (message.first < expected) {
    take = !on(Part::a1_repeat);
    why = take ? "takes it once more" : "has taken it before, and does not order it again";
  } else {
    why = "refuses it: another number is expected";
  }
  const auto words = [&](std::string_view what) { return fmt::format("L{} receives {}: {}", l + 1, commit_text(message), what); };
  State next = state;
  next.messages[m] = {};
  if (!take) {
    steps.add(next, Kind::prescribed, [&] { return words(why); });
  } else if (leader.length + message.count <= most_places) {
    Leader& taking = next.leaders[l];
    taking.known |= bit(p);
    for (int i = 0; i < message.count; ++i)
      taking.frames[taking.length++] = frame_of(l + 1, id_of(p, message.first + i), message.reused != 0);
    taking.next[p] = byte(message.first + message.count);
    steps.add(next, Kind::prescribed, [&] { return words(fmt::format("{}; orders it at {}", why, leader.length)); });
  }
  if (!take || state.refusals >= bounds_.refusals) return;
  // A refusal for another reason. It means failed only if this commit was the entry's only one in the term (A6).
  State refused = state;
  refused.messages[m] = {};
  refused.refusals++;
  Producer& producer = refused.producers[p];
  bool fails = producer.term == message.term && producer.resolving == 0;
  for (int i = 0; i < message.count; ++i) {
    const Entry& entry = producer.entries[message.first + i];
    if (entry.fate != unsettled || (entry.sent != 1 && on(Part::a6_refused))) fails = false;
  }
  for (int i = 0; fails && i < message.count; ++i) producer.entries[message.first + i].fate = failed;
  steps.add(refused, Kind::chance, [&] { return words(fails ? "refuses it, and its callers are told: failed" : "refuses it; its entries stay unsettled"); });
}

// What A2 forbids.
void Model::forget(const State& state, int l, int p, Steps<State>& steps) const {
  if (state.forgotten >= bounds_.forgotten || on(Part::a2) || !has(state.leaders[l].known, p)) return;
  State next = state;
  next.forgotten++;
  next.leaders[l].known &= byte(~bit(p));
  next.leaders[l].next[p] = 0;
  steps.add(next, Kind::chance, [&] { return fmt::format("L{} forgets the producer {}", l + 1, name(p)); });
}

void Model::trim(const State& state, Steps<State>& steps) const {
  if (state.trims >= bounds_.trims) return;
  const auto trim_to = [&](int place, std::string_view by) {
    State next = state;
    next.trims++;
    next.first = byte(place);
    steps.add(next, Kind::chance, [&] { return fmt::format("the log is trimmed below {}{}", place, by); });
  };
  for (int place = state.first + 1; place <= state.truth_length; ++place) trim_to(place, "");  // R3: never past committed
  if (on(Part::r3)) return;
  for (int l = 0; l < bounds_.terms; ++l)
    if (state.leaders[l].phase == open && state.leaders[l].length > state.truth_length)
      trim_to(state.leaders[l].length, fmt::format(", where L{} has ordered", l + 1));
}

// ---- A producer
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
    if (producer.entries[e].fate == waiting) return;  // runs go out in the order of their numbers
  if (is_new && in_flight >= bounds_.in_flight) return;
  const Commit message = {producer.term, byte(p), byte(first), byte(end - first), byte(settled(producer)), producer.entries[first].reused};
  const auto carries = [&](const Commit& other) {
    return other.term == message.term && other.producer == message.producer && first >= other.first && first < other.first + other.count;
  };
  const auto* messages_end = state.messages + bounds_.messages;
  auto* const space = std::find_if(state.messages, messages_end, [](const Commit& other) { return other.term == 0; });
  if (space == messages_end) return;
  // A commit that is neither on its way nor taken has to be sent again; any other repetition is chance.
  const Leader& leader = state.leaders[producer.term - 1];
  const bool needed = std::none_of(state.messages, messages_end, carries) && find(leader.frames, leader.start, leader.length, p, first) < 0;
  if (!is_new && !needed && state.repeats >= bounds_.repeats) return;
  State next = state;
  next.messages[space - state.messages] = message;
  if (!is_new && !needed) next.repeats++;
  for (int e = first; e < end; ++e) {
    Entry& entry = next.producers[p].entries[e];
    if (is_new) entry.from = state.truth_length;  // A3: what it knows as committed before the first commit
    entry.fate = unsettled;
    entry.sent = byte(std::min(entry.sent + 1, 2));
  }
  steps.add(next, is_new || needed ? Kind::prescribed : Kind::chance, [&] {
    return fmt::format("{} sends {}{}{}", name(p), commit_text(message), is_new ? "" : " again, over another connection",
                       is_new ? fmt::format("; it knows {} as committed", state.truth_length) : "");
  });
}

void Model::hear_answer(const State& state, int p, int e, Steps<State>& steps) const {
  const Entry& entry = state.producers[p].entries[e];
  if (entry.fate > unsettled || (entry.fate == waiting && entry.reused != 0)) return;
  for (int l = 0; l < bounds_.terms; ++l) {
    const Leader& leader = state.leaders[l];
    if (leader.phase == unborn || !has(leader.known, p) || e >= leader.next[p]) continue;
    const int place = find(leader.frames, leader.start, leader.length, p, e);
    if (place < 0 || (place >= leader.committed && on(Part::a1_committed))) continue;  // A1: answered once that is committed
    State next = state;
    next.producers[p].entries[e].fate = committed;
    next.producers[p].entries[e].place = byte(place + 1);
    steps.add(next, Kind::prescribed,
              [&] { return fmt::format("{} hears from L{}: {} is committed at {}", name(p), l + 1, entry_text(p, e, entry.reused != 0), place); });
  }
}

// What A3 forbids.
void Model::hear_late_upload(const State& state, int p, int e, Steps<State>& steps) const {
  const Entry& entry = state.producers[p].entries[e];
  if (on(Part::a3_begin) || entry.fate != unsettled || entry.from >= state.truth_length) return;
  State next = state;
  next.producers[p].entries[e].from = state.truth_length;
  steps.add(next, Kind::chance, [&] {
    return fmt::format("an upload of {} is answered late, and its range begins at {} now", entry_text(p, e, false), state.truth_length);
  });
}

void Model::give_up(const State& state, int p, int e, Steps<State>& steps) const {
  if (state.given_up >= bounds_.given_up || state.producers[p].entries[e].fate != unsettled) return;
  State next = state;
  next.given_up++;
  next.producers[p].entries[e].fate = unknown;
  steps.add(next, Kind::chance, [&] { return fmt::format("the deadline of {} passes: outcome unknown", entry_text(p, e, false)); });
}

// What A6 forbids.
void Model::reuse_number(const State& state, int p, int e, Steps<State>& steps) const {
  const Entry& entry = state.producers[p].entries[e];
  if (on(Part::a6_number) || entry.fate != unknown || entry.reused != 0) return;
  State next = state;
  next.producers[p].entries[e] = {};
  next.producers[p].entries[e].reused = 1;
  steps.add(next, Kind::chance, [&] { return fmt::format("the number of {} is given to another entry", entry_text(p, e, false)); });
}

void Model::hear_of_term(const State& state, int p, Steps<State>& steps) const {
  for (int l = state.producers[p].term; l < bounds_.terms; ++l) {
    const Leader& leader = state.leaders[l];
    if (leader.phase == unborn || (leader.phase != open && on(Part::s7))) continue;  // S7: told only once it is committed
    State next = state;
    next.producers[p].term = byte(l + 1);
    next.producers[p].resolving = 1;
    next.producers[p].end = leader.start;
    steps.add(next, Kind::prescribed, [&] {
      return fmt::format("{} hears of term {}, whose term start is at {}{}", name(p), l + 1, leader.start,
                         leader.phase == open ? "" : " and not committed");
    });
  }
}

// Reads the log up to the term start, and decides the fate of each unsettled entry. Where an entry is absent, its caller
// either still waits, and it is sent again, or does not, and is told that it failed.
void Model::resolve(const State& state, int p, int end, bool callers_wait, Steps<State>& steps) const {
  const Producer& producer = state.producers[p];
  const auto is_open = [&](int e) { return producer.entries[e].fate == unsettled; };
  int place[most_entries];
  int last_found = -1, first_found = bounds_.entries;
  bool reads = false;
  for (int e = 0; e < bounds_.entries; ++e) {
    place[e] = -1;
    if (!is_open(e)) continue;
    reads = true;
    if (on(Part::a3_resolve)) place[e] = find(state.truth, std::max(producer.entries[e].from, state.first), end, p, e);
    if (place[e] < 0) continue;
    last_found = e;
    first_found = std::min(first_found, e);
  }
  if (reads && end > state.truth_length) return;  // it waits until that much is committed
  if (!reads && end != producer.end) return;
  State next = state;
  Producer& resolved = next.producers[p];
  bool any_failed = false;
  for (int e = 0; e < bounds_.entries; ++e) {
    if (!is_open(e)) continue;
    Entry& entry = resolved.entries[e];
    const int run = e - e % bounds_.run_length, run_end = std::min(run + bounds_.run_length, bounds_.entries);
    const bool is_readable = entry.from >= state.first || !on(Part::a5);
    const bool run_is_whole = std::all_of(place + run, place + run_end, [](int other) { return other >= 0; });
    const Fate absent = callers_wait ? waiting : failed;
    if (!on(Part::a4_found) && e > run && is_open(run) && place[run] >= 0) {
      entry = {committed, byte(place[run] + e - run + 1), 0, 0, entry.reused};  // what A4 forbids: found with its run
    } else if (!on(Part::a4_absent) && !run_is_whole) {
      entry.fate = absent;  // what A4 forbids: absent with its run
    } else if (place[e] >= 0) {
      entry = {committed, byte(place[e] + 1), 0, 0, entry.reused};  // A4
    } else if (is_readable) {
      entry.fate = absent;  // A4: every place where it could stand was read
    } else if (e < last_found) {
      entry = {committed, trimmed_away, 0, 0, entry.reused};  // A5: entries stand in order
    } else if (e > first_found) {
      entry.fate = absent;  // A5: its place would lie behind one that was read
    } else {
      entry.fate = unknown;  // A5
    }
    any_failed = any_failed || entry.fate == failed;
  }
  if (!callers_wait && !any_failed) return;
  if (!callers_wait) next.failures++;
  resolved.resolving = resolved.end = 0;
  for (Entry& entry : resolved.entries) entry.sent = 0;
  steps.add(next, callers_wait ? Kind::prescribed : Kind::chance, [&] {
    std::string text = fmt::format("{} reads the log up to {}", name(p), end);
    static constexpr std::string_view fates[] = {"absent, to be sent again", "?", "found", "absent, its caller is told: failed", "outcome unknown"};
    for (int e = 0; e < bounds_.entries; ++e)
      if (is_open(e))
        text += fmt::format("; {} from {}: {}", entry_text(p, e, producer.entries[e].reused != 0), producer.entries[e].from,
                            resolved.entries[e].place == trimmed_away ? "committed and trimmed" : fates[resolved.entries[e].fate]);
    return text;
  });
}

void Model::successors(const State& state, Steps<State>& steps) const {
  for (int l = 0; l < bounds_.terms; ++l) {
    choose_base(state, l, steps);
    commit(state, l, steps);
    for (int m = 0; m < bounds_.messages; ++m) receive(state, m, l, steps);
    for (int p = 0; p < bounds_.producers; ++p) forget(state, l, p, steps);
  }
  trim(state, steps);
  for (int p = 0; p < bounds_.producers; ++p) {
    hear_of_term(state, p, steps);
    for (int run = 0; run < bounds_.entries; run += bounds_.run_length) send(state, p, run, steps);
    for (int e = 0; e < bounds_.entries; ++e) {
      hear_answer(state, p, e, steps);
      hear_late_upload(state, p, e, steps);
      give_up(state, p, e, steps);
      reuse_number(state, p, e, steps);
    }
    if (state.producers[p].resolving == 0) continue;
    for (int end = on(Part::a3_end) ? state.producers[p].end : 0; end <= state.producers[p].end; ++end) {
      resolve(state, p, end, true, steps);
      if (state.failures < bounds_.failures) resolve(state, p, end, false, steps);
    }
  }
}

// ---- The promises
std::string_view Model::broken_for(const State& state, int p) const {
  const Producer& producer = state.producers[p];
  int places[most_entries];
  std::fill(std::begin(places), std::end(places), -1);
  int last = -1;
  for (int place = 0; place < state.truth_length; ++place) {
    const int e = id_of(state.truth[place]) - id_of(p, 0);
    if (e < 0 || e >= bounds_.entries) continue;
    if (places[e] >= 0) return "one sequence number of a producer is committed twice";
    if (e < last) return "a producer's entries are committed out of order";
    places[e] = place;
    last = e;
    const bool same = is_reused(state.truth[place]) == (producer.entries[e].reused != 0);
    if (producer.entries[e].fate == failed && same) return "an entry that was told to have failed is committed";
  }
  for (int e = 0; e < bounds_.entries; ++e) {
    const Entry& entry = producer.entries[e];
    if (e < last && places[e] < 0 && entry.fate <= committed && entry.reused == 0) return "a later entry is committed without an earlier one";
    if (entry.fate != committed) continue;
    if (places[e] < 0) return "an entry that was told to be committed is not";
    if (entry.place != trimmed_away && entry.place != places[e] + 1) return "an entry is told to be committed where it is not";
    if (is_reused(state.truth[places[e]]) != (entry.reused != 0)) return "an entry is told to be committed where another stands";
  }
  return {};
}

std::string_view Model::broken(const State& state) const {
  if (state.broken == entry_lost) return "an acknowledged entry is lost: another stands in its place";
  if (state.broken == trimmed_unasked) return "an entry is committed at an offset that is trimmed already";
  for (int p = 0; p < bounds_.producers; ++p)
    if (const std::string_view why = broken_for(state, p); !why.empty()) return why;
  return {};
}

bool Model::arrived(const State& state) const {
  return std::all_of(state.producers, state.producers + bounds_.producers,
                     [&](const Producer& producer) { return settled(producer) == bounds_.entries; });
}

// ---- Words
std::string Model::frame_text(Frame frame) const {
  if (id_of(frame) == 0) return fmt::format("start{}", term_of(frame));
  const int id = id_of(frame) - 1;
  return fmt::format("{}.{}", entry_text(id / most_entries, id % most_entries, is_reused(frame)), term_of(frame));
}

std::string Model::log_text(const Frame* frames, int length) const {
  std::string text = "[";
  for (int place = 0; place < length; ++place) text += (place == 0 ? "" : " ") + frame_text(frames[place]);
  return text + "]";
}

std::string Model::commit_text(const Commit& message) const {
  std::string run = entry_text(message.producer, message.first, message.reused != 0);
  if (message.count > 1) run += fmt::format("-{}", message.first + message.count);
  return fmt::format("COMMIT{{{}, term {}, settled through {}}}", run, message.term, message.settled);
}

}  // namespace loglog::model::retry
