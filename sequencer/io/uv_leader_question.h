// A single question to another sequencer, over a connection of its own, as a client asks it. The
// driver uses it for the status page and its history; no rule depends on the answer.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "proto-spec/transport/connection.h"

namespace loglog::sequencer {

/// Asks the sequencer `id` at `address` for its overview with at most `logs_max` logs. `done` is
/// called once, on the loop's thread and never from inside this call: with the answer, or with
/// nullptr if no answer came within `patience`. The returned guard owns the question: once it is
/// gone, `done` is not called any more.
std::shared_ptr<void> ask_for_overview(transport::Loop& loop, const std::string& address,
                                       SequencerId id, std::uint32_t logs_max, Duration patience,
                                       std::function<void(const Overview*)> done);

}  // namespace loglog::sequencer
