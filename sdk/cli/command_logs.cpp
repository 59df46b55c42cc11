// loglog logs …, loglog status.
#include <fmt/format.h>

#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

void print_details(const LogDetails& d) {
  std::string nodes;
  for (auto n : d.nodes) nodes += (nodes.empty() ? "" : ",") + std::to_string(n);
  fmt::print("{} id {} replicas {} ({}) write-quorum {}{} segment-size {} trim {}\n", d.name, d.id, d.replicas, nodes, d.write_quorum,
             d.write_quorum == 1 && d.replicas > 0 ? " [one copy suffices for an acknowledgement]" : "", d.segment_bytes, d.trim);
}

struct LogArguments {
  std::string name;
  CreateOptions create;
  std::uint64_t offset = 0;
};

template <class Work>
void add_one(CLI::App* logs, Target& target, Run& run, const char* name, const char* what, Work work, int arguments) {
  auto a = std::make_shared<LogArguments>();
  auto* c = logs->add_subcommand(name, what);
  if (arguments > 0) c->add_option("NAME", a->name, "name of the log")->required();
  if (arguments == 2) c->add_option("OFFSET", a->offset, "entries below it may go")->required();
  if (std::string(name) == "create") {
    c->add_option("--replicas", a->create.replicas, "storage nodes that hold it (default min(3, nodes))");
    c->add_option("--write-quorum", a->create.write_quorum, "replicas durable before an append is acknowledged (default the majority)");
    c->add_option("--segment-size", a->create.segment_bytes, "bytes of a segment file (default 67108864)");
  }
  c->add_option("--cluster", target.addresses, "HOST:PORT[,HOST:PORT…] of any nodes")->delimiter(',');
  c->callback([&target, &run, a, work] {
    run = [&target, a, work] {
      auto client = target.connect();
      if (!client) return failed(client.error());
      return work(*client, *a);
    };
  });
}

void print_json(const ClusterReport& r) {
  std::string out = fmt::format("{{\"cluster\": {}, \"sequencers\": [", json_string(r.cluster));
  const char* comma = "";
  for (const auto& s : r.sequencers) {
    out +=
        fmt::format("{}{{\"id\": {}, \"address\": {}, \"role\": \"{}\", \"term\": {}", comma, s.id, json_string(s.address), s.role, s.term);
    out += s.protocol == 0 ? "}" : fmt::format(", \"protocol\": {}}}", s.protocol);
    comma = ", ";
  }
  out += "], \"storage\": [";
  comma = "";
  for (const auto& n : r.storage) {
    out += fmt::format("{}{{\"id\": {}, \"address\": {}, \"state\": \"{}\", \"staged_bytes\": {}}}", comma, n.id, json_string(n.address),
                       n.state, n.staged_bytes);
    comma = ", ";
  }
  out += "], \"logs\": [";
  comma = "";
  for (const auto& l : r.logs) {
    out += fmt::format("{}{{\"name\": {}, \"first\": {}, \"committed\": {}, \"term\": {}, \"replicas\": [", comma, json_string(l.name),
                       l.first, l.committed, l.term);
    const char* inner = "";
    for (const auto& p : l.replicas) {
      out += fmt::format("{}{{\"id\": {}, \"durable\": {}, \"state\": \"{}\"}}", inner, p.id, p.durable, p.state);
      inner = ", ";
    }
    out += "]}";
    comma = ", ";
  }
  fmt::print("{}]}}\n", out);
}

void print_plain(const ClusterReport& r) {
  fmt::print("cluster {}\n", r.cluster);
  for (const auto& s : r.sequencers) fmt::print("  sequencer {:<3} {:<22} {:<12} raft term {}\n", s.id, s.address, s.role, s.term);
  for (const auto& n : r.storage) fmt::print("  storage   {:<3} {:<22} {:<12} staged {} bytes\n", n.id, n.address, n.state, n.staged_bytes);
  for (const auto& l : r.logs) {
    fmt::print("  log {}  first {} committed {} term {}{}\n", l.name, l.first, l.committed, l.term,
               l.write_quorum == 1 ? " (write quorum 1)" : "");
    for (const auto& p : l.replicas) fmt::print("    replica {:<3} durable {:<14} {}\n", p.id, p.durable, p.state);
  }
}

}  // namespace

void add_logs(CLI::App& app, Target& target, Run& run) {
  auto* logs = app.add_subcommand("logs", "create, list, describe, delete, trim");
  logs->require_subcommand(1);
  add_one(
      logs, target, run, "create", "create a log",
      [](Client& c, const LogArguments& a) {
        auto log = c.create_log(a.name, a.create);
        if (!log) return failed(log.error());
        print_details(log->details());
        return 0;
      },
      1);
  add_one(
      logs, target, run, "list", "all logs, a line each",
      [](Client& c, const LogArguments&) {
        auto all = c.list_logs();
        if (!all) return failed(all.error());
        for (const auto& d : *all) print_details(d);
        return 0;
      },
      0);
  add_one(
      logs, target, run, "describe", "one log",
      [](Client& c, const LogArguments& a) {
        auto d = c.describe_log(a.name);
        if (!d) return failed(d.error());
        print_details(*d);
        return 0;
      },
      1);
  add_one(
      logs, target, run, "delete", "delete a log and its entries on every node",
      [](Client& c, const LogArguments& a) {
        auto ok = c.delete_log(a.name);
        return ok ? 0 : failed(ok.error());
      },
      1);
  add_one(
      logs, target, run, "trim", "let entries below an offset go; prints the trim point in force",
      [](Client& c, const LogArguments& a) {
        auto at = c.trim_log(a.name, a.offset);
        if (!at) return failed(at.error());
        fmt::print("{}\n", *at);
        return 0;
      },
      2);
}

void add_status(CLI::App& app, Target& target, Run& run) {
  auto json = std::make_shared<bool>(false);
  auto* c = app.add_subcommand("status", "sequencers, storage nodes, logs");
  c->add_flag("--json", *json, "one JSON object");
  c->add_option("--cluster", target.addresses, "HOST:PORT[,HOST:PORT…] of any nodes")->delimiter(',');
  c->callback([&target, &run, json] {
    run = [&target, json] {
      auto client = target.connect();
      if (!client) return failed(client.error());
      auto r = client->status();
      if (!r) return failed(r.error());
      if (*json) print_json(*r);
      else print_plain(*r);
      return 0;
    };
  });
}

}  // namespace loglog::cli
