// A client that asks questions all the time: status, lists of logs, tails, and requests that must
// be refused. It checks the promises `refusals` and `status`, and `tail` in part. run.cpp starts it
// if the plan has `ask_every_ms`.
#pragma once
#include <set>
#include <string>

#include "tests/simulator/checkers.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Belongs to a run, which outlives it. It takes over the process's `on_completed`.
class Questions {
 public:
  /// `logs`: the workload's logs are named log1 to log<logs>. `pause`: time between an answer and
  /// the next question.
  Questions(World& world, Checkers& checkers, ClientProcess& process, Duration pause, int logs);
  void start();
  /// From now on asks only for the status, until the answer describes a whole healthy cluster.
  void come_to_rest() { resting_ = true; }
  bool all_is_well() const { return well_; }
  /// The reason why `all_is_well` is still false.
  const std::string& standing() const { return standing_; }
  std::uint64_t answered() const { return answered_; }

 private:
  enum class Ask {
    status,
    list,
    open,
    tail,
    bad_name,
    bad_quorum,
    bad_segments,
    taken_name,
    open_unknown,
    delete_unknown,
    inside_entry
  };
  void ask();
  void completed(const client::Completed& c);
  void refused(Errc expected, const client::Completion& result);
  void status(const client::ClusterStatus& s);
  /// The first deviation of `s` from the status of a healed cluster; empty if there is none.
  std::string amiss(const client::ClusterStatus& s) const;

  World& world_;
  Checkers& checkers_;
  ClientProcess& process_;
  Duration pause_;
  int logs_;
  Ask next_ = Ask::status;
  std::uint64_t tokens_ = 3'000'000;
  LogId log_{};
  client::Tail tail_{};
  /// Tail floor of that log at the time of the question: the answer must reach it.
  Offset floor_{};
  bool resting_ = false;
  bool well_ = false;
  std::string standing_ = "no status has come";
  std::uint64_t answered_ = 0;
};

}  // namespace loglog::simulator
