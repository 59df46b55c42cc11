// A simulated program that administers logs (T6): it sets a log's retention, takes over as its
// writer, then creates and deletes a second log. Requests go out in sequence. After a pause in
// which late requests can arrive, the program reads the settings back. It checks the promises
// `setting`, `tokens` and `made_once`. run.cpp starts it if the plan has `administer_ms`.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "tests/simulator/checkers.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Belongs to a run: the world and the process must outlive it. It takes over the process's
/// `on_completed`.
class Administrator {
 public:
  /// `pause`: mean time between two rounds, by the world's clock.
  Administrator(World& world, ClientProcess& process, Duration pause);
  void start();
  /// No new round begins; the current round still ends.
  void come_to_rest() { resting_ = true; }
  bool at_rest() const { return resting_ && step_ == Step::pausing; }
  std::uint64_t rounds() const { return rounds_; }

 private:
  enum class Step {
    preparing,
    setting,
    fencing,
    creating,
    deleting,
    pausing,
    looking,
    looking_for_made
  };
  void take(Step s);
  void ask();
  void completed(const client::Completed& c);
  void retention_set(const client::Failure* failure);
  void fenced(const client::Completion& result);
  void created(const client::Completion& result);
  void deleted(const client::Failure* failure);
  void looked(const LogInfo& info);
  void looked_for_made(const client::Completion& result);

  World& world_;
  ClientProcess& process_;
  Duration pause_;
  Step step_ = Step::preparing;
  std::uint64_t tokens_ = 5'000'000;
  std::uint64_t rounds_ = 0;
  bool there_ = false;  // a log of that name exists, so the program opens it instead
  LogId log_{};         // the log whose settings it changes
  Retention asked_{};
  /// The acknowledged value; nullopt after an unknown outcome, because either value may be in
  /// force.
  std::optional<Retention> retention_;
  std::uint64_t fences_ = 0;         // how many fences were requested
  FenceToken highest_{};             // the highest token that was acknowledged
  std::optional<FenceToken> fence_;  // the acknowledged token; nullopt after an unknown outcome
  LogId made_{};             // id of the log that it made; 0 if the log was deleted or never made
  bool maybe_made_ = false;  // a creation has an unknown outcome, so the log may exist
  /// Ids of the logs that it deleted: no such id may come back (T5).
  std::set<LogId> gone_;
  bool resting_ = false;
};

}  // namespace loglog::simulator
