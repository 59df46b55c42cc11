// SequencerMachine: wall clocks (R4, R5). Each Vote and Appended carries the sender's clock. Raft
// does not read it: it is put in on the way out and taken out on the way in.
#include <fmt/format.h>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {

/// Takes the clock out of a Raft message, before Raft gets the message.
void SequencerMachine::hear_clock(SequencerId from, const Message& m) {
  if (const auto* v = std::get_if<Vote>(&m)) clock_.heard(now_, from, v->clock_ms);
  else if (const auto* a = std::get_if<Appended>(&m)) clock_.heard(now_, from, a->clock_ms);
}

/// Puts the own clock into a Raft message on its way out.
void SequencerMachine::tell_clock(Message& m) const {
  if (auto* v = std::get_if<Vote>(&m)) v->clock_ms = clock_.told(now_);
  else if (auto* a = std::get_if<Appended>(&m)) a->clock_ms = clock_.told(now_);
}

std::uint64_t SequencerMachine::wall_ms() const { return clock_.stamp(now_); }
std::optional<std::uint64_t> SequencerMachine::age_by() const { return clock_.age_by(now_); }

/// Raises the alarm once each time that clocks begin to differ; the status page shows it while it
/// lasts.
void SequencerMachine::watch_clocks() {
  if (now_ < clocks_due_) return;
  clocks_due_ = now_ + 1s;
  std::string off;
  for (const SequencerInfo& s : options_.sequencers) {
    const std::uint32_t ms = clock_.off_ms(now_, s.id);
    if (ms <= clock_skew_ms_max) continue;
    off += fmt::format("{}sequencer {} {}", off.empty() ? "" : ", ", s.id.value,
                       ms == ~std::uint32_t{0} ? std::string("was just set")
                                               : fmt::format("is {} s off", ms / 1000));
  }
  if (!off.empty() && !clocks_differ_)
    event(Event::Level::alarm,
          fmt::format(
              "the clocks of the sequencers differ ({}): retention by age waits until they agree",
              off));
  else if (off.empty() && clocks_differ_)
    event(Event::Level::info, "the clocks of the sequencers agree again");
  clocks_differ_ = !off.empty();
}

}  // namespace loglog::sequencer
