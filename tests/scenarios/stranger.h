// A client that speaks the protocol without the SDK: it sends what a story hands it and keeps what
// comes back.
#pragma once
#include <vector>

#include "tests/simulator/world.h"

namespace loglog::scenarios {

class Stranger final : public simulator::Process {
 public:
  explicit Stranger(simulator::World& world) : Process(world, "stranger", "stranger") { start(); }
  ~Stranger() override { kill(); }

  void dial(const std::string& address) {
    world_.network.dial(*this, address, connection_ = next_connection(), 0);
  }
  bool connected() const { return connected_; }
  void send(const Message& m) {
    world_.network.send(*this, connection_, RequestId{++requests_}, m);
  }
  /// The newest message of a type that came; null: none.
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
