// The HTTP pages of a sequencer: figures for monitors, and the status page of status_pages.h.
#pragma once
#include "proto-spec/http/loop_gate.h"
#include "sequencer/io/uv_sequencer_driver.h"

namespace loglog::sequencer {

/// The status page, /healthz, /readyz and /metrics (Prometheus). The pages ask the driver on its
/// own thread. The driver must live until gate.close(), and the gate as long as the pages.
http::Pages pages_of(SequencerDriver& driver, http::LoopGate& gate);

}  // namespace loglog::sequencer
