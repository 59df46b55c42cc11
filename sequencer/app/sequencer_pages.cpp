#include "sequencer/app/sequencer_pages.h"

#include "proto-spec/http/node_pages.h"

namespace loglog::sequencer {

http::Pages pages_of(SequencerDriver& driver, http::LoopGate& gate) {
  http::Pages pages = http::node_pages(gate, [&driver] { return driver.readiness(); });
  // A further page: pages["/path"] = [&driver, &gate](const http::Request& r) { auto found = gate.ask([&driver] { … }); … };
  return pages;
}

}  // namespace loglog::sequencer
