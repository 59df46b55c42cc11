// The operator of an upgrade (T7): it gives servers newer programs, goes back to older programs,
// and has the cluster raised. Afterwards it tries older programs, which must be refused. Like a
// careful operator it does not go back once a request to raise may have been taken. run.cpp starts
// it if the plan has `raise_ms`.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// A client process without an SDK, because the SDK of this build does not know the request. It
/// checks the promises `raised` and `named`; the worlds' disks check `named` too.
class Raiser final : public Process {
 public:
  /// The processes of `world` must outlive it. `pause`: mean time between two steps.
  Raiser(World& world, Duration pause);
  /// All servers run older programs from now on.
  void begin();
  /// No older program is started any more; the cluster is raised soon.
  void come_to_rest() { resting_ = true; }
  /// True once the cluster is raised and each living server's directory names the version.
  bool at_rest() const;
  /// For the report of a violation.
  std::string standing() const;

  Hello hello() const override;
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override {}
  void on_kill() override {}
  void step();
  void ask();
  void ended(bool definitely_refused);
  void change_program();
  void try_older_program();
  void run_with(Process& p, bool newer);
  void raised();
  Process& any_server();
  /// The weather is over, so no server is disturbed without need.
  bool is_calm() const { return resting_ || world_.network.calm(); }

  Duration pause_;
  ConnectionId asking_{};      // 0: no request is under way
  bool sent_ = false;          // the request went out over that connection
  bool may_be_taken_ = false;  // a request without a definite answer may be taken yet
  Time went_back_{};           // when a server was last given an older program
  bool resting_ = false;
  std::string last_;  // the last refusal
};

}  // namespace loglog::simulator
