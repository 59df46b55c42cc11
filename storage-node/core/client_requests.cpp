// Uploads and reads first, then requests beside them.
#include "storage-node/core/client_requests.h"

#include <set>
#include <string_view>

namespace loglog::storage {

/// An upload needs no leader and no term, only a log that is made.
void ClientRequests::on(ConnectionId from, RequestId request, Upload& m) {
  LogReplica* l = logs_.live(m.log);
  if (l == nullptr)
    return node_.send(from, request,
                      Busy{m.log, m.run.producer, m.run.first, Errc::not_member,
                           node_.options.busy_retry_after_ms});
  l->upload(from, request, m);
}

/// Finds the log that is to be read. Returns null if it is not here; the reader has been answered.
LogReplica* ClientRequests::readable(ConnectionId from, RequestId request, LogId log,
                                     Offset offset) {
  if (LogReplica* l = logs_.live(log)) return l;
  const LogReplica* l = logs_.find(log);
  const bool dropped = l != nullptr ? l->state.dropped : logs_.tombstones().names(log);
  node_.send(from, request,
             Page{log, offset, {}, {}, dropped ? Errc::no_such_log : Errc::not_member, {}});
  return nullptr;
}

/// The session notes the log, so that its readers are forgotten with the connection.
void ClientRequests::on(ConnectionId from, RequestId request, Read& m) {
  LogReplica* l = readable(from, request, m.log, m.offset);
  if (l == nullptr) return;
  sessions_.at(from).users.insert(m.log);
  l->reader.read(from, request, m);
}

void ClientRequests::on(ConnectionId from, RequestId request, GetSegments& m) {
  const LogReplica* l = logs_.find(m.log);
  if (l == nullptr && logs_.tombstones().names(m.log))
    return node_.fail_request(from, request, Errc::no_such_log);
  if (l == nullptr || !l->state.made) return node_.fail_request(from, request, Errc::not_member);
  if (l->state.dropped) return node_.fail_request(from, request, Errc::no_such_log);
  node_.send(from, request, l->reader.segments(m.from));
}

void ClientRequests::on(ConnectionId from, RequestId request, Follow& m) {
  LogReplica* l = readable(from, request, m.log, m.offset);
  if (l == nullptr) return;
  sessions_.at(from).users.insert(m.log);
  // A second Follow with the request id of a first Follow replaces it; the first may be of another
  // log.
  if (const auto before = node_.flow.followed(from, request))
    if (LogReplica* other = logs_.find(*before)) other->reader.credit(from, request, 0);
  l->reader.follow(from, request, m);
}

void ClientRequests::on(ConnectionId from, RequestId request, Credit& m) {
  const auto log = node_.flow.followed(from, request);
  if (!log) return;
  if (LogReplica* l = logs_.find(*log)) l->reader.credit(from, request, m.bytes);
}

void ClientRequests::on(ConnectionId, RequestId, ReportCorrupt& m) {
  if (LogReplica* l = logs_.live(m.log)) l->report_corrupt(m);
}

/// V2. The limit is counted for each connection over all logs, so a connection that loses a place
/// gets its count back.
void ClientRequests::on(ConnectionId from, RequestId, Observe& m) {
  LogReplica* l = logs_.live(m.log);
  if (l == nullptr) return;
  Sessions::Session& session = sessions_.at(from);
  if (session.observed >= observed_per_connection_max) return;
  session.users.insert(m.log);
  ++session.observed;
  if (const auto loses = l->observe(from, m))
    if (Sessions::Session* other = sessions_.find(*loses)) --other->observed;
}

/// Readers find nodes and logs here when no sequencer answers (spec/03). The answer names the
/// leader only if a leader is connected.
void ClientRequests::on(ConnectionId from, RequestId request, GetMetadata& m) {
  Metadata answer{node_.metadata, {}};
  if (const Sessions::Session* leader = sessions_.leader_session())
    answer.leader = SequencerId{leader->peer.id};
  const std::set<std::string_view> names(m.names.begin(), m.names.end());
  if (!m.all_logs)
    std::erase_if(answer.metadata.logs, [&](const LogInfo& l) { return !names.contains(l.name); });
  node_.send(from, request, std::move(answer));
}

}  // namespace loglog::storage
