// The status page and its figures over HTTP.
#pragma once
#include "proto-spec/http/loop_gate.h"
#include "sequencer/io/uv_sequencer_driver.h"

namespace loglog::sequencer {

/// The page for people at /, what it shows at /status.json. Driver and gate as for pages_of().
void add_status_pages(http::Pages& pages, SequencerDriver& driver, http::LoopGate& gate);

}  // namespace loglog::sequencer
