// SequencerMachine: storage nodes, all as the leader of a term. Identity (T4), metadata, seal (T2),
// joining and dropping logs (T5). A node passes connected -> accepted -> sealed, and only a sealed
// node is ready() for logs.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {

/// D2: orders of a sequencer come over a single connection, so a node's newer connection replaces
/// the older. Everything known of the older connection goes, but not the facts for people.
void SequencerMachine::node_connected(const Connected& c) {
  const NodeId node{c.peer.id};
  if (nodes_.configured(node) == nullptr && metadata_.node(node) == nullptr) {
    out_.closes.push_back(
        {c.connection, Error{Errc::wrong_identity,
                             fmt::format("storage node {} is not configured here", c.peer.id)}});
    return;
  }
  if (const ConnectionId old = nodes_.connection(node); old != ConnectionId{}) {
    out_.closes.push_back({old, Error{}});
    logs_.each([&](LogTerm& l) { l.node_gone(now_, node); });
  }
  nodes_.connected(node, c);
  if (reign_.term != Term{}) check_node(node);
}

/// Registers, accepts or refuses a connected node. An accepted node gets the metadata first and
/// then the seal, so that it can compare both with its own copy (T2, T4).
void SequencerMachine::check_node(NodeId id) {
  StorageNode* found = nodes_.find(id);
  if (found == nullptr || found->connection == ConnectionId{} || found->accepted || found->refused)
    return;
  StorageNode& n = *found;
  const ClusterId ours = metadata_.state().cluster;
  if (ours == ClusterId{}) return;  // InitCluster takes the node up again
  const StorageInfo* known = metadata_.node(id);
  if (n.disk == DiskId{}) {
    if (known == nullptr) return;
    n.refused = true;
    return event(Event::Level::alarm,
                 fmt::format("DATA LOSS: node {} cannot read its identity; it counts as down until "
                             "an empty disk takes its place (loglog nodes replace-disk {})",
                             id.value, id.value));
  }
  const StorageInfo* wanted = nodes_.configured(id);
  if (known != nullptr && rules::is_foreign_disk(n.disk, known->disk)) {
    n.refused = true;
    const bool said = n.foreign_disk && n.foreign_disk->disk == n.disk;
    n.foreign_disk = {now_, n.disk};
    const std::string why = fmt::format(
        "node {} is registered with disk {:016x} and comes with disk {:016x}; it counts as down. "
        "Where the old disk is gone for good: loglog nodes replace-disk {}",
        id.value, known->disk.value, n.disk.value, id.value);
    if (!said) event(Event::Level::alarm, why);
    out_.closes.push_back({n.connection, Error{Errc::wrong_identity, why}});
    return;
  }
  if (known == nullptr || known->disk != n.disk ||
      (wanted != nullptr && wanted->address != known->address)) {
    propose(RegisterStorage{StorageInfo{
        id, n.disk, wanted != nullptr ? wanted->address : known->address, false, {}, 0}});
    if (known == nullptr) return;
  }
  if (rules::counts_as_lost(known->lost)) return refuse_lost(id);
  n.accepted = true;
  n.foreign_disk.reset();
  push_metadata(id, n);
  seal_node(id, n);
}

bool SequencerMachine::has_lost(NodeId id) const {
  const StorageInfo* known = metadata_.node(id);
  return known != nullptr && rules::counts_as_lost(known->lost);
}

/// T4: a loss that only this leader's memory knows would be forgotten with it. The next leader
/// would take the short tail for everything that there was.
void SequencerMachine::lost(NodeId id) {
  if (reign_.term != Term{} && !has_lost(id)) propose(MarkLost{id, metadata_.disk_of(id)});
}

/// The metadata tell the node, which keeps a copy of them, so it refuses by itself from then on.
void SequencerMachine::refuse_lost(NodeId id) {
  StorageNode& n = nodes_.at(id);
  n.accepted = n.sealed = false;
  n.refused = true;
  event(Event::Level::alarm, fmt::format("DATA LOSS: node {} lacks bytes that it had acknowledged; "
                                         "it counts as down until an empty disk takes its place "
                                         "(loglog nodes replace-disk {})",
                                         id.value, id.value));
  logs_.each([&](LogTerm& l) { l.node_lost(now_, id); });
  if (n.connection != ConnectionId{}) push_metadata(id, n);
}

/// Each node keeps a copy of the metadata with the logs that it holds, so that readers can start
/// while no sequencer is up.
void SequencerMachine::push_metadata(NodeId id, StorageNode& n) {
  const ClusterMetadata& all = metadata_.state();
  ClusterMetadata m{all.version, all.cluster, all.cluster_name, all.last_term, all.sequencers,
                    all.storage, {}};
  for (const LogInfo& l : all.logs)
    if (std::any_of(l.members.begin(), l.members.end(),
                    [&](const Member& x) { return x.node == id; }))
      m.logs.push_back(l);
  n.told_version = all.version;
  to_node(id, loglog::Metadata{std::move(m), options_.id});
}

/// Each push carries all logs of a node, so changes of many logs are gathered for longer: no more
/// than a few megabytes a second.
Duration SequencerMachine::push_pause() const {
  return std::max<Duration>(20ms, metadata_.state().logs.size() * 100us);
}

void SequencerMachine::push_metadata_to_all() {
  nodes_.push_at(never);
  for (auto& [id, n] : nodes_.all())
    if (n.accepted && n.told_version < metadata_.version()) push_metadata(id, n);
}

/// Sent again until it is answered. The log id 0 seals the node for all logs.
void SequencerMachine::seal_node(NodeId id, StorageNode& n) {
  n.seal_due = now_ + options_.recovery_step_timeout;
  to_node(id, Seal{LogId{}, reign_.term, reign_.instance, metadata_.version()});
}

/// T4: a new process found less on its disk than the process before it had written there. So its
/// directory is an older copy, or two processes run on copies of the same directory.
bool SequencerMachine::is_older_copy(NodeId id, const StorageNode& n, const Sealed& m) const {
  const StorageInfo* known = metadata_.node(id);
  return known != nullptr &&
         rules::is_older_copy(known->boot != n.boot, m.promise_found, known->promise_count);
}

/// The node has promised this leader's term durably: it is ready for logs.
void SequencerMachine::node_sealed(NodeId id, StorageNode& n, const Sealed& m) {
  if (n.sealed || n.refused) return;
  if (is_older_copy(id, n, m)) {
    n.refused = true;
    event(Event::Level::alarm,
          fmt::format("DATA LOSS: node {} came with an older copy of its directory, or two "
                      "processes run as node {} on copies of one "
                      "directory: it found {} writes of its promise, and {} were told of",
                      id.value, id.value, m.promise_found, metadata_.node(id)->promise_count));
    return lost(id);
  }
  // T4: the newest count of the promise is committed with the process's boot id, so that a later
  // process on an older copy is found out.
  const StorageInfo* known = metadata_.node(id);
  if (known != nullptr && m.promise_count > known->promise_count)
    propose(RegisterStorage{
        StorageInfo{id, known->disk, known->address, false, n.boot, m.promise_count}});
  n.sealed = true;
  n.refused_leader.reset();
  n.seal_due = never;
  for (const LogId log : tasks_.making()) join_members(log);
  for (const LogId log : tasks_.dropping()) drop_members(log);
  // Terms under way use the node, and logs that waited for a quorum may begin.
  logs_.look_again();
  logs_.each([&](LogTerm& l) { l.node_ready(now_, id); });
}

/// Messages of a node count only while this sequencer leads and the node is accepted. Messages
/// about a log go to that log's term.
void SequencerMachine::from_node(NodeId id, RequestId request, Message& m) {
  StorageNode& n = nodes_.at(id);
  if (reign_.term == Term{} || !n.accepted) return;
  const auto to_log = [&](const auto& message) {
    if (LogTerm* l = logs_.running(message.log)) {
      l->on(now_, id, request, message);
      logs_.touch(message.log);
    }
  };
  std::visit(overloaded{
                 [&](const Sealed& s) {
                   n.space.staged_bytes = s.staged_bytes;
                   if (s.log == LogId{} && s.term == reign_.term) node_sealed(id, n, s);
                   else if (s.log != LogId{}) to_log(s);
                 },
                 [&](const Fenced& f) {
                   // The node has promised to this very reign, so there is no conflict: the answer
                   // belongs to a command of the reign's former term.
                   if (f.instance == reign_.instance) return;
                   const Term last = metadata_.state().last_term;
                   if (f.promise > last && f.promise.value - last.value > term_ahead_max)
                     return disbelieve(
                         id, n,
                         fmt::format("it has promised term {}, more than {} above the last one, {}",
                                     f.promise.value, term_ahead_max, last.value));
                   if (f.log != LogId{}) return to_log(f);
                   if (f.promise < reign_.term || n.sealed || reign_.new_term_proposed) return;
                   // T3: the node has promised a term above the metadata's newest term, so the next
                   // term must be above that promise (T1).
                   event(Event::Level::warning,
                         fmt::format("node {} has promised term {}, above {}", id.value,
                                     f.promise.value, reign_.term.value));
                   reign_.new_term_proposed =
                       propose(BeginTerm{f.promise, reign_.instance, raft_.term(), LogId{}});
                 },
                 [&](SpaceIs& s) { nodes_.told(n, std::move(s), metadata_); },
                 [&](const Joined& j) { joined(id, j.log); },
                 [&](const Dropped& d) { dropped(id, d.log); },
                 [&](const StateIs& s) { to_log(s); },
                 [&](const Reconciled& r) { to_log(r); },
                 [&](const Reconciling& r) { to_log(r); },
                 [&](const Durable& d) { to_log(d); },
                 [&](const Missing& x) { to_log(x); },
                 [&](const NotMember& x) { to_log(x); },
                 [&](const TermConfirmed& t) { to_log(t); },
                 [&](const SegmentsAre& x) { to_log(x); },
                 [&](const Page& x) { to_log(x); },
                 [&](const Failed& f) { node_failed(id, f); },
                 [](const auto&) {},
             },
             m);
}

/// A floor that is believed uses up terms of all logs, so the word of this node about terms is
/// ignored, and the node counts as down.
void SequencerMachine::disbelieve(NodeId id, StorageNode& n, const std::string& why) {
  if (std::exchange(n.refused, true)) return;
  event(Event::Level::alarm, fmt::format("node {} counts as down: {}. Where its promise is wrong "
                                         "for good, empty its directory and run "
                                         "loglog nodes replace-disk {}",
                                         id.value, why, id.value));
}

void SequencerMachine::node_failed(NodeId id, const Failed& m) {
  StorageNode& n = nodes_.at(id);
  if (m.error == Errc::invalid_argument)
    return disbelieve(id, n, "it refuses a number of this leader's: " + m.detail);
  if (m.error == Errc::data_loss && !n.refused) {
    n.refused = true;
    event(Event::Level::alarm,
          fmt::format("node {} reports DATA LOSS ({}); it counts as down until an empty disk takes "
                      "its place (loglog nodes replace-disk {})",
                      id.value, m.detail, id.value));
  } else if (m.error != Errc::data_loss) {
    event(Event::Level::debug, fmt::format("node {} could not do what was asked: {} {}", id.value,
                                           name_of(m.error), m.detail));
  }
}

// ---- T5

/// Asks the members that have not joined; called anew whenever a member is sealed. Only a disk that
/// is still the member's is asked (C1).
void SequencerMachine::join_members(LogId log) {
  const LogInfo* l = metadata_.log(log);
  if (l == nullptr || l->state != LogState::creating) return;
  for (const Member& m : tasks_.make(now_, *l))
    if (can_be_sealed(m)) to_node(m.node, Join{reign_.term, *l});
}

/// A node has made the log. The log is opened once all members have (T5).
void SequencerMachine::joined(NodeId from, LogId log) {
  nodes_.at(from).joined_at = now_;
  if (LogTerm* l = logs_.running(log)) {
    l->joined(now_, from);
    logs_.touch(log);
  }
  if (const LogInfo* l = metadata_.log(log); l != nullptr && tasks_.joined(from, *l))
    tasks_.making_proposed(log, propose(MarkOpen{log}));
}

/// T5: gives up the creation of a log that some member does not join in time, so that its name is
/// free again.
void SequencerMachine::expire_tasks() {
  const auto last_joined = [this](NodeId id) { return nodes_.last_joined(id); };
  for (const LogId log : tasks_.expired(now_, metadata_, last_joined))
    tasks_.making_proposed(log, propose(MarkDeleting{log}));
}

/// Deletes the log on its members; called anew whenever a member is sealed. A creation that was
/// under way for it ends here.
void SequencerMachine::drop_members(LogId log) {
  const LogInfo* l = metadata_.log(log);
  if (l == nullptr || l->state != LogState::deleting) return;
  if (const auto made = tasks_.end_making(log)) {
    if (made->given_up) tasks_.remember_given_up(l->made_by, metadata_.version());
    const Failed why =
        made->given_up
            ? Failed{Errc::not_enough_nodes,
                     fmt::format(
                         "storage node {} was chosen for log {} and did not join it in time",
                         made->given_up->value, l->name)}
            : Failed{Errc::log_deleted, l->name};
    tell(made->clients, why);
    tell(made->others, why);
  }
  forget_log(log, Errc::log_deleted);
  for (const Member& m : tasks_.drop(*l))
    if (ready(m.node)) {
      // The log may have a term of its own. Then the node's promise for this log must reach that
      // term first, otherwise the node would refuse the Drop (T3).
      if (l->last_term > reign_.term)
        to_node(m.node, Seal{log, l->last_term, reign_.instance, metadata_.version()});
      to_node(m.node, Drop{log, std::max(reign_.term, l->last_term)});
    }
}

/// A member has dropped the log; it leaves the metadata once all members have.
void SequencerMachine::dropped(NodeId from, LogId log) {
  if (const LogInfo* l = metadata_.log(log); l != nullptr && tasks_.dropped(from, *l))
    tasks_.drop_proposed(log, propose(FinishDelete{log}));
}

}  // namespace loglog::sequencer
