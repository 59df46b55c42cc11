// The consequence comes first: stops_of() makes appends stop, wrongs_of() only makes the cluster
// degraded, spare_of() tells how much more may fail.
#include "sequencer/core/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "sequencer/core/log_condition.h"

namespace loglog::sequencer {
namespace {

/// Logs that a sentence names; further logs are counted.
constexpr std::size_t named_max = 3;

/// "a, b, c and 7 more".
std::string some_of(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), named_max);
  std::string out = fmt::format(
      "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return names.size() > shown ? fmt::format("{} and {} more", out, names.size() - shown) : out;
}

/// "no storage node", "1 storage node", "2 storage nodes".
std::string count_of(std::size_t n, const char* what) {
  return fmt::format("{} {}{}", n == 0 ? "no" : std::to_string(n), what, n > 1 ? "s" : "");
}

std::size_t reachable(const Overview& o) {
  return static_cast<std::size_t>(
      std::ranges::count(o.sequencers, true, &SequencerSeen::reachable));
}
std::size_t majority(const Overview& o) { return o.sequencers.size() / 2 + 1; }

/// The number of nodes that may fail while everything is still served. Sequencers count if the
/// leader hears them.
std::string spare_of(const Overview& o) {
  const std::size_t sequencers = reachable(o) - std::min(reachable(o), majority(o));
  std::optional<std::size_t> storage;
  for (const LogSeen& l : o.logs)
    if (l.state == LogState::open)
      storage = std::min(storage.value_or(l.replicas.size()),
                         streaming(l) - std::min<std::size_t>(streaming(l), l.write_quorum));
  // Without a log: the nodes that a new log with the default quorum could lose.
  if (!storage) {
    const auto up = static_cast<std::size_t>(
        std::ranges::count(o.storage, NodeCondition::up, &NodeSeen::condition));
    const std::size_t needed = std::min<std::size_t>(3, o.storage.size()) / 2 + 1;
    storage = up - std::min(up, needed);
  }
  return fmt::format("{} and {} may fail", count_of(*storage, "storage node"),
                     count_of(sequencers, "sequencer"));
}

/// "storage 2 unreachable, sequencer 3 unreachable, ...": nodes and replicas in a bad state.
std::vector<std::string> wrongs_of(const Overview& o) {
  std::vector<std::string> out;
  for (const SequencerSeen& s : o.sequencers) {
    if (!s.reachable) out.push_back(fmt::format("sequencer {} unreachable", s.id.value));
    if (s.twice) out.push_back(fmt::format("a second process runs as sequencer {}", s.id.value));
  }
  for (const NodeSeen& n : o.storage) {
    if (n.condition == NodeCondition::foreign_disk)
      out.push_back(fmt::format(
          "storage {0} came with another disk (gone for good? loglog nodes replace-disk {0})",
          n.id.value));
    else if (n.condition == NodeCondition::data_loss)
      out.push_back(
          fmt::format("storage {} lost data that it had acknowledged (see its log)", n.id.value));
    else if (n.condition == NodeCondition::refuses_leader)
      out.push_back(
          fmt::format("storage {} refuses this leader: the sequencers have gone back (see its log)",
                      n.id.value));
    else if (n.condition != NodeCondition::up)
      out.push_back(fmt::format("storage {} {}", n.id.value, name_of(n.condition)));
    if (!n.cannot_reach.empty()) {
      std::vector<std::uint32_t> peers;
      peers.reserve(n.cannot_reach.size());
      for (const NodeId peer : n.cannot_reach) peers.push_back(peer.value);
      out.push_back(
          fmt::format("storage {} cannot reach storage {}", n.id.value, fmt::join(peers, ", ")));
    }
    if (n.logs_without_space > 0)
      out.push_back(fmt::format("the disk of storage {} is full", n.id.value));
  }
  std::vector<std::string> thin;
  for (const LogSeen& l : o.logs)
    if (l.state == LogState::open && streaming(l) < l.replicas.size()) thin.push_back(l.name);
  // The replicas of a node that is away are away too, so only the node is named.
  if (!thin.empty() && out.empty())
    out.push_back(fmt::format("replicas of {} are not in step", some_of(thin)));
  return out;
}

std::string names(const std::vector<const LogSeen*>& logs) {
  std::vector<std::string> out;
  out.reserve(logs.size());
  for (const LogSeen* l : logs) out.push_back(l->name);
  return some_of(out);
}

/// Logs that take no appends, each group with its reason.
std::vector<std::string> stops_of(const Overview& o) {
  const LogsByCondition logs(o.logs);
  std::vector<std::string> full, few, out;
  for (const LogSeen* l : logs[LogCondition::full])
    full.push_back(fmt::format(
        "appends to {} are refused: {} of {} replicas {} space, {} are needed", l->name,
        streaming(*l), l->replicas.size(), streaming(*l) == 1 ? "has" : "have", l->write_quorum));
  for (const LogSeen* l : logs[LogCondition::below_quorum])
    few.push_back(fmt::format("{} ({} of {} replicas, {} needed)", l->name, streaming(*l),
                              l->replicas.size(), l->write_quorum));
  if (!full.empty()) out.push_back(some_of(full));
  if (const auto& halted = logs[LogCondition::halted]; !halted.empty())
    out.push_back(
        fmt::format("appends to {} are refused: halted, replicas contradict each other, see the "
                    "alarms of the nodes",
                    names(halted)));
  if (const auto& lost = logs[LogCondition::lost]; !lost.empty())
    out.push_back(
        fmt::format("appends to {} are refused for good: too many disks were replaced at once, "
                    "nobody knows all that was "
                    "acknowledged",
                    names(lost)));
  if (!few.empty()) out.push_back(fmt::format("appends wait, too few replicas: {}", some_of(few)));
  if (const auto& recovering = logs[LogCondition::recovering]; !recovering.empty())
    out.push_back(fmt::format("appends wait, being recovered: {}", names(recovering)));
  return out;
}

}  // namespace

Verdict verdict_of(const ClusterPicture& p) {
  const Overview& o = p.overview;
  if (p.source == ClusterPicture::Source::leader_silent)
    return {
        Health::not_serving,
        fmt::format(
            "the leader, sequencer {}, does not answer; whether appends are served is not known",
            o.leader.value)};
  if (p.source == ClusterPicture::Source::no_leader)
    return {Health::not_serving,
            fmt::format("appends wait: no leader, {} of {} sequencers are reached and {} must be; "
                        "committed entries can still be read",
                        reachable(o), o.sequencers.size(), majority(o))};
  if (o.term == Term{})
    return {
        Health::not_serving,
        "appends wait: the leader is only beginning its term; committed entries can still be read"};
  const auto stops = stops_of(o);
  const auto wrongs = wrongs_of(o);
  if (!stops.empty())
    return {
        Health::not_serving,
        fmt::format("{}{}; committed entries can be read from each replica that is up and has them",
                    fmt::join(stops, "; "),
                    wrongs.empty() ? "" : fmt::format(" ({})", fmt::join(wrongs, ", ")))};
  if (!wrongs.empty())
    return {Health::degraded,
            fmt::format("appends and reads go on: {}; {}", fmt::join(wrongs, ", "), spare_of(o))};
  return {Health::healthy, fmt::format("appends and reads are served; {}", spare_of(o))};
}

}  // namespace loglog::sequencer
