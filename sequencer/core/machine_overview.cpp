// SequencerMachine: the message Overview, as a status page shows it, and the picture for the
// verdict. For people only.
#include <algorithm>
#include <iterator>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {

/// A second process under a sequencer's id comes as often, but is told of only every ten seconds.
constexpr Duration twin_shown = 15s;
constexpr std::uint32_t never_heard = 0xFFFF'FFFF;
/// Most logs that a verdict looks at. Logs in trouble come first, so further logs change only a
/// count.
constexpr std::size_t logs_judged_max = 1000;

std::vector<LatencyBucket> buckets_of(const observe::LatencyHistogram& h) {
  std::vector<LatencyBucket> out;
  for (std::size_t i = 0; i < h.counts().size(); ++i)
    out.push_back({i < h.bounds().size() ? static_cast<std::uint32_t>(h.bounds()[i]) : 0xFFFF'FFFF,
                   h.counts()[i]});
  return out;
}

}  // namespace

void SequencerMachine::on(const Client& c, const GetOverview& m) {
  to_client(c, overview(m.logs_max));
}

Overview SequencerMachine::overview(std::size_t logs_max) const {
  const ClusterMetadata& m = metadata_.state();
  Overview o;
  o.cluster_name = options_.cluster_name;
  o.id = options_.id;
  o.boot = boot_;
  o.role = raft_.role();
  o.raft_term = raft_.term();
  o.leader = raft_.leader();
  o.term = reign_.term;
  o.appends = figures_.committed_entries;
  o.append_bytes = figures_.committed_bytes;
  o.commit_latency = buckets_of(figures_.commit_latency);
  for (const SequencerInfo& s : options_.sequencers) o.sequencers.push_back(see(s));
  for (const StorageInfo& s : m.storage)
    o.storage.push_back(nodes_.seen(now_, s, reign_.term != Term{}));
  for (const StorageInfo& s :
       options_.storage)  // a configured node that never came is not registered
    if (metadata_.node(s.id) == nullptr)
      o.storage.push_back(nodes_.seen(now_, s, reign_.term != Term{}));
  std::ranges::sort(o.storage, {}, &NodeSeen::id);
  o.logs_total = static_cast<std::uint32_t>(m.logs.size());
  o.clients = clients_seen();
  if (logs_max == 0) return o;
  if (m.logs.size() <= logs_max) {
    for (const LogInfo& l : m.logs) o.logs.push_back(see(l));
  } else {
    std::vector<Ranked> ranked = rank_logs();
    std::ranges::sort(ranked, {}, &Ranked::order);
    ranked.resize(logs_max);
    for (const Ranked& r : ranked) o.logs.push_back(see(*r.log));
  }
  return o;
}

void SequencerMachine::written(LogId log, ProducerId producer, ConnectionId connection,
                               const Reference& run) {
  if (connections_.contains(connection))
    writers_.committed(now_, producer, log, connection, run.count, run.length);
}

ClientsSeen SequencerMachine::clients_seen() const {
  ClientsSeen out;
  out.connected = static_cast<std::uint32_t>(
      std::ranges::count(connections_, Role::client, [](const auto& c) { return c.second.role; }));
  out.writers_total = static_cast<std::uint32_t>(writers_.size());
  for (const Writers::Writer& w : writers_.busiest(now_, writers_told_max)) {
    const Connection& c = connections_.at(w.connection);
    const LogInfo* log = metadata_.log(w.log);
    out.writers.push_back({c.endpoint, c.name, c.version,
                           log == nullptr ? std::string() : log->name, w.producer, w.entries,
                           w.bytes, w.milli_entries_per_s, w.bytes_per_s});
  }
  return out;
}

/// The rank of a log in the list: a greater number is shown sooner. nullptr: its term has not
/// begun.
int SequencerMachine::trouble(const LogTerm* t) const {
  if (t == nullptr) return 1;
  if (t->halted()) return 4;
  if (!t->view().takes_appends()) return 3;
  return t->view().is_well(now_) ? 0 : 2;
}

std::vector<SequencerMachine::Ranked> SequencerMachine::rank_logs() const {
  std::vector<Ranked> out;
  out.reserve(metadata_.state().logs.size());
  for (const LogInfo& l : metadata_.state().logs) {
    out.push_back({l.state == LogState::open ? trouble(logs_.running(l.id)) : 0,
                   l.members.size() - l.options.write_quorum, &l});
  }
  return out;
}

/// The picture for a verdict, from this sequencer's own view alone. Logs that are well are many,
/// and they matter only by the number of replicas that they can lose. So the log that can lose the
/// fewest stands for all of them.
ClusterPicture SequencerMachine::picture() const {
  Overview own = overview(0);
  std::vector<Ranked> ranked = reign_.term != Term{} ? rank_logs() : std::vector<Ranked>{};
  const auto well = std::ranges::partition(ranked, [](const Ranked& r) { return r.trouble > 0; });
  if (!well.empty()) {
    std::ranges::iter_swap(well.begin(), std::ranges::min_element(well, {}, &Ranked::order));
    ranked.erase(well.begin() + 1, ranked.end());
  }
  std::ranges::sort(ranked, {}, &Ranked::order);
  if (ranked.size() > logs_judged_max) ranked.resize(logs_judged_max);
  for (const Ranked& r : ranked) own.logs.push_back(see(*r.log));
  return picture_of(now_, std::move(own), std::nullopt, false);
}

/// A sequencer counts as reachable while it answers, because a peer that is heard but hears nothing
/// neither votes nor stores. A leader gets answers of each follower many times a second; followers
/// answer each other's pings.
SequencerSeen SequencerMachine::see(const SequencerInfo& info) const {
  SequencerSeen s{
      info.id, info.address, true, 0, reign_.term == Term{} ? 0 : clock_.off_ms(now_, info.id),
      false};
  // A second process under this id dials the storage nodes, and not this process.
  s.twice = nodes_.refused_twin(now_, info.id);
  if (info.id == options_.id) return s;
  const std::optional<Duration> silent = peers_.silent(now_, info.id);
  s.reachable =
      peers_.link(info.id) != ConnectionId{} && silent &&
      *silent <= (raft_.is_leader() ? 2 * options_.elections.timeout_min : peers_.silence_max());
  if (!s.reachable) s.silent_ms = silent ? saturated_ms(*silent) : never_heard;
  const std::optional<Time> twin = peers_.twin_at(info.id);
  s.twice = s.twice || (twin && now_ - *twin <= twin_shown);
  return s;
}

/// A log without a term here is shown from the metadata; its offsets are not known.
LogSeen SequencerMachine::see(const LogInfo& info) const {
  if (const LogTerm* term = logs_.running(info.id)) {
    LogSeen s = term->view().seen(now_);
    s.state = info.state;
    return s;
  }
  LogSeen s{info.id,   info.name, info.state,
            false,     false,     Term{},
            info.trim, Offset{},  info.options.write_quorum,
            {}};
  for (const Member& m : info.members) {
    const bool here = nodes_.heard_lately(now_, m.node);
    s.replicas.push_back({m.node, here ? ReplicaState::lagging : ReplicaState::unreachable,
                          Offset{}, 0, disk_bytes(m.node, info.id)});
  }
  return s;
}

}  // namespace loglog::sequencer
