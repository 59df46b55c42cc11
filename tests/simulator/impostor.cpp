// The impostor says a real sequencer's hello with another boot id, and then only holds the
// connection.
#include "tests/simulator/impostor.h"

namespace loglog::simulator {

bool Impostor::pose_as(const Process& whom, const Process& to, BootId boot, Duration stay) {
  if (busy_) return false;
  if (!alive()) start();
  busy_ = true;
  hello_ = whom.hello();
  hello_.boot = boot;
  stay_ = stay;
  world_.trace(name(), "says to " + to.name() + " that it is " + whom.name());
  world_.network.dial(*this, to.address(), next_connection(), 0);
  return true;
}

void Impostor::on_connected(ConnectionId id, const Hello&, std::uint64_t) {
  world_.scheduler.after(stay_, [this, id, life = life()] {
    deliver(life, [this, id] {
      world_.network.close(*this, id);
      busy_ = false;
    });
  });
}

void Impostor::on_connect_failed(std::uint64_t, ConnectionId) { busy_ = false; }
void Impostor::on_disconnected(ConnectionId) { busy_ = false; }

}  // namespace loglog::simulator
