// SequencerMachine: answers about the cluster (metadata, status, monitors). Any sequencer answers
// from the metadata that it has applied; only a leader knows nodes and logs. Nothing here decides
// anything.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/alarms.h"
#include "sequencer/core/sequencer_machine.h"
#include "sequencer/core/verdict.h"

namespace loglog::sequencer {

/// The metadata without the logs.
loglog::Metadata SequencerMachine::nodes_and_leader() const {
  const ClusterMetadata& all = metadata_.state();
  ClusterMetadata out{all.version, all.cluster, all.cluster_name, all.last_term, all.sequencers,
                      all.storage, {}};
  if (out.cluster_name.empty()) out.cluster_name = options_.cluster_name;
  if (out.sequencers.empty()) out.sequencers = options_.sequencers;
  return {std::move(out), known_leader()};
}

void SequencerMachine::on(const Client& c, const GetMetadata& m) {
  loglog::Metadata out = nodes_and_leader();
  if (m.all_logs) {
    out.metadata.logs = metadata_.state().logs;
    return to_client(c, std::move(out));
  }
  // Each name once: otherwise a repeated name would make the answer as large as the client likes.
  const std::set<std::string_view> names(m.names.begin(), m.names.end());
  for (const std::string_view name : names)
    if (const LogInfo* l = metadata_.log(name)) out.metadata.logs.push_back(*l);
  // A name that is missing in a leader's answer means that no such log exists, so that answer waits
  // for a confirmed lead (R2).
  const bool all = out.metadata.logs.size() == names.size();
  if (all || out.leader != options_.id) return to_client(c, std::move(out));
  if (reign_.term != Term{}) return answer_when_confirmed(c, m, std::move(out));
  // Before its own term is committed, a leader may not have applied all committed entries, so it
  // names no leader.
  out.leader = {};
  to_client(c, std::move(out));
}

void SequencerMachine::on(const Client& c, const GetStatus& m) {
  Status s;
  s.cluster_name = options_.cluster_name;
  s.id = options_.id;
  s.protocol = protocol_highest;
  s.role = raft_.role();
  s.raft_term = raft_.term();
  s.leader = raft_.leader();
  s.term = reign_.term != Term{} ? reign_.term : metadata_.state().last_term;
  // The verdict and the alarms come from the same picture, so that they agree.
  const ClusterPicture seen = picture();
  Verdict verdict = verdict_of(seen);
  s.health = verdict.health;
  s.verdict = std::move(verdict.sentence);
  for (Alarm& a : alarms_of(seen))
    if (s.alarms.size() < alarms_told_max)
      s.alarms.push_back({std::string(a.id), a.severity, std::move(a.what), std::move(a.action)});
  s.clients = clients_seen();
  if (reign_.term != Term{}) {
    for (const StorageInfo& info : metadata_.state().storage) {
      const NodeSeen n = nodes_.seen(now_, info, true);
      s.storage.push_back({n.id, n.address, n.condition,
                           n.condition == NodeCondition::unreachable ? 0 : n.staged_bytes,
                           n.disk_free_bytes, n.disk_size_bytes, n.cannot_reach});
    }
    if (m.logs) {
      for (const LogInfo& l : metadata_.state().logs) {
        if (const LogTerm* t = logs_.running(l.id)) {
          s.logs.push_back(t->view().status());
          s.logs.back().state = l.state;
          continue;
        }
        LogStatus x;
        x.id = l.id;
        x.name = l.name;
        x.state = l.state;
        x.first = l.trim;
        x.write_quorum = l.options.write_quorum;
        for (const Member& member : l.members)
          x.replicas.push_back(
              {member.node, Offset{},
               ready(member.node) ? ReplicaState::lagging : ReplicaState::unreachable,
               disk_bytes(member.node, l.id)});
        s.logs.push_back(std::move(x));
      }
    }
  }
  to_client(c, std::move(s));
}

Report SequencerMachine::report(Time now) const {
  Report r{.counted = figures_,
           .role = raft_.role(),
           .raft_term = raft_.term(),
           .elections_stood = raft_.elections_stood(),
           .elections_won = raft_.elections_won(),
           .leader = raft_.leader(),
           .term = reign_.term,
           .metadata_version = metadata_.version(),
           .space_is_low = reach_.space_is_low(),
           .nodes = {},
           .logs_in_all = metadata_.state().logs.size(),
           .logs = {}};
  for (const auto& [id, c] : connections_)
    ++(c.role == Role::client ? r.clients : c.role == Role::sequencer ? r.sequencers : r.storage);
  r.run_twice = static_cast<std::uint64_t>(std::ranges::count_if(
      options_.sequencers, [this](const SequencerInfo& s) { return see(s).twice; }));
  if (reign_.term == Term{}) return r;
  for (const StorageInfo& s : metadata_.state().storage)
    ++r.nodes[nodes_.seen(now_, s, true).condition];
  for (const SequencerInfo& s : options_.sequencers)
    r.clock_off_ms = std::max(r.clock_off_ms, clock_.off_ms(now, s.id));
  logs_.each([&](const LogTerm& l) {
    if (l.serves()) ++r.logs_open;
    if (l.halted()) ++r.logs_halted;
    if (l.serves() && !l.view().takes_appends()) ++r.logs_refusing;
    if (r.logs.size() < logs_shown_max) r.logs.push_back(l.view().report(now));
  });
  return r;
}

/// For people (C3): the voters whose answers are missing.
std::string SequencerMachine::waits_for_answers() const {
  std::string others;
  for (const SequencerId id : raft_.unanswered())
    others += fmt::format("{}{}", others.empty() ? "" : ", ", id.value);
  return fmt::format(
      "its directory is empty or has lost records: it waits until sequencers {} have said whether "
      "there is a cluster already",
      others);
}

std::expected<std::string, std::string> SequencerMachine::readiness() const {
  if (raft_.standing() == raft::Standing::newcomer)
    return std::unexpected(
        "its directory, or records in it, were lost: it does not vote before a leader has brought "
        "it up to date");
  if (reign_.term != Term{}) return fmt::format("leads in term {}", reign_.term.value);
  if (raft_.is_leader())
    return std::unexpected(
        "elected, but its term is not committed by a majority of sequencers yet");
  if (const SequencerId leader = raft_.leader(); leader != SequencerId{})
    return fmt::format("follows sequencer {}", leader.value);
  if (raft_.standing() == raft::Standing::undecided) return std::unexpected(waits_for_answers());
  return std::unexpected(raft_.role() == RaftRole::candidate
                             ? "it stands for election and has no majority"
                             : "it hears no leader");
}

}  // namespace loglog::sequencer
