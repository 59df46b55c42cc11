// What the client knows of the cluster: connections (one for each address), who is who, which logs
// there are, who leads; and the requests in flight on those connections.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sdk/core/client_machine.h"
#include "sdk/core/replica_choice.h"
#include "sdk/core/retry_schedule.h"

namespace loglog::client {

class ClusterView {
 public:
  /// Gets the answer; nullptr: the connection was lost or the time is up.
  using Handler = std::function<void(Time, Message*)>;

  ClusterView(const Options& options, Random& random, Output& out);

  /// A connection that stands, or 0 while it is being made (connections wanted once are kept).
  ConnectionId node(Time now, NodeId id);
  /// To `chosen` (0: `choice` picks one), or to another member that is not in `tried` and need not
  /// be waited for; `chosen` becomes the one whose connection it is. 0: none stands yet.
  ConnectionId replica(Time now, const LogInfo& log, ReplicaChoice& choice,
                       const std::set<NodeId>& tried, NodeId& chosen);
  ConnectionId sequencer(Time now, SequencerId id);
  /// The leader's, or 0 while it is being looked for.
  ConnectionId leader(Time now);
  /// Some node that answers, sequencers or storage nodes in rotation; 0: none yet.
  ConnectionId any(Time now);
  /// `from` says that `leader` leads (0: it does not know).
  void not_leader(ConnectionId from, SequencerId leader);
  bool is_sequencer(ConnectionId c) const;
  /// The storage node at the other end and its disk, as it said itself; node 0: none, or the
  /// connection is gone.
  Member storage_at(ConnectionId c) const;
  bool is_leader(ConnectionId c) const;
  /// Of an answer that was learned: it is the leader's, as it says itself, and what is not in it is
  /// not there. One that led and names nobody is not believed to lead any more.
  bool is_leaders_word(ConnectionId c, const Metadata& m);

  /// Sends a request. `many`: the handler stays for further answers until forget() or the
  /// connection's end.
  RequestId request(Time now, ConnectionId to, Message m, Duration timeout, Handler h,
                    bool many = false);
  void tell(ConnectionId to, RequestId request, Message m) {
    out_.sends.push_back({to, request, std::move(m)});
  }
  void forget(ConnectionId to, RequestId request) { pending_.erase({to, request}); }
  void drop(Time now, ConnectionId c);
  /// By how much an answer from there may come later than from near by, as measured: nothing below
  /// half a second of round trip.
  Duration distance(ConnectionId c) const;
  /// The longest round trip measured to a node that is connected.
  Duration longest_round_trip() const;
  /// Whether no node has ever been reached and every address of the options has failed.
  bool all_refused() const;
  /// "HOST:PORT: connection refused; …" of the nodes that could not be reached, and are not now;
  /// empty: there are none.
  std::string failures() const;

  /// nullptr: not known (yet): looked for in the background where `want`ed.
  const LogInfo* log(LogId id) const;
  void want_log(Time now, LogId id);
  void learn(const LogInfo& info) { logs_[info.id] = info; }
  void learn(ConnectionId from, const Metadata& m);
  const ClusterMetadata& metadata() const { return metadata_; }
  /// Of the whole client: all that counts has the view.
  Figures& figures() { return figures_; }
  const Figures& figures() const { return figures_; }

  void connected(Time now, const Connected& c);
  void disconnected(Time now, const Disconnected& d);
  /// Whether a request waited for it.
  bool answered(Time now, Arrived& a);
  void tick(Time now);
  Time wake() const;

 private:
  struct Endpoint {
    ConnectionId connection{};  // 0: none under way
    bool up = false;
    bool was_up = false;  // ever
    Hello peer;
    Time retry_at{};
    RetrySchedule retry;
    Time dialled_at{};
    Duration round_trip{};  // to an answer; 0: not known
    Error failure{};        // of the last attempt to reach it; ok: it succeeded, or there was none
  };
  struct Pending {
    Handler handler;
    Time timeout;
    bool many;
    Time sent_at{};
    bool measures =
        false;  // its answer tells the round trip, because the node does not wait before it answers
  };
  ConnectionId at(Time now, const std::string& address);
  ConnectionId reach(Time now, const std::string& address, Role role, std::uint32_t id);
  void dial(Time now, const std::string& address, Endpoint& e);
  void lost(Time now, ConnectionId c);
  void measure(ConnectionId c, Duration sample);
  void lead_by(SequencerId leader);
  void forget_endpoints();
  void ask_metadata(Time now);

  const Options& options_;
  Random& random_;
  Output& out_;
  std::uint64_t connections_ = 0;
  std::uint32_t requests_ = 0;
  std::map<std::string, Endpoint> endpoints_;
  std::map<ConnectionId, std::string> addresses_;
  std::map<std::pair<ConnectionId, RequestId>, Pending> pending_;
  std::map<std::pair<ConnectionId, RequestId>, Time>
      late_;                  // when requests were sent whose time was up before their answer came
  ClusterMetadata metadata_;  // nodes only; logs are in logs_
  std::map<LogId, LogInfo> logs_;
  SequencerId leader_{};
  bool want_leader_ = false, want_logs_ = false;
  Time ask_at_{};
  bool refresh_ = false;  // somebody could not be reached where the metadata say
  Time refresh_at_{};
  std::size_t rotation_ = 0;
  Figures figures_;
};

}  // namespace loglog::client
