// SequencerMachine: links to the other sequencers (spec/04, "Links between sequencers"). Of two
// sequencers the lower id dials, and only a single link at a time counts.
#include <fmt/format.h>

#include <algorithm>

#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {
/// Pause between two alarms about a second process under a sequencer's id, which comes back about
/// once a second.
constexpr Duration twin_alarm_pause = 10s;
}  // namespace

/// The reason why the connection cannot be this sequencer's link; empty: it can.
std::string SequencerMachine::no_link_for(SequencerId id, const Connected& c) const {
  const bool known =
      std::ranges::any_of(options_.sequencers, [id](const SequencerInfo& s) { return s.id == id; });
  if (!known || id == options_.id)
    return fmt::format("sequencer {} is not configured here", id.value);
  if (rules::is_dialled_by_lower_id(c.dialled, options_.id, id)) return {};
  return fmt::format("of sequencers {} and {} the one with the lower id dials", options_.id.value,
                     id.value);
}

/// Sequencers ping each other every reach_every, so a live peer is heard within the bound.
bool SequencerMachine::is_heard(SequencerId id) const {
  const auto heard = sequencers_heard_.find(id);
  return heard != sequencers_heard_.end() && now_ - heard->second.any <= peer_silence_max();
}

/// A displaced link is closed with the reason. Otherwise its other end would take it for the link
/// that counts, send everything into it, and never dial again. A process dials anew if its link
/// broke, so its newest connection counts. Another process under the same id is refused while the
/// first process is heard: it has a wrong id, or its directory is a copy.
void SequencerMachine::sequencer_connected(const Connected& c) {
  const SequencerId id{c.peer.id};
  if (const std::string why = no_link_for(id, c); !why.empty())
    return out_.closes.push_back({c.connection, Error{Errc::wrong_identity, why}});
  const auto close_displaced = [&](ConnectionId displaced) {
    out_.closes.push_back(
        {displaced, Error{Errc::connection_lost,
                          fmt::format("sequencer {} has made a newer connection", id.value)}});
  };
  if (const auto old = sequencers_.find(id);
      old != sequencers_.end() && rules::closes_displaced_link()) {
    const bool same_process = connections_.at(old->second).boot == c.peer.boot;
    if (!same_process && is_heard(id)) return refuse_twin(id, c.connection);
    if (same_process && old->second > c.connection)
      return close_displaced(
          c.connection);  // accepted before the other connection, heard of after it
    close_displaced(old->second);
  }
  sequencers_[id] = c.connection;
  sequencers_heard_[id] = {now_, now_};
  raft_.peer_connected(now_, id);
}

/// Refuses a second process; the alarm is raised once per twin_alarm_pause.
void SequencerMachine::refuse_twin(SequencerId id, ConnectionId c) {
  const std::string why =
      fmt::format("another process runs as sequencer {} and is connected", id.value);
  out_.closes.push_back({c, Error{Errc::wrong_identity, why}});
  const auto told = twins_.find(id);
  const bool again = told != twins_.end() && now_ - told->second < twin_alarm_pause;
  twins_.insert_or_assign(id, again ? told->second : now_);
  if (!again)
    event(Event::Level::alarm, fmt::format("two processes run as sequencer {}: the second one was "
                                           "refused. Stop it; it has a wrong --id, or "
                                           "its directory is a copy",
                                           id.value));
}

}  // namespace loglog::sequencer
