// Reads every replica by itself at the end of a run, like a client that insists on a single node.
// Each replica must serve its log whole. The audit reports bad frames to the node, and the node
// must repair them from its peers within a bound (K4). run.cpp starts an audit for each node of a
// log.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// A client process without an SDK: it sends `Read` and verifies each frame itself.
class ReplicaAudit final : public Process {
 public:
  /// Reads `log` on `node` from its beginning up to `committed`. Both processes must outlive the
  /// audit.
  ReplicaAudit(World& world, const Process& node, LogId log, Offset committed);
  /// True once every byte below `committed` was read and verified.
  bool done() const { return at_ >= committed_; }
  /// The position and the node's last answer, for the report of a violation.
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
  /// The frame that the audit reads next begins here.
  Offset at_{};
  ConnectionId connection_{};
  std::uint32_t requests_ = 0;
  /// The beginning of a frame that is not whole yet; it starts at `at_`.
  std::vector<std::byte> rest_;
  /// The reason in the last page; `ok` before any page.
  Errc last_ = Errc::ok;
};

}  // namespace loglog::simulator
