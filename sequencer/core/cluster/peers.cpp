// A displaced link is closed with the reason. Otherwise its other end would take it for the link
// that counts, send everything into it, and never dial again.
#include "sequencer/core/cluster/peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// Pause between two alarms about a second process under a sequencer's id, which comes back about
/// once a second.
constexpr Duration twin_alarm_pause = 10s;

}  // namespace

/// The reason why the connection cannot be this sequencer's link; empty: it can.
std::string Peers::no_link_for(SequencerId id, bool dialled) const {
  const bool known =
      std::ranges::any_of(options_.sequencers, [id](const SequencerInfo& s) { return s.id == id; });
  if (!known || id == options_.id)
    return fmt::format("sequencer {} is not configured here", id.value);
  if (rules::is_dialled_by_lower_id(dialled, options_.id, id)) return {};
  return fmt::format("of sequencers {} and {} the one with the lower id dials", options_.id.value,
                     id.value);
}

bool Peers::is_heard(Time now, SequencerId id) const {
  const auto heard = heard_.find(id);
  return heard != heard_.end() && now - heard->second.any <= silence_max();
}

/// A process dials anew if its link broke, so its newest connection counts. Another process under
/// the same id is refused while the first process is heard: it has a wrong id, or its directory is
/// a copy.
Peers::Admission Peers::connected(Time now, const Connected& c) {
  const SequencerId id{c.peer.id};
  Admission out;
  if (const std::string why = no_link_for(id, c.dialled != 0); !why.empty()) {
    out.close = CloseConnection{c.connection, Error{Errc::wrong_identity, why}};
    return out;
  }
  if (const auto old = links_.find(id); old != links_.end() && rules::closes_displaced_link()) {
    const bool same_process = old->second.boot == c.peer.boot;
    if (!same_process && is_heard(now, id)) return refuse_twin(now, id, c.connection);
    // The older of two connections may be heard of after the newer.
    const ConnectionId displaced =
        same_process ? std::min(old->second.connection, c.connection) : old->second.connection;
    out.close = CloseConnection{
        displaced, Error{Errc::connection_lost,
                         fmt::format("sequencer {} has made a newer connection", id.value)}};
    if (displaced == c.connection) return out;
  }
  links_[id] = {c.connection, c.peer.boot};
  heard_[id] = {now, now};
  out.counts = true;
  return out;
}

/// Refuses a second process; the alarm is raised once per twin_alarm_pause.
Peers::Admission Peers::refuse_twin(Time now, SequencerId id, ConnectionId c) {
  Admission out;
  out.close = CloseConnection{
      c, Error{Errc::wrong_identity,
               fmt::format("another process runs as sequencer {} and is connected", id.value)}};
  const auto told = twins_.find(id);
  if (told != twins_.end() && now - told->second < twin_alarm_pause) return out;
  twins_.insert_or_assign(id, now);
  out.alarm = fmt::format(
      "two processes run as sequencer {}: the second one was refused. Stop it; it has a wrong "
      "--id, or its directory is a copy",
      id.value);
  return out;
}

bool Peers::disconnected(SequencerId id, ConnectionId c) {
  if (link(id) != c) return false;
  links_.erase(id);
  return true;
}

bool Peers::heard(Time now, SequencerId id, ConnectionId c, bool answers) {
  if (link(id) != c) return false;
  Heard& h = heard_[id];
  h.any = now;
  if (answers) h.answer = now;
  return true;
}

ConnectionId Peers::link(SequencerId id) const {
  const auto l = links_.find(id);
  return l == links_.end() ? ConnectionId{} : l->second.connection;
}

std::vector<SequencerId> Peers::linked() const {
  std::vector<SequencerId> out;
  out.reserve(links_.size());
  for (const auto& [id, l] : links_) out.push_back(id);
  return out;
}

std::optional<Duration> Peers::silent(Time now, SequencerId id) const {
  const auto heard = heard_.find(id);
  if (heard == heard_.end()) return std::nullopt;
  return now - heard->second.answer;
}

std::optional<Time> Peers::twin_at(SequencerId id) const {
  const auto twin = twins_.find(id);
  if (twin == twins_.end()) return std::nullopt;
  return twin->second;
}

}  // namespace loglog::sequencer
