// In the order of the text: verdict, alarms, nodes, logs with their replicas, writers. Parts
// without content are left out.
#include "sdk/cli/status_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/printable.h"
#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {

using Health = ClusterReport::Health;
using Replica = ClusterReport::Replica;
using LogReport = ClusterReport::LogReport;

Colour colour_of(Health h) {
  return h == Health::healthy    ? Colour::green
         : h == Health::degraded ? Colour::yellow
                                 : Colour::red;
}
/// Colour of a state of any kind of node, replica or log; states that are unknown here are yellow.
Colour colour_of(const std::string& state) {
  if (state == "up" || state == "streaming" || state == "leader" || state == "open")
    return Colour::green;
  if (state == "follower") return Colour::plain;
  for (const char* bad :
       {"unreachable", "suspect", "halted", "foreign_disk", "data_loss", "refuses_leader", "full"})
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

std::uint64_t disk_bytes(const LogReport& l) {
  std::uint64_t n = 0;
  for (const Replica& p : l.replicas) n += p.disk_bytes;
  return n;
}
/// Empty if the size was not reported yet.
Cell disk_cell(std::uint64_t n) { return n == 0 ? Cell{} : bytes(static_cast<double>(n)); }

/// "12 GiB of 50 GiB free, 2.0 KiB staged".
std::string storage_note(const ClusterReport::Storage& n) {
  std::string out;
  if (n.disk_size_bytes > 0)
    out = fmt::format("{} of {} free", human_bytes(static_cast<double>(n.disk_free_bytes)),
                      human_bytes(static_cast<double>(n.disk_size_bytes)));
  if (n.staged_bytes > 0)
    out += fmt::format("{}{} staged", out.empty() ? "" : ", ",
                       human_bytes(static_cast<double>(n.staged_bytes)));
  return out;
}

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
                    {storage_note(n)}});
  return table(rows, 0, colours);
}

/// A row for each log and a row for each of its replicas. A new leader may know a lower committed
/// offset than a replica's durable offset, so differences are clamped at 0.
std::string logs_text(const ClusterReport& r, const StatusStyle& style) {
  std::vector<std::vector<Cell>> rows = {
      head({"LOG", "STATE", "FIRST", "COMMITTED", "SIZE", "DISK", "TERM", "NEEDS"})};
  if (style.rates != nullptr) rows[0].push_back({"RATE", Colour::dim, true});
  for (std::size_t i = 2; i < 7; ++i) rows[0][i].right = true;
  for (const LogReport& l : r.logs) {
    rows.push_back({{l.name, Colour::bold},
                    {l.state, colour_of(l.state)},
                    number(l.first),
                    number(l.committed),
                    bytes(static_cast<double>(l.committed - std::min(l.first, l.committed))),
                    disk_cell(disk_bytes(l)),
                    number(l.term),
                    {fmt::format("{} of {}", l.write_quorum, l.replicas.size())}});
    if (style.rates != nullptr) {
      const auto rate = style.rates->find(l.name);
      rows.back().push_back({rate == style.rates->end() ? "" : human_bytes(rate->second) + "/s",
                             Colour::plain, true});
    }
    for (const Replica& p : l.replicas) {
      const std::uint64_t lag = l.committed - std::min(l.committed, p.durable);
      rows.push_back({{fmt::format("  on storage {}", p.id)},
                      {p.state, colour_of(p.state)},
                      {},
                      number(p.durable),
                      {p.state == "unreachable" && p.durable == 0 ? ""
                       : lag == 0                                 ? "no lag"
                                  : human_bytes(static_cast<double>(lag)) + " behind",
                       lag == 0 ? Colour::dim : Colour::yellow, true},
                      disk_cell(p.disk_bytes)});
    }
  }
  return table(rows, 0, style.colours);
}

std::string writers_text(const ClusterReport& r, bool colours) {
  constexpr std::size_t shown_max = 10;
  std::vector<std::vector<Cell>> rows = {
      head({"WRITER", "VERSION", "ADDRESS", "LOG", "ENTRIES", "RATE", ""})};
  for (std::size_t i = 4; i < 7; ++i) rows[0][i].right = true;
  for (const auto& w : r.writers) {
    if (rows.size() > shown_max) break;
    // Clients choose name and version, so control characters must not reach the terminal.
    rows.push_back(
        {{w.name.empty() ? "(no name)" : printable(w.name),
          w.name.empty() ? Colour::dim : Colour::plain},
         {printable(w.version)},
         {w.address},
         {w.log},
         number(w.entries),
         {fmt::format("{:.{}f}/s", w.entries_per_second, w.entries_per_second < 10 ? 1 : 0),
          Colour::plain, true},
         {human_bytes(w.bytes_per_second) + "/s", Colour::plain, true}});
  }
  const std::size_t left =
      r.writers_total - std::min<std::size_t>(r.writers_total, rows.size() - 1);
  return table(rows, 0, colours) + (left > 0 ? fmt::format("and {} more\n", left) : "");
}

}  // namespace

std::string_view word_of(Health h) {
  static constexpr std::string_view words[] = {"healthy", "degraded", "not serving"};
  return words[static_cast<std::size_t>(h)];
}

std::string_view id_of(Health h) {
  static constexpr std::string_view ids[] = {"healthy", "degraded", "not_serving"};
  return ids[static_cast<std::size_t>(h)];
}

std::string status_text(const ClusterReport& r, const StatusStyle& style) {
  const std::string name =
      r.cluster.empty()
          ? ""
          : fmt::format("cluster {}{}  ", paint(r.cluster, Colour::bold, style.colours),
                        r.cluster_version == 0 ? std::string()
                                               : fmt::format(", version {}", r.cluster_version));
  std::string out =
      fmt::format("{}{}: {}\n\n", name,
                  paint(word_of(r.health), colour_of(r.health), style.colours), r.verdict);
  for (const auto& a : r.alarms)
    out += fmt::format("{} {}\n         {}\n",
                       paint(a.critical ? "critical" : "warning ",
                             a.critical ? Colour::red : Colour::yellow, style.colours),
                       a.what, a.action);
  if (!r.alarms.empty()) out += "\n";
  out += nodes_text(r, style.colours);
  if (!r.logs.empty()) out += "\n" + logs_text(r, style);
  if (!r.writers.empty()) out += "\n" + writers_text(r, style.colours);
  return out;
}

}  // namespace loglog::cli
