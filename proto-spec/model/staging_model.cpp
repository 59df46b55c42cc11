// The steps and promises of the staging model. Each guard names its rule. Protocol steps are
// prescribed; only the steps below "Chance" may never happen.
#include "proto-spec/model/staging_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace loglog::model::staging {
namespace {

char name(const Replica& replica) {
  return static_cast<char>(replica.name == 0 ? '?' : replica.name);
}

}  // namespace

// Nothing is staged or ordered; every producer means the first build of its runs.
State Model::initial() const {
  State state = {};
  std::fill_n(state.build, bounds_.runs, Byte{1});
  return state;
}

void Model::name_members(State& state) const {
  for (int n = 0; n < most_replicas; ++n) state.replicas[n].name = byte('a' + n);
}

// Replicas are alike, so their order has no meaning.
void Model::settle(State& state) const {
  std::sort(std::begin(state.replicas), std::end(state.replicas),
            [](const Replica& left, const Replica& right) {
              // All fields except the name, which is last.
              return std::memcmp(&left, &right, sizeof(Replica) - 1) > 0;
            });
}

// ---- The predicates that guards use
// The place of a run in the order, or -1.
int Model::place_of(const State& state, int run) const {
  const Byte* found = std::find(state.order, state.order + state.length, run + 1);
  return found == state.order + state.length ? -1 : static_cast<int>(found - state.order);
}

// S6 in this model: the W-th largest written end.
int Model::committed(const State& state) const {
  int ends[most_replicas];
  std::transform(std::begin(state.replicas), std::end(state.replicas), ends,
                 [](const Replica& replica) { return replica.written; });
  std::sort(std::begin(ends), std::end(ends), std::greater<>());
  return ends[bounds_.write_quorum - 1];
}

// True while the producer waits for the run: it is neither committed, dropped nor orphaned.
bool Model::is_wanted(const State& state, int run) const {
  const int place = place_of(state, run);
  return !has(state.gone, producer_of(run)) && !has(state.dropped, run) &&
         (place < 0 || place >= committed(state));
}

// D6: staging is bounded, but the next run to be written always has space. Otherwise a full memory
// could stop the log.
bool Model::has_space(const State& state, const Replica& replica, int run) const {
  if (replica.staged[run] != 0) return true;
  if (std::count_if(std::begin(replica.staged), std::end(replica.staged),
                    [](Byte bytes) { return bytes != 0; }) < bounds_.capacity)
    return true;
  return on(Part::d6_reserve) &&
         place_of(state, run) ==
             replica.written;  // D6: the next run to be written always has space
}

// The build that a replica can give for a place of the order, from its log or its memory; 0 if
// none.
int Model::bytes_held(const State& state, const Replica& replica, int place) const {
  if (replica.is_down != 0) return 0;
  if (replica.written > place) return replica.content[place];
  const int bytes = replica.staged[state.order[place] - 1];
  // D3: the digest is compared again at the order.
  return bytes == state.digest[place] || !on(Part::d3) ? bytes : 0;
}

// ---- The protocol
// A producer uploads to a replica, at first or because the leader asked again (missing.again).
void Model::upload(const State& state, int run, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  const int place = place_of(state, run);
  if (replica.is_down != 0 || !is_wanted(state, run) ||
      replica.written > (place < 0 ? most_runs : place))
    return;
  if (place >= 0 && !on(Part::missing_again)) return;
  if (!has_space(state, replica, run)) return;  // answered Busy
  State next = state;
  Replica& staging = next.replicas[n];
  // D3: other bytes under the same number are another run.
  if (replica.staged[run] == 0 || on(Part::d3)) staging.staged[run] = state.build[run];
  staging.answered |= bit(run);
  if (std::memcmp(&next, &state, sizeof(State)) == 0) return;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} stages {}{}{}", name(replica), run_text(run),
                       place < 0 ? "" : ", which it was asked for again",
                       staging.staged[run] == state.build[run]
                           ? ""
                           : ": it has that number already, with other bytes");
  });
}

// The producer commits in sequence once W replicas have answered, or at once with V1, and the
// leader orders the run.
void Model::order(const State& state, int run, Steps<State>& steps) const {
  if (place_of(state, run) >= 0 || !is_wanted(state, run)) return;
  for (int earlier = 0; earlier < run; ++earlier)
    if (producer_of(earlier) == producer_of(run) && place_of(state, earlier) < 0 &&
        !has(state.dropped, earlier))
      return;
  const auto staged =
      std::count_if(std::begin(state.replicas), std::end(state.replicas),
                    [&](const Replica& replica) { return has(replica.answered, run); });
  if (staged < bounds_.write_quorum && !bounds_.eager) return;
  State next = state;
  next.order[next.length] = byte(run + 1);
  next.digest[next.length] = state.build[run];
  next.length++;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} is committed by its producer, and ordered at {}", run_text(run),
                       state.length);
  });
}

// The replica writes the next run of the order: from its memory, or fetched from a peer.
void Model::write(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  const int place = replica.written;
  if (replica.is_down != 0 || place >= state.length) return;
  const int run = state.order[place] - 1;
  const auto write_bytes = [&](int bytes, std::string_view how) {
    State next = state;
    Replica& writing = next.replicas[n];
    writing.content[writing.written++] = byte(bytes);
    writing.staged[run] = 0;
    steps.add(next, Kind::prescribed, [&] {
      return fmt::format("{} writes {} at {}{}", name(replica), run_text(run), place, how);
    });
  };
  if (const int own = bytes_held(state, replica, place); own != 0) return write_bytes(own, "");
  if (!on(Part::missing_fetch) || !has_space(state, replica, run)) return;
  for (const Replica& peer : state.replicas)
    if (const int bytes = bytes_held(state, peer, place); bytes != 0)
      write_bytes(bytes, fmt::format(", with the payload of {}", name(peer)));
}

// D6: staged runs that no producer commits expire. Ordered runs stay until they are written.
void Model::expire(const State& state, int run, int n, Steps<State>& steps) const {
  if (!on(Part::d6_expire) || state.replicas[n].staged[run] == 0 || place_of(state, run) >= 0)
    return;
  State next = state;
  next.replicas[n].staged[run] = 0;
  steps.add(next, Kind::prescribed, [&] {
    return fmt::format("{} of {} expires", run_text(run), name(state.replicas[n]));
  });
}

// No replica has a payload and no producer will bring it, so a new term drops that run. Runs that
// were ordered behind it are uploaded and committed again.
void Model::begin_term(const State& state, Steps<State>& steps) const {
  if (!on(Part::missing_term)) return;
  for (int place = 0; place < state.length; ++place) {
    const int run = state.order[place] - 1;
    const auto holds = [&](const Replica& replica) {
      return bytes_held(state, replica, place) != 0;
    };
    if (is_wanted(state, run) ||
        std::any_of(std::begin(state.replicas), std::end(state.replicas), holds))
      continue;
    State next = state;
    next.dropped |= bit(run);
    for (int later = place; later < state.length; ++later) {
      for (Replica& replica : next.replicas) replica.answered &= byte(~bit(state.order[later] - 1));
      next.order[later] = next.digest[later] = 0;
    }
    next.length = byte(place);
    steps.add(next, Kind::prescribed,
              [&] { return fmt::format("a new term begins without {}", run_text(run)); });
    return;
  }
}

// ---- Chance
// A producer that has resolved in a new term puts entries of an old number into a new run (D3).
void Model::rebuild(const State& state, int run, Steps<State>& steps) const {
  if (state.rebuilds >= bounds_.rebuilds || place_of(state, run) >= 0 || !is_wanted(state, run) ||
      state.build[run] != 1)
    return;
  State next = state;
  next.rebuilds++;
  next.build[run] = 2;
  for (Replica& replica : next.replicas) replica.answered &= byte(~bit(run));
  steps.add(next, Kind::chance, [&] {
    return fmt::format("the producer builds {} anew, with other bytes", run_text(run));
  });
}

// A restart empties a replica's memory; its log stays.
void Model::restart(const State& state, int n, Steps<State>& steps) const {
  if (state.restarts >= bounds_.restarts || state.replicas[n].is_down != 0) return;
  State next = state;
  next.restarts++;
  std::fill(std::begin(next.replicas[n].staged), std::end(next.replicas[n].staged), Byte{0});
  steps.add(next, Kind::chance, [&] {
    return fmt::format("{} starts again, and what it had staged is gone", name(state.replicas[n]));
  });
}

void Model::go_down(const State& state, int n, Steps<State>& steps) const {
  if (state.nodes_down >= bounds_.nodes_down || state.replicas[n].is_down != 0) return;
  State next = state;
  next.nodes_down++;
  next.replicas[n].is_down = 1;
  steps.add(next, Kind::chance,
            [&] { return fmt::format("{} goes down for good", name(state.replicas[n])); });
}

// The producer stops uploading and committing; its ordered runs must not stop the others.
void Model::leave(const State& state, int p, Steps<State>& steps) const {
  if (state.leavings >= bounds_.leavings || has(state.gone, p)) return;
  State next = state;
  next.leavings++;
  next.gone |= bit(p);
  steps.add(next, Kind::chance,
            [&] { return fmt::format("the producer {} leaves", static_cast<char>('P' + p)); });
}

// Lists every step of every actor. The order matters to stories alone.
void Model::successors(const State& state, Steps<State>& steps) const {
  begin_term(state, steps);
  for (int run = 0; run < bounds_.runs; ++run) {
    order(state, run, steps);
    rebuild(state, run, steps);
    for (int n = 0; n < most_replicas; ++n) {
      upload(state, run, n, steps);
      expire(state, run, n, steps);
    }
  }
  for (int n = 0; n < most_replicas; ++n) {
    write(state, n, steps);
    restart(state, n, steps);
    go_down(state, n, steps);
  }
  for (int p = 0; p < bounds_.producers; ++p) leave(state, p, steps);
}

// ---- The promises
// Equal offsets hold equal bytes (D3). Whether every run ends is the wedge search's question.
std::string_view Model::broken(const State& state) const {
  for (const Replica& replica : state.replicas)
    for (int place = 0; place < std::min(replica.written, state.length); ++place)
      if (replica.is_down == 0 && replica.content[place] != state.digest[place])
        return "a replica holds other bytes than its producer has committed";
  return {};
}

// Progress for the wedge search. Each run is committed, was never ordered because its producer
// left, or was dropped by a new term.
bool Model::arrived(const State& state) const {
  for (int run = 0; run < bounds_.runs; ++run) {
    const int place = place_of(state, run);
    const bool over = has(state.dropped, run) || (place < 0 && has(state.gone, producer_of(run)));
    if (!over && (place < 0 || place >= committed(state))) return false;
  }
  return true;
}

std::string Model::run_text(int run) const {
  return fmt::format("{}{}", static_cast<char>('P' + producer_of(run)),
                     run / bounds_.producers + 1);
}

}  // namespace loglog::model::staging
