// Searches every state that a model can reach, nearest first, so that the first bad run it meets is a shortest one.
//
// A model is a class with
//   State                                    bytes without padding, small; equal bytes mean equal states
//   State initial() const                    where every run begins
//   void name_members(State&) const          puts names on interchangeable members, for a story
//   void settle(State&) const                brings states that differ only in such names to one form
//   void successors(const State&, Steps&)    every step that is possible
//   std::string_view broken(const State&)    the promise that this state breaks, or nothing
//   bool arrived(const State&) const         the state is where everyone wants to be (asked only when looking for wedges)
//
// A wedge is a state from which no sequence of steps that the protocol prescribes arrives; only chance could help, or nobody.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace loglog::model {

enum class Kind : std::uint8_t {
  prescribed,  // the protocol does this, sooner or later
  chance,      // a fault, or somebody's free decision: may happen, never has to
};

// Where a model puts the steps that are possible. The words of a step are made only when a story is told.
template <class State>
class Steps {
 public:
  struct Step {
    State next;
    Kind kind;
  };

  explicit Steps(bool telling) : telling_(telling) {}
  void clear() {
    steps_.clear();
    words_.clear();
  }
  template <class Words>
  void add(const State& next, Kind kind, Words&& words) {
    steps_.push_back({next, kind});
    if (telling_) words_.push_back(words());
  }
  const std::vector<Step>& steps() const { return steps_; }
  const std::string& words(std::size_t step) const { return words_[step]; }

 private:
  bool telling_;
  std::vector<Step> steps_;
  std::vector<std::string> words_;
};

struct Exploration {
  std::size_t states = 0;
  std::size_t depth = 0;
  double seconds = 0;
  bool exhausted = false;                // every reachable state was seen
  std::string broken;                    // the promise that a run breaks; empty where none does
  std::vector<std::uint16_t> bad_run;    // which step of each state
};

// 64 bits of a state's bytes. Two of n states collide with probability n² / 2⁶⁵: 10⁻⁵ for twenty million.
template <class State>
std::uint64_t fingerprint(const State& state) {
  static_assert(std::has_unique_object_representations_v<State>, "padding would make equal states differ");
  const auto* bytes = reinterpret_cast<const unsigned char*>(&state);
  std::uint64_t hash = 0x9ae16a3b2f90404fULL ^ sizeof(State);
  for (std::size_t at = 0; at < sizeof(State); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min<std::size_t>(8, sizeof(State) - at));
    hash = (hash ^ word) * 0xd6e8feb86659fd93ULL;
    hash ^= hash >> 32;
    hash *= 0xa0761d6478bd642fULL;
    hash ^= hash >> 29;
  }
  return hash == 0 ? 1 : hash;  // 0 is an empty place of the table
}

// Fingerprints and the number that each state got: an open table that doubles when it is over half full.
class Seen {
 public:
  Seen() : keys_(1 << 12), numbers_(1 << 12) {}
  // The state's number, and whether it is new.
  std::pair<std::uint32_t, bool> insert(std::uint64_t key) {
    if (2 * count_ >= keys_.size()) grow();
    const std::size_t at = place(key);
    if (keys_[at] == key) return {numbers_[at], false};
    keys_[at] = key;
    numbers_[at] = count_;
    return {count_++, true};
  }

 private:
  std::size_t place(std::uint64_t key) const {
    std::size_t at = key & (keys_.size() - 1);
    while (keys_[at] != 0 && keys_[at] != key) at = (at + 1) & (keys_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<std::uint64_t> keys(2 * keys_.size());
    std::vector<std::uint32_t> numbers(2 * numbers_.size());
    keys.swap(keys_);
    numbers.swap(numbers_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == 0) continue;
      const std::size_t at = place(keys[i]);
      keys_[at] = keys[i];
      numbers_[at] = numbers[i];
    }
  }

  std::vector<std::uint64_t> keys_;
  std::vector<std::uint32_t> numbers_;
  std::uint32_t count_ = 0;
};

template <class Model>
class Explorer {
  using State = typename Model::State;

 public:
  Explorer(const Model& model, bool look_for_wedges, std::size_t most_states)
      : model_(model), look_for_wedges_(look_for_wedges), most_states_(most_states) {}

  Exploration run() {
    const auto begun = std::chrono::steady_clock::now();
    State first = model_.initial();
    model_.settle(first);
    meet(first, 0, 0);
    while (!frontier_.empty() && result_.broken.empty() && parents_.size() < most_states_) {
      here_.swap(frontier_);
      frontier_.clear();
      for (std::size_t i = 0; i < here_.size() && result_.broken.empty() && parents_.size() < most_states_; ++i)
        visit(here_[i].state, here_[i].number);
      if (!frontier_.empty()) ++result_.depth;
    }
    result_.exhausted = frontier_.empty() && result_.broken.empty();
    if (look_for_wedges_ && result_.exhausted) find_wedge();
    result_.states = parents_.size();
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return result_;
  }

 private:
  struct Numbered {
    State state;
    std::uint32_t number;
  };

  void visit(const State& state, std::uint32_t number) {
    steps_.clear();
    model_.successors(state, steps_);
    if (look_for_wedges_) edges_begin_.push_back(edges_.size());
    for (std::size_t i = 0; i < steps_.steps().size() && result_.broken.empty(); ++i) {
      State next = steps_.steps()[i].next;
      model_.settle(next);
      const std::uint32_t reached = meet(next, number, static_cast<std::uint16_t>(i));
      if (look_for_wedges_ && steps_.steps()[i].kind == Kind::prescribed) edges_.push_back(reached);
    }
  }

  std::uint32_t meet(const State& state, std::uint32_t from, std::uint16_t step) {
    const auto [number, is_new] = seen_.insert(fingerprint(state));
    if (!is_new) return number;
    parents_.push_back(from);
    taken_.push_back(step);
    frontier_.push_back({state, number});
    if (look_for_wedges_) arrived_.push_back(model_.arrived(state));
    if (const std::string_view broken = model_.broken(state); !broken.empty()) {
      result_.broken = broken;
      result_.bad_run = run_to(number);
    }
    return number;
  }

  std::vector<std::uint16_t> run_to(std::uint32_t number) const {
    std::vector<std::uint16_t> run;
    for (; number != 0; number = parents_[number]) run.push_back(taken_[number]);
    std::reverse(run.begin(), run.end());
    return run;
  }

  // Spreads "can arrive" backwards over the prescribed steps until nothing changes. States are numbered by distance, so
  // going from the last to the first settles nearly all in one sweep.
  void find_wedge() {
    edges_begin_.push_back(edges_.size());
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t state = parents_.size(); state-- > 0;) {
        if (arrived_[state]) continue;
        for (std::size_t edge = edges_begin_[state]; edge < edges_begin_[state + 1] && !arrived_[state]; ++edge)
          if (arrived_[edges_[edge]]) arrived_[state] = changed = true;
      }
    }
    for (std::size_t state = 0; state < parents_.size(); ++state) {
      if (arrived_[state]) continue;
      result_.broken = "wedged: no step that is prescribed leads on from here";
      result_.bad_run = run_to(static_cast<std::uint32_t>(state));
      return;
    }
  }

  const Model& model_;
  bool look_for_wedges_;
  std::size_t most_states_;
  Seen seen_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint16_t> taken_;
  std::vector<Numbered> here_, frontier_;
  std::vector<bool> arrived_;
  std::vector<std::uint32_t> edges_;
  std::vector<std::size_t> edges_begin_;
  Steps<State> steps_{false};
  Exploration result_;
};

// A bad run in words, a sentence a step.
template <class Model>
std::vector<std::string> tell(const Model& model, const std::vector<std::uint16_t>& run) {
  std::vector<std::string> story;
  Steps<typename Model::State> steps(true);
  typename Model::State state = model.initial();
  model.name_members(state);
  model.settle(state);
  for (const std::uint16_t step : run) {
    steps.clear();
    model.successors(state, steps);
    story.push_back(steps.words(step));
    state = steps.steps()[step].next;
    model.settle(state);
  }
  return story;
}

}  // namespace loglog::model
