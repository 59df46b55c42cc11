// SequencerMachine: what a status page shows.
#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {

/// A node with another disk than the registered one comes again about once a second, and is sent away each time.
constexpr Duration foreign_disk_shown = 5s;
/// A second process under a sequencer's id comes as often, and is told of every ten seconds.
constexpr Duration twin_shown = 15s;
constexpr std::uint32_t never_heard = 0xFFFF'FFFF;
/// Most logs that a verdict looks at; those in trouble come first, so more change no more than a count.
constexpr std::size_t logs_judged_max = 1000;

std::vector<LatencyBucket> buckets_of(const observe::LatencyHistogram& h) {
  std::vector<LatencyBucket> out;
  for (std::size_t i = 0; i < h.counts().size(); ++i)
    out.push_back({i < h.bounds().size() ? static_cast<std::uint32_t>(h.bounds()[i]) : 0xFFFF'FFFF, h.counts()[i]});
  return out;
}

}  // namespace

void SequencerMachine::on(const Client& c, const GetOverview& m) { to_client(c, overview(m.logs_max)); }

Overview SequencerMachine::overview(std::size_t logs_max) const {
  const ClusterMetadata& m = metadata_.state();
  Overview o;
  o.cluster_name = options_.cluster_name;
  o.id = options_.id;
  o.boot = boot_;
  o.role = raft_.role();
  o.raft_term = raft_.term();
  o.leader = raft_.leader();
  o.term = term_;
  o.appends = figures_.committed_entries;
  o.append_bytes = figures_.committed_bytes;
  o.commit_latency = buckets_of(figures_.commit_latency);
  for (const SequencerInfo& s : options_.sequencers) o.sequencers.push_back(see(s));
  for (const StorageInfo& s : m.storage) o.storage.push_back(see(s));
  for (const StorageInfo& s : options_.storage)  // never came, so nobody registered it
    if (metadata_.node(s.id) == nullptr) o.storage.push_back(see(s));
  std::ranges::sort(o.storage, {}, &NodeSeen::id);
  o.logs_total = static_cast<std::uint32_t>(m.logs.size());
  if (logs_max == 0) return o;
  std::vector<std::pair<int, const LogInfo*>> shown;
  shown.reserve(m.logs.size());
  for (const LogInfo& l : m.logs) shown.emplace_back(m.logs.size() > logs_max ? trouble(l.id) : 0, &l);
  if (shown.size() > logs_max) {
    std::ranges::stable_sort(shown, std::greater<>(), &std::pair<int, const LogInfo*>::first);
    shown.resize(logs_max);
  }
  for (const auto& [t, l] : shown) o.logs.push_back(see(*l));
  return o;
}

/// The greater, the sooner it is shown.
int SequencerMachine::trouble(LogId log) const {
  const auto slot = logs_.find(log);
  if (slot == logs_.end() || !slot->second.term) return 1;
  const LogTerm& t = *slot->second.term;
  if (t.halted()) return 4;
  if (!t.takes_appends()) return 3;
  return t.is_whole() ? 0 : 2;
}

/// What this sequencer sees for itself; of a leader it hears nothing new here.
ClusterPicture SequencerMachine::picture() const { return picture_of(now_, overview(logs_judged_max), std::nullopt, false); }

/// A leader hears each follower many times a second; followers hear each other\'s pings.
SequencerSeen SequencerMachine::see(const SequencerInfo& info) const {
  SequencerSeen s{info.id, info.address, true, 0, term_ == Term{} ? 0 : clock_.off_ms(now_, info.id), false};
  if (info.id == options_.id) return s;
  const auto heard = sequencers_heard_.find(info.id);
  const Duration silent = heard == sequencers_heard_.end() ? Duration::max() : now_ - heard->second;
  s.reachable = sequencers_.contains(info.id) && silent <= (raft_.is_leader() ? 2 * options_.election_timeout_min : peer_silence_max());
  if (!s.reachable) s.silent_ms = heard == sequencers_heard_.end() ? never_heard : saturated_ms(silent);
  const auto twin = twins_.find(info.id);
  s.twice = twin != twins_.end() && now_ - twin->second <= twin_shown;
  return s;
}

NodeSeen SequencerMachine::see(const StorageInfo& info) const {
  NodeSeen s{info.id, info.address, info.lost ? NodeCondition::data_loss : NodeCondition::unreachable, never_heard, 0, 0, 0, 0, 0, {}};
  const auto found = nodes_.find(info.id);
  if (found == nodes_.end()) return s;
  const Node& n = found->second;
  if (n.last_heard) s.silent_ms = saturated_ms(now_ - *n.last_heard);
  s.staged_bytes = n.staged_bytes;
  s.staged_bytes_max = n.staged_bytes_max;
  s.logs_without_space = static_cast<std::uint32_t>(n.logs_without_space.size());
  s.disk_free_bytes = n.disk_free_bytes;
  s.disk_size_bytes = n.disk_size_bytes;
  // A node that nobody reaches is told once, as unreachable.
  if (heard_lately(n))
    std::ranges::copy_if(n.cannot_reach, std::back_inserter(s.cannot_reach), [this](NodeId peer) {
      const auto p = nodes_.find(peer);
      return p != nodes_.end() && heard_lately(p->second);
    });
  if (n.foreign_disk && now_ - n.foreign_disk->at <= foreign_disk_shown) s.condition = NodeCondition::foreign_disk;
  else if (info.lost) s.condition = NodeCondition::data_loss;
  else if (!heard_lately(n)) s.condition = NodeCondition::unreachable;
  else if (n.refused) s.condition = NodeCondition::data_loss;
  else if (n.suspect) s.condition = NodeCondition::suspect;
  else s.condition = n.sealed || term_ == Term{} ? NodeCondition::up : NodeCondition::lagging;
  return s;
}

LogSeen SequencerMachine::see(const LogInfo& info) const {
  if (const auto slot = logs_.find(info.id); slot != logs_.end() && slot->second.term) {
    const LogTerm& t = *slot->second.term;
    const LogReport r = t.report(now_);
    LogSeen s{info.id, info.name, info.state, t.serves(), t.halted(), r.term, r.first, r.committed, info.options.write_quorum, {}};
    for (const ReplicaReport& x : r.replicas)
      s.replicas.push_back({x.node, x.state, x.durable, x.lag > Duration{} ? std::max(1U, saturated_ms(x.lag)) : 0});
    return s;
  }
  LogSeen s{info.id, info.name, info.state, false, false, Term{}, info.trim, Offset{}, info.options.write_quorum, {}};
  for (const Member& m : info.members) {
    const auto n = nodes_.find(m.node);
    const bool here = n != nodes_.end() && heard_lately(n->second);
    s.replicas.push_back({m.node, here ? ReplicaState::lagging : ReplicaState::unreachable, Offset{}, 0});
  }
  return s;
}

}  // namespace loglog::sequencer
