// A client that follows all logs of a storage node and takes nothing: its connection stands, and
// what it asked for fills the node's queue to it. What the node may keep for all readers together
// is bounded, and the others go on.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

class StalledReader final : public Process {
 public:
  /// Reads from `node`, and goes after `stay`.
  StalledReader(World& world, StorageProcess& node, Duration stay)
      : Process(world, "stalled:" + node.name(), "stalled"), node_(node), stay_(stay) {
    takes_nothing = true;
  }

  Hello hello() const override;
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t, ConnectionId) override {}
  void on_disconnected(ConnectionId) override {}
  void on_arrived(ConnectionId, RequestId, Message&& m) override;

 private:
  void on_start() override { world_.network.dial(*this, node_.address(), next_connection(), 0); }
  void on_kill() override {}

  StorageProcess& node_;
  Duration stay_;
  std::uint64_t queued_ = 0;  // bytes of pages that the node has sent
};

}  // namespace loglog::simulator
