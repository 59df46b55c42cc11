// Sessions come and go, then the judgement on sequencers that have more than a single connection.
#include "storage-node/core/sessions.h"

namespace loglog::storage {
namespace {
/// A sequencer's process that is silent for longer counts as gone, because it pings every second.
constexpr Duration twin_silence_max = 3s;
/// A second process under a sequencer's id dials every second; the alarm comes less often. Reports
/// name the sequencer until the next alarm is overdue.
constexpr Duration twin_alarm_pause = 10s;
constexpr Duration twin_told = 15s;
}  // namespace

bool Sessions::heard(Time now, ConnectionId from) {
  if (from == leader_) leader_heard_ = now;
  Session* s = find(from);
  if (s == nullptr) return false;
  s->heard = now;
  return true;
}

std::set<LogId> Sessions::forget(ConnectionId c) {
  if (leader_ == c) leader_ = {};
  auto ended = sessions_.extract(c);
  return ended.empty() ? std::set<LogId>{} : std::move(ended.mapped().users);
}

/// Connections that observed producers of the log get their count back.
void Sessions::log_gone(const LogReplica& log) {
  for (auto& [c, s] : sessions_)
    if (s.users.erase(log.state.id) > 0) s.observed -= log.observed_by(c);
}

void Sessions::count(Report& report) const {
  for (const auto& [id, session] : sessions_)
    ++(session.peer.role == Role::client      ? report.clients
       : session.peer.role == Role::sequencer ? report.sequencers
                                              : report.peers);
}

/// A sequencer speaks over one connection. When it has made a new connection, commands that the old
/// connection still holds are out of date: an Order from there would drop newer orders, and its
/// answer would reach nobody. Another process under the same id is refused while the first process
/// is heard, otherwise the two would displace each other for ever.
Sessions::Newest Sessions::judge(Time now, ConnectionId newest) const {
  const Hello& theirs = sessions_.at(newest).peer;
  // In order of arrival, because connection ids rise.
  std::vector<ConnectionId> older, same;
  for (const auto& [id, session] : sessions_) {
    if (session.peer.role != Role::sequencer || session.peer.id != theirs.id) continue;
    const bool twin = session.peer.boot != theirs.boot;
    if (twin && now - session.heard <= twin_silence_max) return {true, {}};
    (twin ? older : same).push_back(id);
  }
  // The last of `same` is the new connection itself.
  same.pop_back();
  older.insert(older.end(), same.begin(), same.end());
  return {false, std::move(older)};
}

bool Sessions::twin_alarm_due(Time now, SequencerId sequencer) {
  const auto told = twins_.find(sequencer);
  if (told != twins_.end() && now - told->second < twin_alarm_pause) return false;
  twins_.insert_or_assign(sequencer, now);
  return true;
}

std::vector<SequencerId> Sessions::twins(Time now) {
  std::erase_if(twins_, [now](const auto& t) { return now - t.second > twin_told; });
  std::vector<SequencerId> twice;
  twice.reserve(twins_.size());
  for (const auto& [sequencer, at] : twins_) twice.push_back(sequencer);
  return twice;
}

}  // namespace loglog::storage
