#include "sdk/cli/status_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {

using Replica = ClusterReport::Replica;
using LogReport = ClusterReport::LogReport;

constexpr std::size_t named_max = 3;  // logs that a sentence names

bool is_fine(const std::string& state) { return state == "up" || state == "streaming" || state == "leader" || state == "follower"; }
bool is_settled(const LogReport& l) { return l.state != "creating" && l.state != "deleting"; }
std::size_t count(const LogReport& l, std::string_view state) {
  return static_cast<std::size_t>(std::count_if(l.replicas.begin(), l.replicas.end(), [&](const Replica& p) { return p.state == state; }));
}
std::size_t streaming(const LogReport& l) { return count(l, "streaming"); }

/// Those that may come into step.
std::size_t present(const LogReport& l) { return streaming(l) + count(l, "lagging") + count(l, "newcomer"); }

/// "a, b, c and 7 more".
std::string some_of(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), named_max);
  std::string out = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return names.size() > shown ? fmt::format("{} and {} more", out, names.size() - shown) : out;
}

/// "no storage node", "1 storage node", "2 storage nodes".
std::string count_of(std::size_t n, const char* what) {
  return fmt::format("{} {}{}", n == 0 ? "no" : std::to_string(n), what, n > 1 ? "s" : "");
}

/// What may fail while everything still serves.
std::string spare_of(const ClusterReport& r) {
  const auto alive = std::count_if(r.sequencers.begin(), r.sequencers.end(), [](const auto& s) { return s.role != "unreachable"; });
  const std::size_t majority = r.sequencers.size() / 2 + 1;
  const std::size_t sequencers = static_cast<std::size_t>(alive) - std::min(static_cast<std::size_t>(alive), majority);
  std::optional<std::size_t> storage;
  for (const LogReport& l : r.logs)
    if (is_settled(l))
      storage = std::min(storage.value_or(l.replicas.size()), streaming(l) - std::min<std::size_t>(streaming(l), l.write_quorum));
  if (!storage) return fmt::format("{} may fail", count_of(sequencers, "sequencer"));
  return fmt::format("{} and {} may fail", count_of(*storage, "storage node"), count_of(sequencers, "sequencer"));
}

/// "storage 2 unreachable, sequencer 3 unreachable, …": all that is not as it should be.
std::vector<std::string> wrongs_of(const ClusterReport& r) {
  std::vector<std::string> out;
  for (const auto& s : r.sequencers)
    if (!is_fine(s.role)) out.push_back(fmt::format("sequencer {} {}", s.id, s.role));
  for (const auto& n : r.storage) {
    if (n.state == "foreign_disk")
      out.push_back(fmt::format("storage {0} came with another disk (gone for good? loglog nodes replace-disk {0})", n.id));
    else if (n.state == "data_loss") out.push_back(fmt::format("storage {} lost data that it had acknowledged (see its log)", n.id));
    else if (!is_fine(n.state)) out.push_back(fmt::format("storage {} {}", n.id, n.state));
    if (!n.cannot_reach.empty()) out.push_back(fmt::format("storage {} cannot reach storage {}", n.id, fmt::join(n.cannot_reach, ", ")));
  }
  std::vector<std::string> thin;
  for (const LogReport& l : r.logs)
    if (is_settled(l) && streaming(l) < l.replicas.size()) thin.push_back(l.name);
  // Where a node is away, so are its replicas: they are told of once.
  if (!thin.empty() && out.empty()) out.push_back(fmt::format("replicas of {} are not in step", some_of(thin)));
  return out;
}

/// Logs that take no appends, by the reason.
std::vector<std::string> stops_of(const ClusterReport& r) {
  std::vector<std::string> halted, lost, few, recovering;
  for (const LogReport& l : r.logs) {
    if (!is_settled(l)) continue;
    if (l.state == "halted") halted.push_back(l.name);
    else if (l.state != "open" && count(l, "newcomer") >= l.write_quorum) lost.push_back(l.name);
    else if ((l.state == "open" ? streaming(l) : present(l)) < l.write_quorum)
      few.push_back(fmt::format("{} ({} of {} replicas, {} needed)", l.name, streaming(l), l.replicas.size(), l.write_quorum));
    else if (l.state != "open") recovering.push_back(l.name);
  }
  std::vector<std::string> out;
  if (!halted.empty())
    out.push_back(
        fmt::format("halted, its replicas contradict each other: {}; appends are refused, see the alarms of the nodes", some_of(halted)));
  if (!lost.empty())
    out.push_back(fmt::format(
        "too many disks replaced at once: {}; nobody knows all that was acknowledged, and no appends are taken any more", some_of(lost)));
  if (!few.empty()) out.push_back(fmt::format("too few replicas: {}; appends wait", some_of(few)));
  if (!recovering.empty()) out.push_back(fmt::format("being recovered: {}; appends wait", some_of(recovering)));
  return out;
}

Colour colour_of(Health h) { return h == Health::healthy ? Colour::green : h == Health::degraded ? Colour::yellow : Colour::red; }
Colour colour_of(const std::string& state) {
  if (state == "up" || state == "streaming" || state == "leader" || state == "open") return Colour::green;
  if (state == "follower") return Colour::plain;
  for (const char* bad : {"unreachable", "suspect", "halted", "foreign_disk", "data_loss"})
    if (state == bad) return Colour::red;
  return Colour::yellow;
}

std::vector<Cell> head(std::initializer_list<const char*> words) {
  std::vector<Cell> row;
  for (const char* w : words) row.push_back({w, Colour::dim});
  return row;
}
Cell number(std::uint64_t n) { return {fmt::format("{}", n), Colour::plain, true}; }
Cell bytes(double n) { return {human_bytes(n), Colour::plain, true}; }

std::string nodes_text(const ClusterReport& r, bool colours) {
  std::vector<std::vector<Cell>> rows = {head({"NODE", "ADDRESS", "STATE", ""})};
  for (const auto& s : r.sequencers)
    rows.push_back({{fmt::format("sequencer {}", s.id)},
                    {s.address},
                    {s.role, colour_of(s.role)},
                    {s.role == "unreachable" ? "" : fmt::format("raft term {}", s.term)}});
  for (const auto& n : r.storage)
    rows.push_back({{fmt::format("storage {}", n.id)},
                    {n.address},
                    {n.state, colour_of(n.state)},
                    {n.staged_bytes == 0 ? "" : human_bytes(static_cast<double>(n.staged_bytes)) + " staged"}});
  return table(rows, 0, colours);
}

std::string logs_text(const ClusterReport& r, const StatusStyle& style) {
  std::vector<std::vector<Cell>> rows = {head({"LOG", "STATE", "FIRST", "COMMITTED", "SIZE", "TERM", "NEEDS"})};
  if (style.rates != nullptr) rows[0].push_back({"RATE", Colour::dim, true});
  for (std::size_t i = 2; i < 6; ++i) rows[0][i].right = true;
  for (const LogReport& l : r.logs) {
    rows.push_back({{l.name, Colour::bold},
                    {l.state, colour_of(l.state)},
                    number(l.first),
                    number(l.committed),
                    bytes(static_cast<double>(l.committed - std::min(l.first, l.committed))),
                    number(l.term),
                    {fmt::format("{} of {}", l.write_quorum, l.replicas.size())}});
    if (style.rates != nullptr) {
      const auto rate = style.rates->find(l.name);
      rows.back().push_back({rate == style.rates->end() ? "" : human_bytes(rate->second) + "/s", Colour::plain, true});
    }
    for (const Replica& p : l.replicas) {
      const std::uint64_t lag = l.committed - std::min(l.committed, p.durable);
      rows.push_back({{fmt::format("  on storage {}", p.id)},
                      {p.state, colour_of(p.state)},
                      {},
                      number(p.durable),
                      {p.state == "unreachable" ? ""
                       : lag == 0               ? "no lag"
                                                : human_bytes(static_cast<double>(lag)) + " behind",
                       lag == 0 ? Colour::dim : Colour::yellow, true}});
    }
  }
  return table(rows, 0, style.colours);
}

}  // namespace

HealthVerdict health_of(const ClusterReport& r) {
  const bool led = std::any_of(r.sequencers.begin(), r.sequencers.end(), [](const auto& s) { return s.role == "leader"; });
  const auto alive = std::count_if(r.sequencers.begin(), r.sequencers.end(), [](const auto& s) { return s.role != "unreachable"; });
  if (!led)
    return {Health::not_serving,
            fmt::format("no leader: {} of {} sequencers answer and {} must; appends wait, what is committed can still be read", alive,
                        r.sequencers.size(), r.sequencers.size() / 2 + 1)};
  if (r.storage.empty())
    return {Health::not_serving, "the leader is only beginning its term; appends wait, what is committed can still be read"};
  const auto stops = stops_of(r);
  const auto wrongs = wrongs_of(r);
  const std::string away = wrongs.empty() ? "" : fmt::format(" ({})", fmt::join(wrongs, ", "));
  if (!stops.empty())
    return {Health::not_serving,
            fmt::format("{}{}; what is committed can be read where a replica that has it is up", fmt::join(stops, "; "), away)};
  if (!wrongs.empty()) return {Health::degraded, fmt::format("{}; appends and reads go on, {}", fmt::join(wrongs, ", "), spare_of(r))};
  return {Health::healthy, fmt::format("appends and reads are served; {}", spare_of(r))};
}

std::string status_text(const ClusterReport& r, const StatusStyle& style) {
  static constexpr const char* words[] = {"healthy", "degraded", "not serving"};
  const HealthVerdict v = health_of(r);
  const std::string name = r.cluster.empty() ? "" : fmt::format("cluster {}  ", paint(r.cluster, Colour::bold, style.colours));
  std::string out =
      fmt::format("{}{}: {}\n\n", name, paint(words[static_cast<std::size_t>(v.health)], colour_of(v.health), style.colours), v.sentence);
  out += nodes_text(r, style.colours);
  if (!r.logs.empty()) out += "\n" + logs_text(r, style);
  return out;
}

}  // namespace loglog::cli
