// Dialler: pauses grow while a peer is away, and are long once it has refused this process.
#include "sequencer/core/cluster/dialler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace loglog::sequencer {
namespace {

/// Pauses between dials, before jitter (RetrySchedule). A sequencer that is back takes part in
/// elections once it is connected, so the longest pause is short.
constexpr Duration redial_min = 20ms;
constexpr Duration redial_max = 200ms;
/// A refusal, of the peer or of this sequencer, is not withdrawn quickly.
constexpr Duration redial_refused = 1s;

Time after_refusal(Time now, Random& random) {
  return RetrySchedule(redial_refused, redial_refused).after_failure(now, random);
}

}  // namespace

Dialler::Dialler(const Options& options) {
  for (const SequencerInfo& s : options.sequencers)
    if (s.id > options.id) add(Role::sequencer, s.id.value, s.address);
  for (const StorageInfo& s : options.storage) add(Role::storage, s.id.value, s.address);
  if (peers_.empty()) due_ = never;
}

void Dialler::add(Role role, std::uint32_t id, const std::string& address) {
  const auto number = static_cast<std::uint32_t>(peers_.size() + 1);
  peers_.push_back({.dial = {number, role, id, address}, .retry = {redial_min, redial_max}});
}

Dialler::Peer* Dialler::find(std::uint32_t number) {
  return number == 0 || number > peers_.size() ? nullptr : &peers_[number - 1];
}

void Dialler::dial_due(Time now, std::vector<Dial>& out) {
  if (now < due_) return;
  due_ = never;
  for (Peer& p : peers_) {
    if (p.due <= now) {
      p.due = never;
      out.push_back(p.dial);
    }
    due_ = std::min(due_, p.due);
  }
}

void Dialler::connected(std::uint32_t number) {
  Peer* p = find(number);
  if (p == nullptr) return;
  p->retry.succeeded();
  p->told = Errc::ok;
}

std::optional<std::string> Dialler::failed(Time now, Random& random, std::uint32_t number,
                                           const Error& why) {
  Peer* p = find(number);
  if (p == nullptr || p->due != never) return std::nullopt;
  wait_until(*p, why.code == Errc::connection_lost ? p->retry.after_failure(now, random)
                                                   : after_refusal(now, random));
  if (std::exchange(p->told, why.code) == why.code) return std::nullopt;
  return fmt::format("{} {} at {}: {}",
                     p->dial.role == Role::sequencer ? "sequencer" : "storage node", p->dial.id,
                     p->dial.address, why.message());
}

void Dialler::closed(Time now, Random& random, std::uint32_t number) {
  if (Peer* p = find(number); p != nullptr && p->due == never)
    wait_until(*p, after_refusal(now, random));
}

void Dialler::wait_until(Peer& p, Time due) {
  p.due = due;
  due_ = std::min(due_, due);
}

}  // namespace loglog::sequencer
