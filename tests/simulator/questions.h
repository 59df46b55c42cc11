// A client that asks all the time: who is there, which logs there are, and for things that are to
// be refused.
#pragma once
#include <set>
#include <string>

#include "tests/simulator/checkers.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

class Questions {
 public:
  /// Of logs named log1 to log<logs>.
  Questions(World& world, Checkers& checkers, ClientProcess& process, Duration pause, int logs);
  void start();
  /// Asks nothing but the status any more, until that is what it must be in a whole cluster.
  void come_to_rest() { resting_ = true; }
  bool all_is_well() const { return well_; }
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
  /// What is not yet as it must be once everything has healed; empty: nothing.
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
  Offset floor_{};  ///< of that log when the question was asked
  bool resting_ = false;
  bool well_ = false;
  std::string standing_ = "no status has come";
  std::uint64_t answered_ = 0;
};

}  // namespace loglog::simulator
