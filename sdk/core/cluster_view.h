// The client's knowledge of the cluster: a connection for each address, the node behind each
// connection, the logs, the leader; and the requests in flight on these connections. Knowledge may
// be stale: metadata come from any node, and the versions order them. Used by every part of the
// core (spec/07 "Whom a client knows").
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/retry_schedule.h"
#include "sdk/core/figures.h"
#include "sdk/core/options.h"
#include "sdk/core/output.h"
#include "sdk/core/replica_choice.h"

namespace loglog::client {

class ClusterView {
 public:
  /// Called once with the answer, or with nullptr if the connection was lost or the time-out
  /// passed. May start further requests.
  using Handler = std::function<void(Time, Message*)>;

  ClusterView(const Options& options, Random& random, Output& out);

  // ---- Connections. Each of these returns a connection that is up, or 0 while none is; then it
  // has begun to dial, and the caller asks again later. A connection is kept once it was asked for.

  /// To a storage node, at the address that the metadata name or wherever its hello said it is.
  ConnectionId node(Time now, NodeId id);
  /// To a replica of the log: to `chosen` if it is up, else to another member that is up and not in
  /// `tried`. If `chosen` is 0, `choice` picks. Sets `chosen` to the node of the connection.
  ConnectionId replica(Time now, const LogInfo& log, ReplicaChoice& choice,
                       const std::set<NodeId>& tried, NodeId& chosen);
  ConnectionId sequencer(Time now, SequencerId id);
  /// To the leader. 0 also while the leader is unknown; then the view asks for it.
  ConnectionId leader(Time now);
  /// To any node that is up, sequencers and storage nodes in rotation.
  ConnectionId any(Time now);

  /// `from` has refused as not the leader, or did not answer, and names `leader` (0: none).
  void not_leader(ConnectionId from, SequencerId leader);
  bool is_sequencer(ConnectionId c) const;
  /// The protocol version of the connection (W7); 0: the connection is gone.
  std::uint8_t version_of(ConnectionId c) const;
  /// Storage node and disk at the other end, as its hello said. Node 0: another role, or the
  /// connection is gone.
  Member storage_at(ConnectionId c) const;
  bool is_leader(ConnectionId c) const;
  /// True if this `Metadata`, which was learned already, came from the current leader, so a log
  /// that is missing from it does not exist (R2). A sequencer that names no leader is no longer
  /// taken for the leader.
  bool is_leaders_word(ConnectionId c, const Metadata& m);

  /// Sends a request and calls `h` with its answer. The time-out grows with distance(to);
  /// Duration::max(): none. `many`: the handler stays for further answers until forget() or the end
  /// of the connection.
  RequestId request(Time now, ConnectionId to, Message m, Duration timeout, Handler h,
                    bool many = false);
  /// Sends a message that has no handler.
  void tell(ConnectionId to, RequestId request, Message m) {
    out_.sends.push_back({to, request, std::move(m)});
  }
  /// Removes the handler of a request; its answers are ignored.
  void forget(ConnectionId to, RequestId request) { pending_.erase({to, request}); }
  /// Closes the connection; its requests get nullptr.
  void drop(Time now, ConnectionId c);
  /// Addition to a time-out of answers, so that it is at least four measured round trips of this
  /// connection. 0 for round trips up to a quarter of Options::answer_timeout.
  Duration distance(ConnectionId c) const;
  /// The longest measured round trip of the connections that are up.
  Duration longest_round_trip() const;
  /// The storage node delays the appends of `log`: an Event, at most once a second for each node.
  void slow(Time now, NodeId id, LogId log, Error why);
  /// Whether no node has ever been reached and every address of the options has failed.
  bool all_refused() const;
  /// Nodes that are unreachable now, with the causes: "HOST:PORT: connection refused; ...". At most
  /// six; empty if there are none.
  std::string failures() const;
  /// Why the storage node has not answered, for people: the reason with which it refused this
  /// client, the cause of a failed dial, or "no answer".
  std::string why_silent(NodeId id) const;

  /// Metadata of a log; nullptr if this client does not know the log. The pointer is valid until
  /// the next learn().
  const LogInfo* log(LogId id) const;
  /// Asks for the logs, again and again until they are known.
  void want_log(Time now, LogId id);
  void learn(const LogInfo& info) { logs_[info.id] = info; }
  /// Takes over metadata that are newer than the known ones, and the leader that they name.
  void learn(ConnectionId from, const Metadata& m);
  /// The newest known metadata, without logs.
  const ClusterMetadata& metadata() const { return metadata_; }
  /// Counts of the whole client. They live here because every part of the core has the view.
  Figures& figures() { return figures_; }
  const Figures& figures() const { return figures_; }

  void connected(Time now, const Connected& c);
  void disconnected(Time now, const Disconnected& d);
  /// Gives an answer to the handler of its request. False: no request waits for this message.
  bool answered(Time now, Arrived& a);
  /// Ends requests whose time-out has passed, dials again and asks for metadata that are wanted.
  void tick(Time now);
  Time wake() const;

 private:
  // An address and the node behind it.
  struct Endpoint {
    ConnectionId connection{};  // dialled or up; 0: neither
    bool up = false;            // both hellos were exchanged
    bool was_up = false;        // at any time before
    bool told_away = false;     // the event `unreachable` was given since the last connection
    Hello peer;                 // of the last connection that was up
    Time retry_at{};            // no dial before
    RetrySchedule retry;
    Time dialled_at{};
    Duration round_trip{};  // estimate by measure(); 0: unknown
    Error failure{};        // of the last attempt to connect; ok: it succeeded, or there was none
    Error refusal{};  // with which the node ended the last connection; ok: it has answered since

    const Error& why_silent() const { return up ? refusal : failure; }
  };
  struct Pending {
    Handler handler;
    Time timeout;
    bool many;
    Time sent_at{};
    // The answer tells the round trip, because the node answers such a request at once.
    bool measures = false;
  };
  using Endpoints = std::map<std::string, Endpoint>;
  /// An endpoint by address, found at the first use; end(): not found yet.
  using Place = Endpoints::iterator;
  ConnectionId at(Time now, const std::string& address);
  ConnectionId at(Time now, const std::string& address, Place& place);
  ConnectionId reach(Time now, const std::string& address, Place& place, Role role,
                     std::uint32_t id);
  void dial(Time now, const std::string& address, Endpoint& e);
  const Endpoint* endpoint_of(ConnectionId c) const;
  void lost(Time now, ConnectionId c);
  void end_late_requests(Time now);
  static void measure(Endpoint& e, Duration sample);
  void answered_after(ConnectionId c, Duration sample);
  void lead_by(SequencerId leader);
  void tell_leader();
  void tell(Event::Kind kind, const std::string& address, const Endpoint& e, const Error& why);
  void forget_endpoints();
  void ask_metadata(Time now);

  const Options& options_;
  Random& random_;
  Output& out_;
  std::uint64_t connections_ = 0;
  std::uint32_t requests_ = 0;
  Endpoints endpoints_;
  // Of connections that are dialled or up. An endpoint with a connection is never erased.
  std::map<ConnectionId, Endpoints::iterator> connections_in_use_;
  std::map<std::pair<ConnectionId, RequestId>, Pending> pending_;
  // No request times out before; the request that it belonged to may have been answered since.
  Time first_timeout_ = never;
  // Send times of requests whose time-out passed before an answer came: a late answer still
  // measures the round trip, otherwise a distant node would time out for ever.
  std::map<std::pair<ConnectionId, RequestId>, Time> late_;
  ClusterMetadata metadata_;  // without logs, which are in logs_
  // Of the nodes in metadata_, in the same order. An endpoint that the metadata name is never
  // erased.
  std::vector<Place> storage_places_, sequencer_places_;
  std::map<LogId, LogInfo> logs_;
  SequencerId leader_{};              // 0: unknown
  SequencerId told_leader_{};         // of the last event leader_changed
  std::map<NodeId, Time> told_slow_;  // of the last event replica_slow
  bool want_leader_ = false, want_logs_ = false;
  Time ask_at_{};         // no GetMetadata before
  bool refresh_ = false;  // a node was unreachable at its known address: it may have moved
  Time refresh_at_{};
  std::size_t rotation_ = 0;  // of any()
  Figures figures_;
};

}  // namespace loglog::client
