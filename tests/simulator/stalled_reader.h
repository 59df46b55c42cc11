// A client that follows all logs of a storage node and takes nothing. Its connection stands, so the
// pages that it asked for fill the node's queue. The node must bound the bytes that it keeps for
// all readers together, and other readers must go on (spec/06 "Follow and credit"). weather.cpp
// starts it for `stalled_reader`.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Checks the promise `memory` for its own connection. The node must outlive it.
class StalledReader final : public Process {
 public:
  /// Reads from `node` and disconnects after `stay`.
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
  std::uint64_t queued_ = 0;  // bytes of pages that the node has sent to it
};

}  // namespace loglog::simulator
