// The requests of clients to a storage node: uploads, reads, follows, reports of damage, observed
// producers and the metadata. No request needs a leader or a term, only a log that is here. Finds
// the log, notes in the session which logs must hear that the connection goes, and passes the
// message on. StorageMachine calls, for messages of connections that have a session.
#pragma once
#include "storage-node/core/log_table.h"
#include "storage-node/core/sessions.h"

namespace loglog::storage {

class ClientRequests {
 public:
  /// All three must outlive this object.
  ClientRequests(Node& node, const LogTable& logs, Sessions& sessions)
      : node_(node), logs_(logs), sessions_(sessions) {}
  ClientRequests(const ClientRequests&) = delete;
  ClientRequests& operator=(const ClientRequests&) = delete;

  void on(ConnectionId from, RequestId request, Upload& m);
  void on(ConnectionId from, RequestId request, Read& m);
  void on(ConnectionId from, RequestId request, GetSegments& m);
  void on(ConnectionId from, RequestId request, Follow& m);
  void on(ConnectionId from, RequestId request, Credit& m);
  void on(ConnectionId from, RequestId request, ReportCorrupt& m);
  void on(ConnectionId from, RequestId request, Observe& m);
  void on(ConnectionId from, RequestId request, GetMetadata& m);

 private:
  LogReplica* readable(ConnectionId from, RequestId request, LogId log, Offset offset);

  Node& node_;
  const LogTable& logs_;
  Sessions& sessions_;
};

}  // namespace loglog::storage
