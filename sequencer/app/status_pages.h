// The status page and /status.json over HTTP, for people and for programs.
#pragma once
#include "proto-spec/http/loop_gate.h"
#include "sequencer/io/uv_sequencer_driver.h"

namespace loglog::sequencer {

/// Adds the page at / and its figures at /status.json. Driver and gate live as for pages_of().
void add_status_pages(http::Pages& pages, SequencerDriver& driver, http::LoopGate& gate);

}  // namespace loglog::sequencer
