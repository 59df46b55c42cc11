// StatusView: the answers, from the newest time that the sequencer was told.
#include "sequencer/core/status_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/alarms.h"
#include "sequencer/core/verdict.h"

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

/// The metadata without the logs.
loglog::Metadata StatusView::nodes_and_leader() const {
  const ClusterMetadata& all = state_.metadata.state();
  ClusterMetadata out{all.version, all.cluster, all.cluster_name, all.last_term, all.sequencers,
                      all.storage, {}};
  out.record_version = all.record_version;
  if (out.cluster_name.empty()) out.cluster_name = state_.options.cluster_name;
  if (out.sequencers.empty()) out.sequencers = state_.options.sequencers;
  return {std::move(out), state_.known_leader()};
}

Status StatusView::status(bool logs) const {
  Status s;
  s.cluster_name = state_.options.cluster_name;
  s.id = state_.options.id;
  s.protocol = protocol_highest;
  s.record_version = state_.metadata.record_version();
  s.role = state_.raft.role();
  s.raft_term = state_.raft.term();
  s.leader = state_.raft.leader();
  s.term = state_.leads() ? state_.reign.term : state_.metadata.state().last_term;
  // The verdict and the alarms come from the same picture, so that they agree.
  const ClusterPicture seen = picture();
  Verdict verdict = verdict_of(seen);
  s.health = verdict.health;
  s.verdict = std::move(verdict.sentence);
  for (Alarm& a : alarms_of(seen))
    if (s.alarms.size() < alarms_told_max)
      s.alarms.push_back({std::string(a.id), a.severity, std::move(a.what), std::move(a.action)});
  s.clients = clients_seen();
  if (state_.leads()) {
    for (const StorageInfo& info : state_.metadata.state().storage) {
      const NodeSeen n = state_.nodes.seen(state_.now, info, true);
      s.storage.push_back({n.id, n.address, n.condition,
                           n.condition == NodeCondition::unreachable ? 0 : n.staged_bytes,
                           n.disk_free_bytes, n.disk_size_bytes, n.cannot_reach});
    }
    if (logs) {
      for (const LogInfo& l : state_.metadata.state().logs) {
        if (const LogTerm* t = logs_.table().running(l.id)) {
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
               state_.nodes.ready(member.node) ? ReplicaState::lagging : ReplicaState::unreachable,
               state_.nodes.disk_bytes(member.node, l.id)});
        s.logs.push_back(std::move(x));
      }
    }
  }
  return s;
}

Overview StatusView::overview(std::size_t logs_max) const {
  const ClusterMetadata& m = state_.metadata.state();
  Overview o;
  o.cluster_name = state_.options.cluster_name;
  o.id = state_.options.id;
  o.boot = state_.boot;
  o.role = state_.raft.role();
  o.raft_term = state_.raft.term();
  o.leader = state_.raft.leader();
  o.term = state_.reign.term;
  o.appends = state_.figures.committed_entries;
  o.append_bytes = state_.figures.committed_bytes;
  o.commit_latency = buckets_of(state_.figures.commit_latency);
  for (const SequencerInfo& s : state_.options.sequencers) o.sequencers.push_back(see(s));
  for (const StorageInfo& s : m.storage)
    o.storage.push_back(state_.nodes.seen(state_.now, s, state_.leads()));
  for (const StorageInfo& s :
       state_.options.storage)  // a configured node that never came is not registered
    if (state_.metadata.node(s.id) == nullptr)
      o.storage.push_back(state_.nodes.seen(state_.now, s, state_.leads()));
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

ClientsSeen StatusView::clients_seen() const {
  ClientsSeen out;
  out.connected = static_cast<std::uint32_t>(std::ranges::count(
      state_.connections, Role::client, [](const auto& c) { return c.second.role; }));
  out.writers_total = static_cast<std::uint32_t>(logs_.writers().size());
  for (const Writers::Writer& w : logs_.writers().busiest(state_.now, writers_told_max)) {
    const AcceptedConnection& c = state_.connections.at(w.connection);
    const LogInfo* log = state_.metadata.log(w.log);
    out.writers.push_back({c.endpoint, c.name, c.version,
                           log == nullptr ? std::string() : log->name, w.producer, w.entries,
                           w.bytes, w.milli_entries_per_s, w.bytes_per_s});
  }
  return out;
}

/// The rank of a log in the list: a greater number is shown sooner. nullptr: its term has not
/// begun.
int StatusView::trouble(const LogTerm* t) const {
  if (t == nullptr) return 1;
  if (t->halted()) return 4;
  if (!t->view().takes_appends()) return 3;
  return t->view().is_well(state_.now) ? 0 : 2;
}

std::vector<StatusView::Ranked> StatusView::rank_logs() const {
  std::vector<Ranked> out;
  out.reserve(state_.metadata.state().logs.size());
  for (const LogInfo& l : state_.metadata.state().logs) {
    out.push_back({l.state == LogState::open ? trouble(logs_.table().running(l.id)) : 0,
                   l.members.size() - l.options.write_quorum, &l});
  }
  return out;
}

/// The picture for a verdict, from this sequencer's own view alone. Logs that are well are many,
/// and they matter only by the number of replicas that they can lose. So the log that can lose the
/// fewest stands for all of them.
ClusterPicture StatusView::picture() const {
  Overview own = overview(0);
  std::vector<Ranked> ranked = state_.leads() ? rank_logs() : std::vector<Ranked>{};
  const auto well = std::ranges::partition(ranked, [](const Ranked& r) { return r.trouble > 0; });
  if (!well.empty()) {
    std::ranges::iter_swap(well.begin(), std::ranges::min_element(well, {}, &Ranked::order));
    ranked.erase(well.begin() + 1, ranked.end());
  }
  std::ranges::sort(ranked, {}, &Ranked::order);
  if (ranked.size() > logs_judged_max) ranked.resize(logs_judged_max);
  for (const Ranked& r : ranked) own.logs.push_back(see(*r.log));
  return picture_of(state_.now, std::move(own), std::nullopt, false);
}

/// A sequencer counts as reachable while it answers, because a peer that is heard but hears nothing
/// neither votes nor stores. A leader gets answers of each follower many times a second; followers
/// answer each other's pings.
SequencerSeen StatusView::see(const SequencerInfo& info) const {
  SequencerSeen s{info.id,
                  info.address,
                  true,
                  0,
                  !state_.leads() ? 0 : state_.clock.off_ms(state_.now, info.id),
                  false};
  // A second process under this id dials the storage nodes, and not this process.
  s.twice = state_.nodes.refused_twin(state_.now, info.id);
  if (info.id == state_.options.id) return s;
  const std::optional<Duration> silent = state_.peers.silent(state_.now, info.id);
  s.reachable = state_.peers.link(info.id) != ConnectionId{} && silent &&
                *silent <= (state_.raft.is_leader() ? 2 * state_.options.elections.timeout_min
                                                    : state_.peers.silence_max());
  if (!s.reachable) s.silent_ms = silent ? saturated_ms(*silent) : never_heard;
  const std::optional<Time> twin = state_.peers.twin_at(info.id);
  s.twice = s.twice || (twin && state_.now - *twin <= twin_shown);
  return s;
}

/// A log without a term here is shown from the metadata; its offsets are not known.
LogSeen StatusView::see(const LogInfo& info) const {
  if (const LogTerm* term = logs_.table().running(info.id)) {
    LogSeen s = term->view().seen(state_.now);
    s.state = info.state;
    return s;
  }
  LogSeen s{info.id,   info.name, info.state,
            false,     false,     Term{},
            info.trim, Offset{},  info.options.write_quorum,
            {}};
  for (const Member& m : info.members) {
    const bool here = state_.nodes.heard_lately(state_.now, m.node);
    s.replicas.push_back({m.node, here ? ReplicaState::lagging : ReplicaState::unreachable,
                          Offset{}, 0, state_.nodes.disk_bytes(m.node, info.id)});
  }
  return s;
}

Report StatusView::report(Time now) const {
  Report r{.counted = state_.figures,
           .role = state_.raft.role(),
           .raft_term = state_.raft.term(),
           .elections_stood = state_.raft.elections_stood(),
           .elections_won = state_.raft.elections_won(),
           .leader = state_.raft.leader(),
           .term = state_.reign.term,
           .metadata_version = state_.metadata.version(),
           .space_is_low = state_.reach.space_is_low(),
           .nodes = {},
           .logs_in_all = state_.metadata.state().logs.size(),
           .logs = {}};
  for (const auto& [id, c] : state_.connections)
    ++(c.role == Role::client ? r.clients : c.role == Role::sequencer ? r.sequencers : r.storage);
  r.run_twice = static_cast<std::uint64_t>(std::ranges::count_if(
      state_.options.sequencers, [this](const SequencerInfo& s) { return see(s).twice; }));
  if (!state_.leads()) return r;
  for (const StorageInfo& s : state_.metadata.state().storage)
    ++r.nodes[state_.nodes.seen(state_.now, s, true).condition];
  for (const SequencerInfo& s : state_.options.sequencers)
    r.clock_off_ms = std::max(r.clock_off_ms, state_.clock.off_ms(now, s.id));
  logs_.table().each([&](const LogTerm& l) {
    if (l.serves()) ++r.logs_open;
    if (l.halted()) ++r.logs_halted;
    if (l.serves() && !l.view().takes_appends()) ++r.logs_refusing;
    if (r.logs.size() < logs_shown_max) r.logs.push_back(l.view().report(now));
  });
  return r;
}

/// For people (C3): the voters whose answers are missing.
std::string StatusView::waits_for_answers() const {
  std::string others;
  for (const SequencerId id : state_.raft.unanswered())
    others += fmt::format("{}{}", others.empty() ? "" : ", ", id.value);
  return fmt::format(
      "its directory is empty or has lost records: it waits until sequencers {} have said whether "
      "there is a cluster already",
      others);
}

std::expected<std::string, std::string> StatusView::readiness() const {
  if (state_.raft.vote_right() == raft::VoteRight::newcomer)
    return std::unexpected(
        "its directory, or records in it, were lost: it does not vote before a leader has brought "
        "it up to date");
  if (state_.leads()) return fmt::format("leads in term {}", state_.reign.term.value);
  if (state_.raft.is_leader())
    return std::unexpected(
        "elected, but its term is not committed by a majority of sequencers yet");
  if (const SequencerId leader = state_.raft.leader(); leader != SequencerId{})
    return fmt::format("follows sequencer {}", leader.value);
  if (state_.raft.vote_right() == raft::VoteRight::undecided)
    return std::unexpected(waits_for_answers());
  return std::unexpected(state_.raft.role() == RaftRole::candidate
                             ? "it stands for election and has no majority"
                             : "it hears no leader");
}

}  // namespace loglog::sequencer
