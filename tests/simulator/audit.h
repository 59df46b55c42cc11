// At the end, every replica is read by itself, as a client would that insists on one node: what it
// serves must be whole, and what is not is reported to it and must be repaired from its peers
// within a bound (K4, §12: a bit rots on one replica).
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

class ReplicaAudit final : public Process {
 public:
  /// Reads `log` on `node` up to `committed`.
  ReplicaAudit(World& world, const Process& node, LogId log, Offset committed);
  bool done() const { return at_ >= committed_; }
  /// Where it stands and what the node said last.
  std::string standing() const;

  Hello hello() const override;
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override { dial(); }
  void on_kill() override {}
  void dial();
  void ask();
  void ask_later();
  void take(const Page& page);

  const Process& node_;
  LogId log_;
  Offset committed_;
  Offset at_{};
  ConnectionId connection_{};
  std::uint32_t requests_ = 0;
  std::vector<std::byte> rest_;  // the begin of a frame, from at_ on
  Errc last_ = Errc::ok;
};

}  // namespace loglog::simulator
