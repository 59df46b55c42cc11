// LeaderNodes: a node passes connected -> accepted -> sealed.
#include "sequencer/core/cluster/leader_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {

void LeaderNodes::connected(const Connected& c) {
  const NodeId node{c.peer.id};
  if (state_.nodes.configured(node) == nullptr && state_.metadata.node(node) == nullptr) {
    state_.out.closes.push_back(
        {c.connection, Error{Errc::wrong_identity,
                             fmt::format("storage node {} is not configured here", c.peer.id)}});
    return;
  }
  if (const ConnectionId old = state_.nodes.connection(node); old != ConnectionId{}) {
    state_.out.closes.push_back({old, Error{}});
    logs_.table().each([&](LogTerm& l) { l.node_gone(state_.now, node); });
  }
  state_.nodes.connected(node, c);
  if (state_.leads()) check(node);
}

void LeaderNodes::check(NodeId id) {
  StorageNode* found = state_.nodes.find(id);
  if (found == nullptr || found->connection == ConnectionId{} || found->accepted || found->refused)
    return;
  StorageNode& n = *found;
  const ClusterId ours = state_.metadata.state().cluster;
  if (ours == ClusterId{}) return;  // InitCluster takes the node up again
  const StorageInfo* known = state_.metadata.node(id);
  if (n.disk == DiskId{}) {
    if (known == nullptr) return;
    n.refused = true;
    return state_.event(
        Event::Level::alarm,
        fmt::format("DATA LOSS: node {} cannot read its identity; it counts as down until "
                    "an empty disk takes its place (loglog nodes replace-disk {})",
                    id.value, id.value));
  }
  const StorageInfo* wanted = state_.nodes.configured(id);
  if (known != nullptr && rules::is_foreign_disk(n.disk, known->disk)) {
    n.refused = true;
    const bool said = n.foreign_disk && n.foreign_disk->disk == n.disk;
    n.foreign_disk = {state_.now, n.disk};
    const std::string why = fmt::format(
        "node {} is registered with disk {:016x} and comes with disk {:016x}; it counts as down. "
        "Where the old disk is gone for good: loglog nodes replace-disk {}",
        id.value, known->disk.value, n.disk.value, id.value);
    if (!said) state_.event(Event::Level::alarm, why);
    state_.out.closes.push_back({n.connection, Error{Errc::wrong_identity, why}});
    return;
  }
  if (known == nullptr || known->disk != n.disk ||
      (wanted != nullptr && wanted->address != known->address)) {
    state_.propose(RegisterStorage{StorageInfo{
        id, n.disk, wanted != nullptr ? wanted->address : known->address, false, {}, 0}});
    if (known == nullptr) return;
  }
  if (rules::counts_as_lost(known->lost)) return refuse_lost(id);
  n.accepted = true;
  n.foreign_disk.reset();
  push(id, n);
  seal(id, n);
}

void LeaderNodes::refuse_lost(NodeId id) {
  StorageNode& n = state_.nodes.at(id);
  n.accepted = n.sealed = false;
  n.refused = true;
  state_.event(Event::Level::alarm,
               fmt::format("DATA LOSS: node {} lacks bytes that it had acknowledged; "
                           "it counts as down until an empty disk takes its place "
                           "(loglog nodes replace-disk {})",
                           id.value, id.value));
  logs_.table().each([&](LogTerm& l) { l.node_lost(state_.now, id); });
  if (n.connection != ConnectionId{}) push(id, n);
}

/// Each node keeps a copy of the metadata with the logs that it holds, so that readers can start
/// while no sequencer is up.
void LeaderNodes::push(NodeId id, StorageNode& n) {
  const ClusterMetadata& all = state_.metadata.state();
  ClusterMetadata m{all.version, all.cluster, all.cluster_name, all.last_term, all.sequencers,
                    all.storage, {}};
  m.record_version = all.record_version;
  for (const LogInfo& l : all.logs)
    if (std::any_of(l.members.begin(), l.members.end(),
                    [&](const Member& x) { return x.node == id; }))
      m.logs.push_back(l);
  n.told_version = all.version;
  state_.to_node(id, loglog::Metadata{std::move(m), state_.options.id});
}

Duration LeaderNodes::push_pause() const {
  return std::max<Duration>(20ms, state_.metadata.state().logs.size() * 100us);
}

void LeaderNodes::push_to_all() {
  state_.nodes.push_at(never);
  for (auto& [id, n] : state_.nodes.all())
    if (n.accepted && n.told_version < state_.metadata.version()) push(id, n);
}

void LeaderNodes::tick() {
  for (auto& [id, n] : state_.nodes.all())
    if (n.accepted && !n.sealed && state_.now >= n.seal_due) seal(id, n);
  if (state_.now >= state_.nodes.push_due()) push_to_all();
}

/// Sent again until it is answered. The log id 0 seals the node for all logs.
void LeaderNodes::seal(NodeId id, StorageNode& n) {
  n.seal_due = state_.now + state_.options.recovery_step_timeout;
  state_.to_node(
      id, Seal{LogId{}, state_.reign.term, state_.reign.instance, state_.metadata.version()});
}

/// T4: a new process found less on its disk than the process before it had written there. So its
/// directory is an older copy, or two processes run on copies of the same directory.
bool LeaderNodes::is_older_copy(NodeId id, const StorageNode& n, const Sealed& m) const {
  const StorageInfo* known = state_.metadata.node(id);
  return known != nullptr &&
         rules::is_older_copy(known->boot != n.boot, m.promise_found, known->promise_count);
}

/// T7: true if the node's program reads records of the cluster's version. Otherwise the connection
/// is closed, with the reason; the alarm is raised once.
bool LeaderNodes::reads_records(NodeId id, StorageNode& n) {
  const std::uint8_t version = state_.metadata.record_version();
  if (rules::may_seal_program(n.record_version, version)) {
    n.told_too_old = false;
    return true;
  }
  const std::string why = fmt::format(
      "storage node {} reads records up to version {}, and the cluster's are of version {}; it "
      "counts as down: start a program that reads them",
      id.value, n.record_version, version);
  if (!std::exchange(n.told_too_old, true)) state_.event(Event::Level::alarm, why);
  state_.out.closes.push_back({n.connection, Error{Errc::wrong_version, why}});
  return false;
}

void LeaderNodes::refused_version(NodeId id) {
  StorageNode* n = state_.nodes.find(id);
  if (!state_.raft.is_leader() || n == nullptr || std::exchange(n->told_too_old, true)) return;
  state_.event(Event::Level::alarm,
               fmt::format("storage node {} does not read records of version {}, the cluster's; it "
                           "counts as down: start a program that reads them",
                           id.value, state_.metadata.record_version()));
}

void LeaderNodes::version_raised() {
  state_.event(Event::Level::info,
               fmt::format("the cluster's records are of version {} from now on",
                           state_.metadata.record_version()));
  for (auto& [id, n] : state_.nodes.all())
    if (n.accepted && (!n.sealed || reads_records(id, n))) push(id, n);
}

/// The node has promised this leader's term durably: it is ready for logs.
void LeaderNodes::sealed(NodeId id, StorageNode& n, const Sealed& m) {
  if (n.sealed || n.refused) return;
  n.record_version = std::max(record_version_first, m.record_version);
  if (!reads_records(id, n)) return;
  if (is_older_copy(id, n, m)) {
    n.refused = true;
    state_.event(
        Event::Level::alarm,
        fmt::format("DATA LOSS: node {} came with an older copy of its directory, or two "
                    "processes run as node {} on copies of one "
                    "directory: it found {} writes of its promise, and {} were told of",
                    id.value, id.value, m.promise_found, state_.metadata.node(id)->promise_count));
    return state_.lost(id);
  }
  // T4: the newest count of the promise is committed with the process's boot id, so that a later
  // process on an older copy is found out.
  const StorageInfo* known = state_.metadata.node(id);
  if (known != nullptr && m.promise_count > known->promise_count)
    state_.propose(RegisterStorage{
        StorageInfo{id, known->disk, known->address, false, n.boot, m.promise_count}});
  n.sealed = true;
  n.refused_leader.reset();
  n.seal_due = never;
  making_.go_on();
  // Terms under way use the node, and logs that waited for a quorum may begin.
  logs_.table().look_again();
  logs_.table().each([&](LogTerm& l) { l.node_ready(state_.now, id); });
}

void LeaderNodes::received(NodeId id, RequestId request, Message& m) {
  StorageNode& n = state_.nodes.at(id);
  if (!state_.leads() || !n.accepted) return;
  const auto to_log = [&](const auto& message) {
    if (LogTerm* l = logs_.table().running(message.log)) {
      l->on(state_.now, id, request, message);
      logs_.table().touch(message.log);
    }
  };
  std::visit(overloaded{
                 [&](const Sealed& s) {
                   n.space.staged_bytes = s.staged_bytes;
                   if (s.log == LogId{} && s.term == state_.reign.term) sealed(id, n, s);
                   else if (s.log != LogId{}) to_log(s);
                 },
                 [&](const Fenced& f) {
                   // The node has promised to this very reign, so there is no conflict: the answer
                   // belongs to a command of the reign's former term.
                   if (f.instance == state_.reign.instance) return;
                   const Term last = state_.metadata.state().last_term;
                   if (f.promise > last && f.promise.value - last.value > term_ahead_max)
                     return disbelieve(
                         id, n,
                         fmt::format("it has promised term {}, more than {} above the last one, {}",
                                     f.promise.value, term_ahead_max, last.value));
                   if (f.log != LogId{}) return to_log(f);
                   if (f.promise < state_.reign.term || n.sealed || state_.reign.new_term_proposed)
                     return;
                   // T3: the node has promised a term above the metadata's newest term, so the next
                   // term must be above that promise (T1).
                   state_.event(Event::Level::warning,
                                fmt::format("node {} has promised term {}, above {}", id.value,
                                            f.promise.value, state_.reign.term.value));
                   state_.reign.new_term_proposed = state_.propose(
                       BeginTerm{f.promise, state_.reign.instance, state_.raft.term(), LogId{}});
                 },
                 [&](SpaceIs& s) { state_.nodes.told(n, std::move(s), state_.metadata); },
                 [&](const Joined& j) { making_.joined(id, j.log); },
                 [&](const Dropped& d) { making_.dropped(id, d.log); },
                 [&](const StateIs& s) { to_log(s); },
                 [&](const Reconciled& r) { to_log(r); },
                 [&](const Reconciling& r) { to_log(r); },
                 [&](const Durable& d) { to_log(d); },
                 [&](const Missing& x) { to_log(x); },
                 [&](const NotMember& x) { to_log(x); },
                 [&](const TermConfirmed& t) { to_log(t); },
                 [&](const SegmentsAre& x) { to_log(x); },
                 [&](const Page& x) { to_log(x); },
                 [&](const Failed& f) { failed(id, f); },
                 [](const auto&) {},
             },
             m);
}

/// A floor that is believed uses up terms of all logs, so the word of this node about terms is
/// ignored, and the node counts as down.
void LeaderNodes::disbelieve(NodeId id, StorageNode& n, const std::string& why) {
  if (std::exchange(n.refused, true)) return;
  state_.event(Event::Level::alarm,
               fmt::format("node {} counts as down: {}. Where its promise is wrong "
                           "for good, empty its directory and run "
                           "loglog nodes replace-disk {}",
                           id.value, why, id.value));
}

void LeaderNodes::failed(NodeId id, const Failed& m) {
  StorageNode& n = state_.nodes.at(id);
  if (m.error == Errc::invalid_argument)
    return disbelieve(id, n, "it refuses a number of this leader's: " + m.detail);
  if (m.error == Errc::data_loss && !n.refused) {
    n.refused = true;
    state_.event(
        Event::Level::alarm,
        fmt::format("node {} reports DATA LOSS ({}); it counts as down until an empty disk takes "
                    "its place (loglog nodes replace-disk {})",
                    id.value, m.detail, id.value));
  } else if (m.error != Errc::data_loss) {
    state_.event(Event::Level::debug, fmt::format("node {} could not do what was asked: {} {}",
                                                  id.value, name_of(m.error), m.detail));
  }
}

}  // namespace loglog::sequencer
