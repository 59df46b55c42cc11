// A program that administers: it sets a log's retention, takes over as its writer, makes and
// deletes a log, one request after the other, and looks what stands after a while, so that what
// comes late has come.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "tests/simulator/checkers.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

class Administrator {
 public:
  Administrator(World& world, ClientProcess& process, Duration pause);
  void start();
  /// Ends with the round under way.
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
  bool there_ = false;  // the log whose settings it changes,
  LogId log_{};         // … and its id
  Retention asked_{};
  std::optional<Retention>
      retention_;  // as acknowledged; nullopt: a request for another one has an unknown outcome
  std::uint64_t fences_ = 0;         // asked for
  FenceToken highest_{};             // acknowledged
  std::optional<FenceToken> fence_;  // as acknowledged; nullopt: as above
  LogId made_{};                     // there; 0: it was deleted, or never made
  bool maybe_made_ = false;          // a creation has an unknown outcome
  std::set<LogId> gone_;
  bool resting_ = false;
};

}  // namespace loglog::simulator
