// One question to another sequencer, over a connection of its own, as a client asks it.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "proto-spec/transport/uv_connection.h"

namespace loglog::sequencer {

/// Asks the sequencer `id` at `address` for its overview with `logs_max` logs at most. `done` is
/// called once, on the loop's thread and never from inside this call: with the answer, or nullptr
/// when there was none within `patience`. Nothing is called after the guard that is returned has
/// gone.
std::shared_ptr<void> ask_for_overview(transport::Loop& loop, const std::string& address,
                                       SequencerId id, std::uint32_t logs_max, Duration patience,
                                       std::function<void(const Overview*)> done);

}  // namespace loglog::sequencer
