// A process that says of itself that it is a sequencer: one that was started with a wrong id, or on
// a copied directory.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

class Impostor final : public Process {
 public:
  explicit Impostor(World& world) : Process(world, "impostor", "impostor") {}
  /// Dials `to` as `whom`, another process of it, and goes after `stay`. False: it does so already.
  bool pose_as(const Process& whom, const Process& to, BootId boot, Duration stay);

  Hello hello() const override { return hello_; }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId, RequestId, Message&&) override {}  // it understands nothing

 private:
  void on_start() override {}
  void on_kill() override {}
  Hello hello_;
  Duration stay_{};
  bool busy_ = false;
};

}  // namespace loglog::simulator
