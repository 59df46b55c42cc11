// Parts in this order: start, connections, timers and stop, dispatch and admission, the leader's
// commands, metadata, peers. Handlers are short: they admit the command, find the log, and pass the
// message to LogReplica. The requests of clients are in client_requests.cpp.
#include "storage-node/core/storage_machine.h"

#include <algorithm>
#include <string_view>

#include "proto-spec/wire/field_codec.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {

/// A leader pings every second, so longer silence means that it is gone or cut off (readiness
/// only).
constexpr Duration leader_silence_max = 5s;

}  // namespace

StorageMachine::StorageMachine(Options options, std::uint64_t seed)
    : node_(std::move(options), seed),
      identity_(node_),
      cluster_(node_),
      logs_(node_, identity_.promise),
      clients_(node_, logs_, sessions_),
      reach_(node_),
      space_(node_) {}
StorageMachine::~StorageMachine() = default;

// ---- start

/// The order matters: the identity decides whether anything here may be believed, and the metadata
/// describes the logs.
Result<void> StorageMachine::start(Time now, StartupDisk& disk) {
  begin(now);
  const auto disk_is_new = identity_.start(disk);
  if (!disk_is_new) return std::unexpected(disk_is_new.error());
  // The promise is written first: an identity without a promise would be DATA LOSS at the next
  // start.
  if (const Promise& held = identity_.promise.held(); *disk_is_new)
    identity_.promise.raise(held.term, held.instance, [this] { save_identity(); });
  if (auto found = cluster_.start(disk); !found) return found;
  identity_.heed_loss();
  if (auto found = logs_.start(disk); !found) return found;
  end();
  return {};
}

void StorageMachine::save_identity() {
  node_.disk(SaveFile{"identity", encode_identity(node_.identity)},
             [this, version = node_.identity.record_version](DiskDone&&) {
               identity_.saved(version);
               resume_waiting();
             });
}

const LogCore* StorageMachine::log(LogId id) const {
  const LogReplica* l = logs_.find(id);
  return l == nullptr ? nullptr : &l->state;
}

/// The reasons are checked from the whole node down to its logs; the first reason is told.
std::expected<std::string, std::string> StorageMachine::readiness(Time now) const {
  const auto no = [](std::string why) { return std::unexpected(std::move(why)); };
  if (node_.data_loss)
    return no(
        "its data or identity is lost (T4); it counts as down until an empty disk takes its place");
  if (node_.identity.cluster == ClusterId{}) return no("no sequencer has named its cluster yet");
  const Sessions::Session* leader = sessions_.leader_session();
  if (leader == nullptr) return no("no leader has sealed it; it waits for one to connect");
  const Duration silent = now - sessions_.leader_heard();
  if (silent > leader_silence_max)
    return no(fmt::format("sequencer {}, which led, has been silent for {} s", leader->peer.id,
                          std::chrono::duration_cast<std::chrono::seconds>(silent).count()));
  std::size_t serving = 0;
  for (const auto& [id, log] : logs_.all()) {
    const LogCore& s = log->state;
    if (!s.made || s.dropped) continue;
    if (s.lost()) return no(fmt::format("the promise of log {} is lost (T4)", id.value));
    if (s.store.no_space() != Errc::ok)
      return no(fmt::format("log {}: {}", id.value, sentence_of(s.store.no_space())));
    if (s.is_suspect())
      return no(fmt::format("log {} has damaged bytes that are not copied again yet", id.value));
    if (!s.is_matched())
      return no(fmt::format("log {} is not matched in its leader's term {} yet", id.value,
                            s.promise().held().term.value));
    ++serving;
  }
  return fmt::format("sealed in term {} by sequencer {}, {} logs",
                     identity_.promise.held().term.value, leader->peer.id, serving);
}

Report StorageMachine::report() const {
  Report r{.counted = node_.figures,
           .staged_runs = node_.staging.runs(),
           .staged_bytes = node_.staging.bytes(),
           .cached_bytes = node_.tail_caches.bytes(),
           .pages_in_flight = node_.flow.bytes(),
           .readers = node_.flow.readers(),
           .asked_bytes = node_.transfers.under_way(),
           .fetched_bytes = node_.fetched_bytes,
           .given_bytes = node_.giving.bytes(),
           .staged_runs_dropped = node_.staging.dropped(),
           .promise = identity_.promise.held().term,
           .data_loss = node_.data_loss,
           .disk_free_bytes = space_.disk().free_bytes,
           .disk_size_bytes = space_.disk().size_bytes,
           .tombstones = logs_.tombstones().size(),
           .logs = {}};
  sessions_.count(r);
  for (const auto& [id, log] : logs_.all()) {
    const LogCore& s = log->state;
    if (!s.made || s.dropped) continue;
    ++r.logs_in_all;
    if (s.is_matched()) ++r.logs_matched;
    if (s.is_suspect()) ++r.logs_suspect;
    if (s.lost()) ++r.logs_lost;
    if (r.logs.size() < logs_shown_max)
      r.logs.push_back({id, s.info.name, s.first(), s.committed, s.durable.end, log->disk_bytes()});
  }
  return r;
}

// ---- connections

/// A hello was accepted. A new connection of a sequencer closes its older connections (D2).
void StorageMachine::connected(Time now, const Connected& c) {
  begin(now);
  ++node_.figures.connections;
  sessions_.connected(now, c.connection, c.peer);
  if (c.peer.role == Role::sequencer) {
    adopt_cluster(c.peer.cluster, c.peer.cluster_name);
    if (rules::closes_older_connections()) keep_newest(c.connection);
  }
  if (c.dialled != NodeId{}) {
    // The address may have been taken over by another node since the metadata named it.
    if (c.peer.role == Role::storage && c.peer.id == c.dialled.value)
      node_.transfers.connected(c.dialled, c.connection);
    else {
      node_.out.closes.push_back(
          {c.connection,
           Error{Errc::wrong_identity, fmt::format("expected storage node {}", c.dialled.value)}});
      node_.transfers.lost(c.dialled);
    }
  }
  end();
}

/// D2: closes the connections that a sequencer's new connection replaces, or the new connection if
/// another process runs under the sequencer's id.
void StorageMachine::keep_newest(ConnectionId newest) {
  const SequencerId sequencer{sessions_.at(newest).peer.id};
  const Sessions::Newest verdict = sessions_.judge(node_.now, newest);
  for (const ConnectionId id : verdict.outdated)
    close(id, Error{Errc::connection_lost,
                    fmt::format("sequencer {} has made a newer connection", sequencer.value)});
  if (!verdict.is_twin) return;
  close(newest, Error{Errc::wrong_identity,
                      fmt::format("another process runs as sequencer {} and is connected",
                                  sequencer.value)});
  if (sessions_.twin_alarm_due(node_.now, sequencer))
    node_.event(Event::Level::alarm,
                fmt::format("two processes run as sequencer {}: the second one was refused. Stop "
                            "it; it has a wrong --id, or its directory is "
                            "a copy",
                            sequencer.value));
}

/// Closes a connection. Nothing that still comes from it counts.
void StorageMachine::close(ConnectionId c, Error why) {
  node_.out.closes.push_back({c, std::move(why)});
  forget(c);
}

void StorageMachine::adopt_cluster(ClusterId cluster, const std::string& name) {
  // Before the fresh identity is durable, its save includes the cluster.
  if (identity_.adopt(cluster, name) && identity_.durable()) save_identity();
}

void StorageMachine::connect_failed(Time now, const ConnectFailed& c) {
  begin(now);
  node_.transfers.lost(c.node);
  end();
}

void StorageMachine::disconnected(Time now, const Disconnected& d) {
  begin(now);
  forget(d.connection);
  end();
}

/// Removes every trace of a connection. Everything that waits for it is told or dropped.
void StorageMachine::forget(ConnectionId c) {
  for (const LogId id : sessions_.forget(c))
    if (LogReplica* log = logs_.find(id)) log->forget(c);
  std::erase_if(waiting_, [&](const Arrived& a) { return a.from == c; });
  for (const auto& [id, log] : logs_.all())
    if (log->state.leader == c) log->state.leader = {};
  node_.flow.forget(c);
  node_.transfers.connection_lost(c);
  node_.giving.lost(c);
}

void StorageMachine::arrived(Time now, Arrived&& a) {
  begin(now);
  const bool known = sessions_.heard(now, a.from);
  // A node that stops takes nothing more, but still sends (spec/04, handing over at a stop).
  if (known && stop_by_ == never) dispatch(a.from, a.request, std::move(a.message));
  end();
}

void StorageMachine::written(Time now, const Written& w) {
  begin(now);
  node_.flow.written(w.to, w.bytes);
  end();
}

void StorageMachine::disk_done(Time now, DiskDone&& d) {
  begin(now);
  if (const auto of = node_.disk_done(d))
    if (LogReplica* log = logs_.find(*of)) log->disk_done(d);
  end();
}

void StorageMachine::tick(Time now) {
  begin(now);
  node_.transfers.tick();
  node_.staging.expire(now);
  node_.tail_caches.tick(now);
  for (LogId id : node_.take_due())
    if (LogReplica* log = logs_.find(id)) log->tick();
  if (reports() && space_.next_tick() <= now)
    node_.send(sessions_.leader(), RequestId{},
               space_.make(logs_, reach_.unreachable(), sessions_.twins(now)));
  if (stop_by_ == never) reach_.tick();
  end();
}

void StorageMachine::opening_waits(Time now, LogId log) {
  begin(now);
  if (LogReplica* l = logs_.find(log)) l->opening_waits();
  end();
}

void StorageMachine::begin_stop(Time now) {
  begin(now);
  if (stop_by_ == never) {
    stop_by_ = now + node_.options.stop_max;
    for (const auto& [id, log] : logs_.all()) log->begin_stop();
  }
  end();
}

bool StorageMachine::may_stop() const {
  if (stop_by_ == never) return false;
  return node_.now >= stop_by_ ||
         std::ranges::all_of(logs_.all(), [](const auto& l) { return l.second->at_rest(); });
}

void StorageMachine::resume_readers() {
  while (const auto next = node_.flow.next_to_resume())
    if (LogReplica* log = logs_.find(next->second)) log->reader.resume(next->first);
}

/// Frees dropped logs whose work on the disk has ended.
void StorageMachine::give_back_dropped() {
  for (const LogId id : logs_.take_gone()) {
    node_.transfers.forget(id);
    if (const LogReplica* l = logs_.find(id)) sessions_.log_gone(*l);
    logs_.remove(id);
  }
}

void StorageMachine::end() {
  // The driver does not report a connection that the node itself closes.
  for (const CloseConnection& c : node_.out.closes)
    if (sessions_.contains(c.connection)) forget(c.connection);
  if (node_.flow.may_resume()) resume_readers();
  if (logs_.any_leaving()) give_back_dropped();
  node_.out.wake = std::min({node_.next_wake(), reports() ? space_.next_tick() : never, stop_by_,
                             stop_by_ == never ? reach_.next_tick() : never});
}

// ---- dispatch

/// Every message enters here, also when it has waited for a promise. A message without a handler
/// closes its connection.
void StorageMachine::dispatch(ConnectionId from, RequestId request, Message&& m) {
  std::visit(
      [&](auto& v) {
        using M = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<M, Ping>) node_.send(from, request, Pong{});
        else if constexpr (std::is_same_v<M, Copied> || std::is_same_v<M, RunIs> ||
                           std::is_same_v<M, Failed> || std::is_same_v<M, Fenced> ||
                           std::is_same_v<M, NotMember> || std::is_same_v<M, Pong>)
          node_.transfers.answered(from, request, m);
        else if constexpr (requires { this->on(from, request, v); }) on(from, request, v);
        else if constexpr (requires { this->clients_.on(from, request, v); })
          clients_.on(from, request, v);
        else
          node_.out.closes.push_back(
              {from, Error{Errc::unexpected_message, "a storage node does not take this message"}});
      },
      m);
}

/// T3: a command below the promise is refused, above it the node was not sealed. A command of the
/// promised term waits until the promise is durable, and until the identity names the version of
/// the cluster's records (T7). A node with data loss refuses everything (T4).
StorageMachine::Admission StorageMachine::admit(ConnectionId from, RequestId request, LogId log,
                                                Term term) {
  const LogReplica* l = logs_.find(log);
  if (node_.data_loss || (l != nullptr && l->state.data_loss)) {
    node_.fail_request(from, request, Errc::data_loss);
    return Admission::refused;
  }
  const PromiseKeeper& promise = l != nullptr ? l->state.promise() : identity_.promise;
  if (rules::is_fenced(term, promise.held().term)) {
    node_.send(from, request, Fenced{log, promise.held().term, promise.held().instance});
    return Admission::refused;
  }
  if (term > promise.held().term) {
    node_.fail_request(from, request, Errc::wrong_state,
                       fmt::format("not sealed in term {}", term.value));
    return Admission::refused;
  }
  // A sequencer that commands in the promised term leads. This corrects the leader after a Seal
  // that came late, over an older connection.
  if (sessions_.at(from).peer.role == Role::sequencer) sessions_.set_leader(from);
  const bool named = identity_.version_is_durable() || !rules::names_version_first();
  return promise.durable() && named ? Admission::yes : Admission::wait;
}

/// T5: a command for a log that is not here is answered NotMember.
LogReplica* StorageMachine::member(ConnectionId from, RequestId request, LogId log) {
  if constexpr (mutations) {
    if (logs_.find(log) == nullptr && !rules::only_join_creates_logs()) logs_.make_unasked(log);
  }
  if (LogReplica* l = logs_.live(log)) return l;
  node_.send(from, request, NotMember{log});
  return nullptr;
}

template <class M>
/// Admits a command and finds its log. Returns null if the command was refused or waits.
LogReplica* StorageMachine::admitted(ConnectionId from, RequestId request, M& m) {
  switch (admit(from, request, m.log, m.term)) {
    case Admission::refused:
      return nullptr;
    case Admission::wait:
      waiting_.push_back({from, request, Message{std::move(m)}});
      return nullptr;
    case Admission::yes:
      break;
  }
  return member(from, request, m.log);
}

/// Dispatches the waiting commands again; a command that must wait longer goes back to the list. If
/// a command has its connection refused, the connection's later commands go with it.
void StorageMachine::resume_waiting() {
  for (Arrived& a : std::exchange(waiting_, {}))
    if (sessions_.contains(a.from)) dispatch(a.from, a.request, std::move(a.message));
}

/// T2: refuses a command that is older than the log's replica set.
bool StorageMachine::stale(ConnectionId from, RequestId request, const LogCore& s,
                           RaftIndex version) {
  if (!rules::is_stale(version, s.set_version)) return false;
  node_.fail_request(
      from, request, Errc::stale_metadata,
      fmt::format("version {}, this node knows {}", version.value, s.set_version.value));
  return true;
}

// ---- the leader's commands

/// S1: intake of older terms closes at once, because raise() changes the promise in memory. The
/// answer waits until the promise is durable (T3); the Seal then passes through here again.
void StorageMachine::on(ConnectionId from, RequestId request, Seal& m) {
  LogReplica* log = m.log == LogId{} ? nullptr : member(from, request, m.log);
  if (m.log != LogId{} && log == nullptr) return;
  if (node_.data_loss || (log != nullptr && log->state.data_loss))
    return node_.fail_request(from, request, Errc::data_loss);
  PromiseKeeper& keeper = log == nullptr ? identity_.promise : log->state.own_promise;
  const Promise& effective = log == nullptr ? keeper.held() : log->state.promise().held();
  if (m.term < effective.term || !keeper.admits(m.term, m.instance))
    return node_.send(from, request, Fenced{m.log, effective.term, effective.instance});
  if (const std::string why = cluster_.implausible(m.term, effective.term, m.metadata_version);
      !why.empty())
    return refuse_number(from, request, "Seal", why);
  if (identity_.is_older_copy(node_.metadata)) return tell_older_copy(from, request, m);
  // A seal in a new term raises the count by itself.
  const Promise& held = identity_.promise.held();
  if (identity_.count_start() && (log != nullptr || m.term == held.term))
    identity_.promise.raise(held.term, held.instance, [this] { resume_waiting(); });
  if (m.term > keeper.held().term) {
    if (!cluster_.takes_seal(m.metadata_version))
      return node_.fail_request(from, request, Errc::stale_metadata);
    keeper.raise(m.term, m.instance, [this] { resume_waiting(); });
  }
  // T4: the answer names the count of the node-wide promise, so that count must be durable too.
  if (!keeper.durable() || !identity_.promise.durable() || !identity_.durable()) {
    // The Seal is answered when it is dispatched again.
    waiting_.push_back({from, request, Message{m}});
    return;
  }
  sealed(from, request, m);
}

/// Answers a Seal on an older copy. The leader that has the count marks the disk as lost (T4), for
/// which the node-wide answer suffices; a leader with older metadata is refused. Nothing is
/// promised to either of them.
void StorageMachine::tell_older_copy(ConnectionId from, RequestId request, const Seal& m) {
  // `Sealed` for a single log would count as that log's promise, which is not made.
  if (m.log != LogId{} || m.metadata_version < node_.metadata.version)
    return node_.fail_request(from, request, Errc::stale_metadata);
  node_.send(from, request,
             Sealed{m.log, m.term, node_.staging.bytes(), identity_.promise.found(),
                    identity_.promise.surely_written(), node_.options.record_version_highest});
}

/// Refuses a number that no correct leader sends.
void StorageMachine::refuse_number(ConnectionId from, RequestId request, std::string_view what,
                                   const std::string& why) {
  node_.fail_request(from, request, Errc::invalid_argument, why);
  if (!cluster_.number_alarm_due()) return;
  node_.event(Event::Level::alarm,
              fmt::format("refused {} of sequencer {}: {}; find out what runs under that id", what,
                          sessions_.at(from).peer.id, why));
}

void StorageMachine::sealed(ConnectionId from, RequestId request, const Seal& m) {
  sessions_.sealed_by(node_.now, from);
  node_.send(from, request,
             Sealed{m.log, m.term, node_.staging.bytes(), identity_.promise.found(),
                    identity_.promise.surely_written(), node_.options.record_version_highest});
}

void StorageMachine::on(ConnectionId from, RequestId request, GetState& m) {
  if (LogReplica* l = admitted(from, request, m)) l->get_state(from, request, m);
}

void StorageMachine::on(ConnectionId from, RequestId request, Reconcile& m) {
  LogReplica* l = admitted(from, request, m);
  if (l != nullptr && !stale(from, request, l->state, m.metadata_version))
    l->reconcile(from, request, m);
}

void StorageMachine::on(ConnectionId from, RequestId request, Order& m) {
  LogReplica* l = admitted(from, request, m);
  if (l != nullptr && !stale(from, request, l->state, m.metadata_version))
    l->order(from, request, m);
}

void StorageMachine::on(ConnectionId from, RequestId request, Watermark& m) {
  if (LogReplica* l = admitted(from, request, m)) l->watermark(m);
}

void StorageMachine::on(ConnectionId from, RequestId request, TrimTo& m) {
  if (LogReplica* l = admitted(from, request, m)) l->trim_to(m.offset);
}

void StorageMachine::on(ConnectionId from, RequestId request, ConfirmTerm& m) {
  if (LogReplica* l = admitted(from, request, m)) l->confirm_term(from, request, m);
}

/// T5: makes the log's folder, and answers Joined when it is durable. A repeat is answered alike.
void StorageMachine::on(ConnectionId from, RequestId request, Join& m) {
  const LogId id = m.info.id;
  const Admission a = admit(from, request, id, m.term);
  if (a == Admission::refused) return;
  if (a == Admission::wait) return waiting_.push_back({from, request, Message{std::move(m)}});
  if (LogReplica* l = logs_.find(id)) {
    if (l->state.dropped) return node_.fail_request(from, request, Errc::log_deleted);
    if (l->state.made && logs_.is_another_log(m.info))
      return refuse_older(from, fmt::format("told to make log {} (\"{}\"), which is \"{}\" here",
                                            id.value, m.info.name, l->state.info.name));
    if (l->state.made) return node_.send(from, request, Joined{id});
    // The log is being made: the Join is answered when that has ended.
    waiting_.push_back({from, request, Message{std::move(m)}});
    return;
  }
  if (logs_.tombstones().forbids(id)) return node_.fail_request(from, request, Errc::log_deleted);
  LogReplica* l = &logs_.add(m.info);
  node_.disk(MakeLog{id, encode_record(m.info, node_.identity.record_version)},
             [this, l, from, request, id](DiskDone&& d) {
               // The leader repeats the Join or deletes the log again (T5).
               if (d.error != Errc::ok) {
                 logs_.remove(id);
                 node_.fail_request(from, request, d.error, d.detail);
               } else {
                 l->state.made = true;
                 node_.send(from, request, Joined{id});
               }
               resume_waiting();
             });
}

void StorageMachine::on(ConnectionId from, RequestId request, Drop& m) {
  const Admission a = admit(from, request, m.log, m.term);
  if (a == Admission::wait) waiting_.push_back({from, request, Message{m}});
  if (a != Admission::yes) return;
  LogReplica* l = logs_.find(m.log);
  if (l == nullptr) return node_.send(from, request, Dropped{m.log});
  logs_.drop(*l, from, request);
}

// ---- metadata

/// T2, T4: takes newer metadata of the own cluster, unless it contradicts the node's history.
void StorageMachine::on(ConnectionId from, RequestId request, Metadata& m) {
  adopt_cluster(m.metadata.cluster, m.metadata.cluster_name);
  // Sequencers that lost their directories say hello without a cluster and begin a new cluster,
  // whose log ids would be those of the logs here. A leader sends Metadata first, so this node
  // obeys nothing else of theirs (T4).
  if (m.metadata.cluster != node_.identity.cluster)
    return refuse_leader(
        from, Errc::wrong_cluster,
        fmt::format("this node's data is of cluster {:016x}, the sequencers are of "
                    "{:016x}; put their directories back",
                    node_.identity.cluster.value, m.metadata.cluster.value));
  if (const std::string why = cluster_.implausible(
          m.metadata.last_term, identity_.promise.held().term, m.metadata.version);
      !why.empty())
    return refuse_number(from, request, "Metadata", why);
  if (const auto why = cluster_.goes_back(m.metadata, logs_, identity_);
      rules::refuses_leader(why.has_value()))
    return refuse_older(from, *why);
  const std::uint8_t records = m.metadata.record_version;
  const std::uint8_t highest = node_.options.record_version_highest;
  if (!rules::may_start(records, highest))
    return refuse_leader(
        from, Errc::wrong_version,
        fmt::format("the cluster's records are of version {}, this program reads up "
                    "to version {}; start a program that reads them",
                    records, highest));
  // T7: the identity names the version before the copy of the metadata is written in it.
  const bool raised = identity_.name_version(records);
  if (raised && rules::names_version_first()) save_identity();
  if (m.metadata.version > node_.metadata.version) {
    node_.metadata = std::move(m.metadata);
    for (const LogInfo& info : node_.metadata.logs)
      if (LogReplica* l = logs_.find(info.id); l != nullptr && !l->state.dropped)
        l->described(info, node_.metadata.version);
    identity_.heed_loss();
    cluster_.save();
  }
  if (raised && !rules::names_version_first()) save_identity();
}

/// A sequencer's metadata has gone back.
void StorageMachine::refuse_older(ConnectionId from, const std::string& why) {
  refuse_leader(
      from, Errc::stale_metadata,
      fmt::format("the sequencers have gone back: {}; stop them and put back their newest "
                  "directories",
                  why));
}

/// Alarms, and closes the connection of a sequencer whose metadata this node cannot take.
void StorageMachine::refuse_leader(ConnectionId from, Errc code, const std::string& why) {
  if (cluster_.refusal_alarm_due()) node_.event(Event::Level::alarm, why);
  close(from, Error{code, why});
}

// ---- peers

void StorageMachine::on(ConnectionId from, RequestId request, Copy& m) {
  if (LogReplica* l = admitted(from, request, m)) l->copy(from, request, m);
}

void StorageMachine::on(ConnectionId from, RequestId request, FetchRun& m) {
  if (LogReplica* l = admitted(from, request, m)) l->fetch_run(from, request, m);
}

void StorageMachine::on(ConnectionId from, RequestId, Taken& m) {
  node_.giving.taken(from, m.bytes);
}

/// P2: each question is answered once, also a question that still waits for a durable promise (T3).
void StorageMachine::on(ConnectionId from, RequestId request, GiveUp&) {
  node_.giving.give_up(from, request);
  if (std::erase_if(waiting_,
                    [&](const Arrived& a) { return a.from == from && a.request == request; }) > 0)
    node_.fail_request(from, request, Errc::cancelled);
}

}  // namespace loglog::storage
