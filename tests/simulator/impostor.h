// A second process under a sequencer's id: started with a wrong id, or on a copied directory. The
// sequencers must refuse it as long as the first process is heard (spec/04 "Links between
// sequencers"). weather.cpp uses it for `second_process`.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// A single impostor serves a whole run; it holds at most a single connection.
class Impostor final : public Process {
 public:
  explicit Impostor(World& world) : Process(world, "impostor", "impostor") {}
  /// Dials `to` with the hello of `whom` but the boot id `boot`, and hangs up after `stay`. Returns
  /// false if the impostor is already posing.
  bool pose_as(const Process& whom, const Process& to, BootId boot, Duration stay);

  Hello hello() const override { return hello_; }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  /// An impostor only occupies the link; it answers nothing.
  void on_arrived(ConnectionId, RequestId, Message&&) override {}

 private:
  void on_start() override {}
  void on_kill() override {}
  Hello hello_;
  Duration stay_{};
  bool busy_ = false;
};

}  // namespace loglog::simulator
