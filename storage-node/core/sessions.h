// The connections whose hellos were accepted, and the connection of the sequencer that leads as far
// as this node knows. Owns the sessions; decides which connection of a sequencer is obeyed (D2) and
// when a second process under its id is told. Closes nothing itself: StorageMachine closes
// connections, and tells the logs that know them.
#pragma once
#include <map>
#include <set>
#include <vector>

#include "storage-node/core/log_replica.h"

namespace loglog::storage {

class Sessions {
 public:
  struct Session {
    Hello peer;
    Time heard{};
    /// Logs that know this connection as a reader or observer, and are told when it goes.
    std::set<LogId> users;
    /// Producers that the connection observes in all logs (V2).
    std::size_t observed = 0;
  };
  /// The judgement on a sequencer's new connection (D2).
  struct Newest {
    /// The sequencer's first process is heard on another connection, so the new one is refused.
    bool is_twin = false;
    /// Otherwise: connections of the sequencer that the new connection replaces.
    std::vector<ConnectionId> outdated;
  };

  /// A hello was accepted.
  void connected(Time now, ConnectionId c, const Hello& peer) {
    Session& s = sessions_[c];
    s.peer = peer;
    s.heard = now;
  }
  /// A message has come. Returns false if the connection has no session.
  bool heard(Time now, ConnectionId from);
  bool contains(ConnectionId c) const { return sessions_.contains(c); }
  /// The session, which must exist.
  Session& at(ConnectionId c) { return sessions_.at(c); }
  /// The session, or null.
  Session* find(ConnectionId c) {
    const auto it = sessions_.find(c);
    return it == sessions_.end() ? nullptr : &it->second;
  }
  /// Ends the session, if there is any, and returns the logs that know the connection.
  std::set<LogId> forget(ConnectionId c);
  /// The log is freed: no session knows it any more.
  void log_gone(const LogReplica& log);
  /// Fills in how many connections stand, by role.
  void count(Report& report) const;

  /// D2: judges a sequencer's connection, whose session has just begun.
  Newest judge(Time now, ConnectionId newest) const;
  /// True if the alarm about a second process under this id is due, which then counts as raised.
  bool twin_alarm_due(Time now, SequencerId sequencer);
  /// Sequencers with a second process, until the next alarm about it is overdue.
  std::vector<SequencerId> twins(Time now);

  /// Zero: no sequencer that is connected leads.
  ConnectionId leader() const { return leader_; }
  void set_leader(ConnectionId c) { leader_ = c; }
  /// A Seal from the connection was answered, so its sequencer leads.
  void sealed_by(Time now, ConnectionId c) {
    leader_ = c;
    leader_heard_ = now;
  }
  /// The leader's session, or null.
  const Session* leader_session() const {
    const auto it = sessions_.find(leader_);
    return it == sessions_.end() ? nullptr : &it->second;
  }
  /// When anything last came from the leader.
  Time leader_heard() const { return leader_heard_; }

 private:
  std::map<ConnectionId, Session> sessions_;
  ConnectionId leader_{};
  Time leader_heard_{};
  /// When a second process under a sequencer's id was last refused with an alarm.
  std::map<SequencerId, Time> twins_;
};

}  // namespace loglog::storage
