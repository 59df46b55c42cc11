// A client that speaks the protocol without the SDK: it sends the messages that a story gives it
// and keeps the answers.
// Stories use it for requests that a correct SDK never sends.
#pragma once
#include <vector>

#include "tests/simulator/world.h"

namespace loglog::scenarios {

/// A process of the simulated world with a single connection. It runs from construction to
/// destruction.
class Stranger final : public simulator::Process {
 public:
  explicit Stranger(simulator::World& world) : Process(world, "stranger", "stranger") { start(); }
  ~Stranger() override { kill(); }

  /// Opens the connection; connected() tells when the peer's hello has come.
  void dial(const std::string& address) {
    world_.network.dial(*this, address, connection_ = next_connection(), 0);
  }
  bool connected() const { return connected_; }
  /// Sends `m` under a fresh request id over the connection.
  void send(const Message& m) {
    world_.network.send(*this, connection_, RequestId{++requests_}, m);
  }
  /// The newest message of type M that has arrived, or null.
  template <class M>
  const M* got() const {
    for (auto m = messages_.rbegin(); m != messages_.rend(); ++m)
      if (const M* x = std::get_if<M>(&*m)) return x;
    return nullptr;
  }

  Hello hello() const override {
    return {hello_magic, protocol_lowest, protocol_highest, Role::client, {}, {}, 0, BootId{77},
            {},          1u << 20};
  }
  void on_connected(ConnectionId, const Hello&, std::uint64_t) override { connected_ = true; }
  void on_connect_failed(std::uint64_t, ConnectionId) override {}
  void on_disconnected(ConnectionId) override { connected_ = false; }
  void on_arrived(ConnectionId, RequestId, Message&& m) override {
    messages_.push_back(std::move(m));
  }

 protected:
  void on_start() override {}
  void on_kill() override {}

 private:
  ConnectionId connection_{};
  bool connected_ = false;
  std::uint32_t requests_ = 0;
  std::vector<Message> messages_;
};

}  // namespace loglog::scenarios
