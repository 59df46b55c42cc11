// The staging model: runs wait in the memory of replicas until they are ordered (spec/05, D6 and
// "When a payload is missing"). Staging space is bounded, payloads are lost before they are
// written, and producers leave. With a single term and log, the model asks whether every run ends,
// and whether equal offsets hold equal bytes.
#pragma once

#include <string>
#include <string_view>

#include "proto-spec/model/bytes.h"
#include "proto-spec/model/explorer.h"
#include "proto-spec/model/rules.h"

namespace loglog::model::staging {

inline constexpr int most_replicas = 3;
inline constexpr int most_runs = 3;

struct Bounds {
  int write_quorum = 2;
  int producers = 2;
  int runs = 2;      // run r belongs to producer r mod `producers`
  int capacity = 1;  // runs that a replica stages besides the next run to be written (D6)
  int restarts = 0, nodes_down = 0, leavings = 0, rebuilds = 0;
  bool eager = false;  // V1: a run may be ordered before any replica has it
  bool look_for_wedges = true;
};

// A run's bytes are told by the build they come from: 0 none, 1 the first build, 2 the second
// build.
struct Replica {
  Byte staged[most_runs];   // the build of each run that it holds in memory
  Byte content[most_runs];  // the build that it has written, by place
  Byte written;
  Byte answered;  // bit for each run whose producer has its Uploaded
  Byte is_down;
  // The last field, because `settle` compares the bytes before it; used in stories alone.
  Byte name;
};

struct State {
  Replica replicas[most_replicas];
  Byte build[most_runs];   // the build that the producer of each run currently means
  Byte dropped;            // bit for each run that a new term has dropped
  Byte gone;               // bit for each producer that has left
  Byte order[most_runs];   // the leader's order: run plus 1, by place
  Byte digest[most_runs];  // the build that each order refers to (D3)
  Byte length;
  Byte restarts, nodes_down, leavings, rebuilds;  // so far, bounded by `Bounds`
};

// Implements the model interface of explorer.h. It has no state of its own; all methods are const.
class Model {
 public:
  using State = staging::State;

  Model(Rules rules, Bounds bounds) : rules_(rules), bounds_(bounds) {}
  State initial() const;
  void name_members(State& state) const;
  void settle(State& state) const;
  void successors(const State& state, Steps<State>& steps) const;
  std::string_view broken(const State& state) const;
  bool arrived(const State& state) const;

 private:
  // Each method adds every possible step of its kind, for run `run`, replica `n` and producer `p`.
  void upload(const State& state, int run, int n, Steps<State>& steps) const;
  void order(const State& state, int run, Steps<State>& steps) const;
  void write(const State& state, int n, Steps<State>& steps) const;
  void expire(const State& state, int run, int n, Steps<State>& steps) const;
  void begin_term(const State& state, Steps<State>& steps) const;
  void rebuild(const State& state, int run, Steps<State>& steps) const;
  void restart(const State& state, int n, Steps<State>& steps) const;
  void go_down(const State& state, int n, Steps<State>& steps) const;
  void leave(const State& state, int p, Steps<State>& steps) const;

  // The predicates that guards use.
  bool on(Part part) const { return rules_.on(part); }
  int producer_of(int run) const { return run % bounds_.producers; }
  std::string run_text(int run) const;
  int place_of(const State& state, int run) const;
  int committed(const State& state) const;
  bool is_wanted(const State& state, int run) const;
  bool has_space(const State& state, const Replica& replica, int run) const;
  int bytes_held(const State& state, const Replica& replica, int place) const;

  Rules rules_;
  Bounds bounds_;
};

}  // namespace loglog::model::staging
