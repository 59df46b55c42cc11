// The common part of the retry model: the initial state, the reduction of equal states (`settle`),
// the list of steps, and the promises (`broken_for`).
#include "proto-spec/model/retry_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace loglog::model::retry {

std::string entry_text(int p, int e, bool reused) {
  return fmt::format("{}{}{}", name(p), e + 1, reused ? "'" : "");
}

// Term 1 is open with its term start committed, and every producer knows it.
State Model::initial() const {
  State state = {};
  Leader& leader = state.leaders[0];
  leader.phase = open;
  leader.frames[0] = state.truth[0] = frame_of(1, 0);
  leader.length = leader.committed = state.truth_length = 1;
  for (int p = 0; p < bounds_.producers; ++p) state.producers[p].term = 1;
  return state;
}

// The order of messages on their way has no meaning. For an entry whose fate is known, only the
// fate and the place matter.
void Model::settle(State& state) const {
  std::sort(std::begin(state.messages), std::end(state.messages),
            [](const Commit& left, const Commit& right) {
              return std::memcmp(&left, &right, sizeof(Commit)) > 0;
            });
  for (Producer& producer : state.producers)
    for (Entry& entry : producer.entries)
      if (entry.fate != unsettled) entry.from = entry.sent = 0;
}

// A1: the number of leading entries whose fate is final. `Fate` is ordered so that final fates
// follow `unsettled`.
int Model::settled(const Producer& producer) const {
  int count = 0;
  while (count < bounds_.entries && producer.entries[count].fate > unsettled) ++count;
  return count;
}

// The place of entry `e` of producer `p` in frames [from, end), or -1.
int Model::find(const Frame* frames, int from, int end, int p, int e) const {
  for (int place = from; place < end; ++place)
    if (id_of(frames[place]) == id_of(p, e)) return place;
  return -1;
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
    // A3.end: without it, the producer may stop reading before the term start.
    if (state.producers[p].resolving == 0) continue;
    for (int end = on(Part::a3_end) ? state.producers[p].end : 0; end <= state.producers[p].end;
         ++end) {
      resolve(state, p, end, true, steps);
      if (state.failures < bounds_.failures) resolve(state, p, end, false, steps);
    }
  }
}

// ---- The promises
// Judges the log and the entries of a single producer: no number twice, no disorder, no false
// answer. A producer's later entry may not be committed without an earlier entry, unless the
// earlier entry has failed or is unknown.
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
    if (producer.entries[e].fate == failed && same)
      return "an entry that was told to have failed is committed";
  }
  for (int e = 0; e < bounds_.entries; ++e) {
    const Entry& entry = producer.entries[e];
    if (e < last && places[e] < 0 && entry.fate <= committed && entry.reused == 0)
      return "a later entry is committed without an earlier one";
    if (entry.fate != committed) continue;
    if (places[e] < 0) return "an entry that was told to be committed is not";
    if (entry.place != trimmed_away && entry.place != places[e] + 1)
      return "an entry is told to be committed where it is not";
    if (is_reused(state.truth[places[e]]) != (entry.reused != 0))
      return "an entry is told to be committed where another stands";
  }
  return {};
}

std::string_view Model::broken(const State& state) const {
  if (state.broken == entry_lost)
    return "an acknowledged entry is lost: another stands in its place";
  if (state.broken == trimmed_unasked)
    return "an entry is committed at an offset that is trimmed already";
  for (int p = 0; p < bounds_.producers; ++p)
    if (const std::string_view why = broken_for(state, p); !why.empty()) return why;
  return {};
}

// Progress for the wedge search: every append has ended.
bool Model::arrived(const State& state) const {
  return std::all_of(
      state.producers, state.producers + bounds_.producers,
      [&](const Producer& producer) { return settled(producer) == bounds_.entries; });
}

// ---- Texts for stories
std::string Model::frame_text(Frame frame) const {
  if (id_of(frame) == 0) return fmt::format("start{}", term_of(frame));
  const int id = id_of(frame) - 1;
  return fmt::format("{}.{}", entry_text(id / most_entries, id % most_entries, is_reused(frame)),
                     term_of(frame));
}

std::string Model::log_text(const Frame* frames, int length) const {
  std::string text = "[";
  for (int place = 0; place < length; ++place)
    text += (place == 0 ? "" : " ") + frame_text(frames[place]);
  return text + "]";
}

std::string Model::commit_text(const Commit& message) const {
  std::string run = entry_text(message.producer, message.first, message.reused != 0);
  if (message.count > 1) run += fmt::format("-{}", message.first + message.count);
  return fmt::format("COMMIT{{{}, term {}, settled through {}}}", run, message.term,
                     message.settled);
}

}  // namespace loglog::model::retry
