// What a sequencer shows over HTTP.
#pragma once
#include "proto-spec/http/loop_gate.h"
#include "sequencer/io/uv_sequencer_driver.h"

namespace loglog::sequencer {

/// The status page, /healthz, /readyz and /metrics (Prometheus). The driver is asked on its own
/// thread; it must live until gate.close(), and the gate as long as the pages.
http::Pages pages_of(SequencerDriver& driver, http::LoopGate& gate);

}  // namespace loglog::sequencer
