// An endpoint is an address; a node may answer at an address that the metadata do not name.
// Therefore a connection is taken for the node that its hello names, and never for the node that
// was dialled.
#include "sdk/core/cluster_view.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace loglog::client {
namespace {
constexpr Duration ask_every = 50ms;      ///< between questions for metadata that a call waits for
constexpr Duration refresh_every = 1s;    ///< between questions after a failed connection
constexpr Duration round_trip_max = 30s;  ///< longer samples come from stopped nodes, not distance
constexpr std::size_t late_max = 1024;    ///< late requests that are remembered (spec/09)
constexpr std::size_t failures_told_max = 6;  ///< addresses in a message
constexpr Duration slow_told_every = 1s;      ///< between events about a slow node
/// Explains to people why a node was not reached.
std::string cause(const Error& failure) {
  switch (failure.code) {
    case Errc::bad_magic:
    case Errc::malformed_message:
    case Errc::checksum_mismatch:
    case Errc::message_too_large:
    case Errc::unexpected_message:
      return "what answers there does not speak LogLog";
    case Errc::connection_lost:
      if (!failure.detail.empty()) return failure.detail;
      break;
    default:
      break;
  }
  return failure.message();
}

/// True if the peer itself said why it closed the connection.
bool is_refusal(const Error& why) {
  return why.code != Errc::ok && why.code != Errc::connection_lost;
}

}  // namespace

ClusterView::ClusterView(const Options& options, Random& random, Output& out)
    : options_(options), random_(random), out_(out) {}

/// Asks the driver to connect, unless a connection exists or the pause after a failure lasts.
void ClusterView::dial(Time now, const std::string& address, Endpoint& e) {
  if (e.connection != ConnectionId{} || now < e.retry_at) return;
  e.connection = ConnectionId{++connections_};
  e.dialled_at = now;
  connections_in_use_[e.connection] = endpoints_.find(address);
  out_.connects.push_back({e.connection, address});
}

/// Returns the connection to an address if it is up; makes the endpoint and dials it otherwise.
ConnectionId ClusterView::at(Time now, const std::string& address, Place& place) {
  if (address.empty()) return {};
  if (place == endpoints_.end())
    place = endpoints_
                .try_emplace(
                    address,
                    Endpoint{.peer = {}, .retry = {options_.reconnect_min, options_.reconnect_max}})
                .first;
  Endpoint& e = place->second;
  dial(now, address, e);
  return e.up ? e.connection : ConnectionId{};
}

ConnectionId ClusterView::at(Time now, const std::string& address) {
  Place place = endpoints_.find(address);
  return at(now, address, place);
}

const ClusterView::Endpoint* ClusterView::endpoint_of(ConnectionId c) const {
  const auto i = connections_in_use_.find(c);
  return i == connections_in_use_.end() ? nullptr : &i->second->second;
}

/// Returns a connection to the node, at `address` or at any other address where a node with this
/// role and id answers: the metadata may be older than the node's move.
ConnectionId ClusterView::reach(Time now, const std::string& address, Place& place, Role role,
                                std::uint32_t id) {
  if (const ConnectionId c = at(now, address, place); c != ConnectionId{}) return c;
  for (const auto& [other, e] : endpoints_)
    if (e.up && e.peer.role == role && e.peer.id == id) return e.connection;
  return {};
}

ConnectionId ClusterView::node(Time now, NodeId id) {
  for (std::size_t i = 0; i < metadata_.storage.size(); ++i)
    if (const StorageInfo& s = metadata_.storage[i]; s.id == id)
      return reach(now, s.address, storage_places_[i], Role::storage, id.value);
  want_logs_ = true;
  ask_metadata(now);
  return {};
}

ConnectionId ClusterView::replica(Time now, const LogInfo& log, ReplicaChoice& choice,
                                  const std::set<NodeId>& tried, NodeId& chosen) {
  if (chosen == NodeId{}) chosen = choice.pick(now, log.members, tried);
  ConnectionId c = node(now, chosen);
  // A connection that is still being made is not waited for if another member's is up.
  for (std::size_t i = 0; c == ConnectionId{} && i < log.members.size(); ++i) {
    const NodeId n = log.members[i].node;
    if (tried.contains(n)) continue;
    c = node(now, n);
    if (c != ConnectionId{}) chosen = n;
  }
  return c;
}

ConnectionId ClusterView::sequencer(Time now, SequencerId id) {
  for (std::size_t i = 0; i < metadata_.sequencers.size(); ++i)
    if (const SequencerInfo& s = metadata_.sequencers[i]; s.id == id)
      return reach(now, s.address, sequencer_places_[i], Role::sequencer, id.value);
  return {};
}

ConnectionId ClusterView::leader(Time now) {
  if (leader_ != SequencerId{})
    if (const ConnectionId c = sequencer(now, leader_); c != ConnectionId{}) return c;
  want_leader_ = true;
  ask_metadata(now);
  return {};
}

ConnectionId ClusterView::any(Time now) {
  std::vector<ConnectionId> up;
  for (const std::string& a : options_.addresses) at(now, a);
  for (const auto& [address, e] : endpoints_)
    if (e.up) up.push_back(e.connection);
  return up.empty() ? ConnectionId{} : up[rotation_++ % up.size()];
}

bool ClusterView::is_sequencer(ConnectionId c) const {
  const Endpoint* e = endpoint_of(c);
  return e != nullptr && e->peer.role == Role::sequencer;
}

std::uint8_t ClusterView::version_of(ConnectionId c) const {
  const Endpoint* e = endpoint_of(c);
  return e == nullptr ? std::uint8_t{0} : std::min(protocol_highest, e->peer.highest_version);
}

Member ClusterView::storage_at(ConnectionId c) const {
  const Endpoint* e = endpoint_of(c);
  if (e == nullptr || e->peer.role != Role::storage) return {};
  return {NodeId{e->peer.id}, e->peer.disk};
}

bool ClusterView::is_leader(ConnectionId c) const {
  return leader_ != SequencerId{} && is_sequencer(c) && endpoint_of(c)->peer.id == leader_.value;
}

bool ClusterView::is_leaders_word(ConnectionId c, const Metadata& m) {
  if (m.leader == SequencerId{})
    // A former leader may have lost its directory, or has not applied all its entries yet.
    not_leader(c, {});
  return m.leader != SequencerId{} && is_leader(c);
}

void ClusterView::not_leader(ConnectionId from, SequencerId leader) {
  if (leader != SequencerId{}) lead_by(leader);
  else if (is_leader(from)) leader_ = {};
  tell_leader();
  // A sequencer that names itself and refuses knows no other leader: ask around again.
  if (is_leader(from)) leader_ = {};
}

/// Asks any node for metadata, because every node knows the nodes. The sequencers are dialled as
/// well, because they know best which sequencer leads and which logs exist.
void ClusterView::ask_metadata(Time now) {
  if (now < ask_at_) return;
  ask_at_ = now + ask_every;
  for (const SequencerInfo& s : metadata_.sequencers) at(now, s.address);
  const ConnectionId c = any(now);
  if (c == ConnectionId{}) return;
  request(now, c, GetMetadata{{}, want_logs_}, options_.answer_timeout,
          [this, c](Time, Message* m) {
            const auto* answer = m ? std::get_if<Metadata>(m) : nullptr;
            if (answer) learn(c, *answer);
          });
}

void ClusterView::learn(ConnectionId from, const Metadata& m) {
  // Answers of different nodes come in any order: older metadata must not undo newer metadata. They
  // still add logs that are unknown here.
  const bool newer = m.metadata.version >= metadata_.version;
  refresh_ = false;
  if (newer || metadata_.storage.empty()) {
    metadata_ = m.metadata;
    metadata_.logs.clear();
    forget_endpoints();
    storage_places_.assign(metadata_.storage.size(), endpoints_.end());
    sequencer_places_.assign(metadata_.sequencers.size(), endpoints_.end());
  }
  for (const LogInfo& l : m.metadata.logs)
    if (newer || !logs_.contains(l.id)) logs_[l.id] = l;
  if (is_sequencer(from) && !m.metadata.logs.empty()) want_logs_ = false;
  if (m.leader == SequencerId{}) return;
  // A storage node may name a leader of long ago, so its word counts only if no leader is known.
  if (is_sequencer(from)) lead_by(m.leader);
  else if (leader_ == SequencerId{}) leader_ = m.leader;
  tell_leader();
}

/// Drops endpoints that have no connection and are no longer listed in the metadata or the options.
void ClusterView::forget_endpoints() {
  std::set<std::string_view> known(options_.addresses.begin(), options_.addresses.end());
  for (const SequencerInfo& s : metadata_.sequencers) known.insert(s.address);
  for (const StorageInfo& s : metadata_.storage) known.insert(s.address);
  std::erase_if(endpoints_, [&](const auto& e) {
    return e.second.connection == ConnectionId{} && !known.contains(e.first);
  });
}

/// A sequencer names this leader, so the leader is up, and is dialled at once. Otherwise the pause
/// of earlier failures would delay the first connection to a leader that has just come back.
void ClusterView::lead_by(SequencerId leader) {
  leader_ = leader;
  for (const SequencerInfo& s : metadata_.sequencers)
    if (s.id == leader)
      if (const auto e = endpoints_.find(s.address); e != endpoints_.end()) e->second.retry_at = {};
}

/// An event, if the leader is another than the last that was told. The time without a leader is no
/// event: connection_lost has told it.
void ClusterView::tell_leader() {
  if (leader_ == SequencerId{} || std::exchange(told_leader_, leader_) == leader_) return;
  Event e{.kind = Event::Kind::leader_changed, .role = Role::sequencer, .node = leader_.value};
  for (const SequencerInfo& s : metadata_.sequencers)
    if (s.id == leader_) e.address = s.address;
  out_.events.push_back(std::move(e));
}

void ClusterView::slow(Time now, NodeId id, LogId log, Error why) {
  if (id == NodeId{}) return;  // its connection is gone already
  const auto told = told_slow_.try_emplace(id, now);
  if (!told.second) {
    if (now < told.first->second + slow_told_every) return;
    told.first->second = now;
  }
  Event e{.kind = Event::Kind::replica_slow,
          .role = Role::storage,
          .node = id.value,
          .log = log,
          .why = std::move(why)};
  for (const StorageInfo& s : metadata_.storage)
    if (s.id == id) e.address = s.address;
  out_.events.push_back(std::move(e));
}

/// An event about the node at `address`: the node that said hello there, or else the node that the
/// metadata name.
void ClusterView::tell(Event::Kind kind, const std::string& address, const Endpoint& e,
                       const Error& why) {
  Event event{.kind = kind, .address = address, .why = why};
  if (e.was_up) {
    event.role = e.peer.role;
    event.node = e.peer.id;
  } else {
    for (const SequencerInfo& s : metadata_.sequencers)
      if (s.address == address) event.role = Role::sequencer, event.node = s.id.value;
    for (const StorageInfo& s : metadata_.storage)
      if (s.address == address) event.role = Role::storage, event.node = s.id.value;
  }
  out_.events.push_back(std::move(event));
}

RequestId ClusterView::request(Time now, ConnectionId to, Message m, Duration timeout, Handler h,
                               bool many) {
  if (++requests_ == 0) ++requests_;  // request id 0 means that no answer is expected (W2)
  const RequestId id{requests_};
  const Time until = timeout == Duration::max() ? never : now + timeout + distance(to);
  // Requests with longer time-outs may wait at the node, so their answers do not tell the distance.
  first_timeout_ = std::min(first_timeout_, until);
  pending_[{to, id}] =
      Pending{std::move(h), until, many, now, !many && timeout <= options_.answer_timeout};
  tell(to, id, std::move(m));
  return id;
}

const LogInfo* ClusterView::log(LogId id) const {
  const auto i = logs_.find(id);
  return i == logs_.end() ? nullptr : &i->second;
}

void ClusterView::want_log(Time now, LogId id) {
  if (log(id) != nullptr) return;
  want_logs_ = true;
  ask_metadata(now);
}

/// Time-outs follow the measured distance (spec/06). Four round trips leave room for a path whose
/// delay doubles.
Duration ClusterView::distance(ConnectionId c) const {
  const Endpoint* e = endpoint_of(c);
  if (e == nullptr) return {};
  return std::max(Duration(0), 4 * e->round_trip - options_.answer_timeout);
}

/// Takes a sample of the round trip, from a hello or an answer. A longer sample counts at once, so
/// that the next time-out is long enough. Shorter samples lower the value step by step.
void ClusterView::measure(Endpoint& e, Duration sample) {
  sample = std::min(sample, round_trip_max);
  e.round_trip = sample > e.round_trip ? sample : e.round_trip - (e.round_trip - sample) / 4;
}

/// A node that answers neither refuses this client nor is it farther than the answer took.
void ClusterView::answered_after(ConnectionId c, Duration sample) {
  const auto i = connections_in_use_.find(c);
  if (i == connections_in_use_.end()) return;
  Endpoint& e = i->second->second;
  e.refusal = {};
  measure(e, sample);
}

Duration ClusterView::longest_round_trip() const {
  Duration longest{};
  for (const auto& [address, e] : endpoints_)
    if (e.up) longest = std::max(longest, e.round_trip);
  return longest;
}

bool ClusterView::all_refused() const {
  for (const auto& [address, e] : endpoints_)
    if (e.was_up) return false;
  return std::ranges::all_of(options_.addresses, [this](const std::string& a) {
    const auto e = endpoints_.find(a);
    return e != endpoints_.end() && e->second.failure.code != Errc::ok;
  });
}

std::string ClusterView::failures() const {
  std::string out;
  std::size_t told = 0;
  for (const auto& [address, e] : endpoints_) {
    const Error& why = e.why_silent();
    if (why.code == Errc::ok || ++told > failures_told_max) continue;
    out += (out.empty() ? "" : "; ") + address + ": " + cause(why);
  }
  return out;
}

std::string ClusterView::why_silent(NodeId id) const {
  const auto node = std::ranges::find(metadata_.storage, id, &StorageInfo::id);
  if (node == metadata_.storage.end()) return "its address is not known";
  const auto e = endpoints_.find(node->address);
  if (e == endpoints_.end() || e->second.why_silent().code == Errc::ok) return "no answer";
  return cause(e->second.why_silent());
}

void ClusterView::connected(Time now, const Connected& c) {
  const auto i = connections_in_use_.find(c.connection);
  if (i == connections_in_use_.end()) return;
  auto& [address, e] = *i->second;
  e.up = true;
  ++figures_.connections;
  if (std::exchange(e.was_up, true)) ++figures_.reconnections;
  e.peer = c.peer;
  e.failure = {};
  measure(e, now - e.dialled_at);
  e.told_away = false;
  tell(Event::Kind::connected, address, e, {});
  ask_at_ = {};  // ask the new node for wanted metadata at once
  const bool says = !options_.name.empty() || !options_.version.empty();
  if (says && c.peer.role == Role::sequencer)
    tell(c.connection, RequestId{}, ClientIs{options_.name, options_.version});
}

void ClusterView::disconnected(Time now, const Disconnected& d) {
  const auto i = connections_in_use_.find(d.connection);
  if (i == connections_in_use_.end()) return;
  auto& [address, e] = *i->second;
  if (is_leader(d.connection)) leader_ = {};
  if (!e.up) ++figures_.connections_failed;
  // The node may have moved to another address, so the metadata are asked for again.
  if (!e.up && !std::exchange(refresh_, true)) refresh_at_ = std::max(refresh_at_, now);
  e.connection = {};
  e.failure = d.why.code == Errc::ok ? Error{Errc::connection_lost, {}} : d.why;
  e.refusal = e.up && is_refusal(d.why) ? d.why : Error{};
  if (e.up) tell(Event::Kind::connection_lost, address, e, e.failure);
  else if (!std::exchange(e.told_away, true)) tell(Event::Kind::unreachable, address, e, e.failure);
  // A node that refuses this client after the hello is dialled ever less often, like a node that is
  // not there: with many refused clients it would do nothing but refuse.
  if (e.up && e.refusal.code == Errc::ok) e.retry.succeeded();
  e.up = false;
  e.retry_at = e.retry.after_failure(now, random_);
  connections_in_use_.erase(i);
  lost(now, d.connection);
}

void ClusterView::drop(Time now, ConnectionId c) {
  out_.closes.push_back({c, {}});
  disconnected(now, {c, Error{Errc::connection_lost, {}}});
}

/// Ends the requests on a connection that is gone. Handlers may start new requests, so pending_ is
/// left in order before any of them runs.
void ClusterView::lost(Time now, ConnectionId c) {
  std::vector<Handler> handlers;
  const auto begin = pending_.lower_bound({c, RequestId{0}});
  auto end = begin;
  for (; end != pending_.end() && end->first.first == c; ++end)
    handlers.push_back(std::move(end->second.handler));
  pending_.erase(begin, end);
  late_.erase(late_.lower_bound({c, RequestId{0}}),
              late_.lower_bound({ConnectionId{c.value + 1}, RequestId{0}}));
  for (const Handler& h : handlers) h(now, nullptr);
}

bool ClusterView::answered(Time now, Arrived& a) {
  const auto i = pending_.find({a.from, a.request});
  if (i == pending_.end()) {
    // The request timed out, but its answer still measures the distance: the next time-out to this
    // node is longer.
    if (const auto late = late_.find({a.from, a.request}); late != late_.end()) {
      answered_after(a.from, now - late->second);
      late_.erase(late);
    }
    return false;
  }
  if (i->second.measures) answered_after(a.from, now - i->second.sent_at);
  if (i->second.many) {
    const Handler h = i->second.handler;  // a copy: the handler may call forget()
    h(now, &a.message);
  } else {
    const Handler h = std::move(i->second.handler);
    pending_.erase(i);
    h(now, &a.message);
  }
  return true;
}

void ClusterView::tick(Time now) {
  if (first_timeout_ <= now) end_late_requests(now);
  for (auto& [address, e] : endpoints_) dial(now, address, e);
  if (want_leader_ && leader_ != SequencerId{}) want_leader_ = false;
  if (want_leader_ || want_logs_ || metadata_.storage.empty()) ask_metadata(now);
  if (refresh_ && refresh_at_ <= now) {
    refresh_at_ = now + refresh_every;
    ask_metadata(now);
  }
}

void ClusterView::end_late_requests(Time now) {
  // Handlers change pending_, so the late requests are collected first and looked up again.
  std::vector<std::pair<ConnectionId, RequestId>> late;
  first_timeout_ = never;
  for (const auto& [key, p] : pending_) {
    if (p.timeout <= now) late.push_back(key);
    else first_timeout_ = std::min(first_timeout_, p.timeout);
  }
  for (const auto& key : late) {
    const auto i = pending_.find(key);
    if (i == pending_.end()) continue;
    const Handler h = std::move(i->second.handler);
    if (late_.size() >= late_max) late_.clear();
    if (i->second.measures) late_[key] = i->second.sent_at;
    pending_.erase(i);
    h(now, nullptr);
  }
}

Time ClusterView::wake() const {
  Time t = want_leader_ || want_logs_ || metadata_.storage.empty() ? ask_at_ : never;
  if (refresh_) t = std::min(t, refresh_at_);
  for (const auto& [address, e] : endpoints_)
    if (e.connection == ConnectionId{}) t = std::min(t, e.retry_at);
  return pending_.empty() ? t : std::min(t, first_timeout_);
}

}  // namespace loglog::client
