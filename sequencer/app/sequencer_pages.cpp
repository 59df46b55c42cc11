// The figures of /metrics, in groups. Their names are an interface: README.md lists them, and a
// test compares.
#include "sequencer/app/sequencer_pages.h"

#include <fmt/format.h>

#include "proto-spec/http/node_pages.h"
#include "proto-spec/http/posix_process_figures.h"
#include "proto-spec/observe/prometheus_text.h"
#include "proto-spec/server/posix_free_memory.h"
#include "sequencer/app/status_pages.h"

namespace loglog::sequencer {
namespace {

using observe::PrometheusText;

void add_appends(PrometheusText& t, const Figures& c) {
  t.counter("loglog_sequencer_ordered_runs_total", "Runs that were given their place in a log.")
      .value(c.commits);
  t.counter("loglog_sequencer_appended_runs_total", "Runs that were committed.")
      .value(c.committed_runs);
  t.counter("loglog_sequencer_appended_entries_total", "Entries in those runs: the appends.")
      .value(c.committed_entries);
  t.counter("loglog_sequencer_appended_bytes_total", "Bytes of frames in those runs.")
      .value(c.committed_bytes);
  t.histogram("loglog_sequencer_commit_duration_seconds",
              "From taking a run's Commit to answering that it is committed.")
      .value(c.commit_latency);
  t.counter("loglog_sequencer_refused_requests_total",
            "Requests of clients that were refused, by error.")
      .value(c.refused);
  t.counter("loglog_sequencer_missing_reports_total",
            "Times that a storage node reported that it lacks an ordered run and no peer has it.")
      .value(c.missing_reports);
}

void add_raft(PrometheusText& t, const SequencerReport& all) {
  const Report& r = all.core;
  t.counter("loglog_sequencer_elections_total", "Elections in which this sequencer stood.")
      .value(r.elections_stood);
  t.counter("loglog_sequencer_elections_won_total", "Those that it won.").value(r.elections_won);
  t.gauge("loglog_sequencer_raft_term", "Raft term, of the sequencers among themselves.")
      .value(r.raft_term.value);
  t.gauge("loglog_sequencer_leader_id",
          "The sequencer that leads as far as this one knows; 0: none is known.")
      .value(std::uint64_t{r.leader.value});
  t.gauge("loglog_sequencer_leads", "1: this sequencer leads, and its term is begun.")
      .value(std::uint64_t{r.term != Term{}});
  t.gauge("loglog_sequencer_term", "The term of logs that it leads in; 0: it does not lead.")
      .value(std::uint64_t{r.term.value});
  t.gauge("loglog_sequencer_disk_full",
          "1: its disk gives no more space, and half of what raft.log keeps in reserve is used.")
      .value(std::uint64_t{r.space_is_low});
  t.gauge("loglog_sequencer_metadata_version",
          "Raft index of the newest metadata that it has applied.")
      .value(r.metadata_version.value);
  t.histogram("loglog_sequencer_raft_save_duration_seconds",
              "Of writing Raft state, to its last fdatasync.")
      .value(all.save);
}

void add_connections(PrometheusText& t, const SequencerReport& r) {
  t.gauge("loglog_sequencer_connections", "Connections that stand, by who is at the other end.")
      .value(r.core.clients, {{"peer", "client"}})
      .value(r.core.sequencers, {{"peer", "sequencer"}})
      .value(r.core.storage, {{"peer", "storage"}});
  t.counter("loglog_sequencer_connections_total", "Connections that were made, either way.")
      .value(r.core.counted.connections);
  t.gauge("loglog_sequencer_queued_bytes",
          "Bytes queued on them that the other end has not taken yet.")
      .value(r.traffic.queued);
  t.gauge("loglog_sequencer_receiving_bytes",
          "Memory of the blocks into which they receive; clients wait for room in it above 64 MiB.")
      .value(r.traffic.receiving);
  t.gauge("loglog_sequencer_free_memory_bytes",
          "Heap memory that was freed and is still resident; above 32 MiB a node looks each second "
          "and gives it back.")
      .value(server::free_memory());
  t.gauge("loglog_sequencer_unknown_connections", "Connections that have not said hello.")
      .value(std::uint64_t{r.admissions.unknown});
  t.gauge("loglog_sequencer_clients_max",
          "Clients that may be connected at once: a share of the descriptors.")
      .value(std::uint64_t{r.admissions.clients_max});
  t.counter(
       "loglog_sequencer_refused_connections_total",
       "Connections closed because there were too many clients, or too many that said no hello.")
      .value(r.admissions.refused);
  t.counter("loglog_sequencer_received_bytes_total", "Bytes received on them.")
      .value(r.traffic.received);
  t.counter("loglog_sequencer_sent_bytes_total", "Bytes sent on them, or queued to be.")
      .value(r.traffic.sent);
}

void add_cluster(PrometheusText& t, const Report& r) {
  t.gauge("loglog_sequencer_storage_nodes",
          "Registered storage nodes by state, as the leader sees them; none of a sequencer that "
          "does not lead.");
  if (r.term != Term{})
    for (const NodeCondition c : {NodeCondition::up, NodeCondition::lagging, NodeCondition::suspect,
                                  NodeCondition::unreachable, NodeCondition::foreign_disk,
                                  NodeCondition::data_loss, NodeCondition::refuses_leader}) {
      const auto n = r.nodes.find(c);
      t.value(n == r.nodes.end() ? std::uint64_t{0} : n->second, {{"state", name_of(c)}});
    }
  t.gauge("loglog_sequencer_logs", "Logs of the cluster.").value(r.logs_in_all);
  t.gauge("loglog_sequencer_open_logs",
          "Those that take appends, as the leader knows; 0 of a sequencer that does not lead.")
      .value(r.logs_open);
  t.gauge("loglog_sequencer_refusing_logs",
          "Those of the open logs that refuse appends because too few replicas have space on their "
          "disks, as the leader knows.")
      .value(r.logs_refusing);
  t.gauge("loglog_sequencer_clock_off_seconds",
          "How far the wall clock of a sequencer is from a majority's at most, as the leader hears "
          "them; 4294967: one was just set.")
      .value(static_cast<double>(r.clock_off_ms) / 1000);
  t.gauge("loglog_sequencer_run_twice",
          "Sequencers under whose id a second process was refused in the last 15 s, as this "
          "sequencer knows; the leader hears of it from the storage nodes too.")
      .value(r.run_twice);
  t.gauge("loglog_sequencer_halted_logs",
          "Those whose replicas contradict each other, as the leader knows.")
      .value(r.logs_halted);
  t.counter("loglog_sequencer_log_terms_total",
            "Recoveries of a log that this sequencer began as the leader.")
      .value(r.counted.log_terms);
  t.counter("loglog_sequencer_repairs_total", "Replicas of a log that it told to cut or to copy.")
      .value(r.counted.repairs);
}

/// Figures by log are bounded, so that monitors of a large cluster are not flooded.
std::string help_of(std::string_view what) {
  return fmt::format(
      "{} Said by the leader, of the {} logs in its term with the lowest ids; "
      "loglog_sequencer_logs counts all.",
      what, logs_shown_max);
}

void add_logs(PrometheusText& t, const std::vector<LogReport>& logs) {
  const auto of_log = [&](std::string_view what, std::string_view help,
                          Offset LogReport::* offset) {
    t.gauge(fmt::format("loglog_sequencer_log_{}_offset_bytes", what), help_of(help));
    for (const LogReport& l : logs)
      t.value((l.*offset).value, {{"log", std::to_string(l.id.value)}, {"name", l.name}});
  };
  const auto of_replica = [&](std::string_view what, std::string_view help, auto value) {
    t.gauge(fmt::format("loglog_sequencer_replica_{}", what), help_of(help));
    for (const LogReport& l : logs)
      for (const ReplicaReport& r : l.replicas)
        t.value(value(r), {{"log", std::to_string(l.id.value)},
                           {"name", l.name},
                           {"node", std::to_string(r.node.value)}});
  };
  of_log("first", "Where the log begins for readers.", &LogReport::first);
  of_log("committed", "End of what is committed.", &LogReport::committed);
  of_log("ordered", "End of what has its place.", &LogReport::ordered);
  of_replica(
      "durable_offset_bytes",
      "End of what a storage node holds matched in the leader's term; 0 before it is matched.",
      [](const ReplicaReport& r) { return r.durable.value; });
  of_replica("lag_bytes",
             "What is committed and not known to be on the storage node; all of the log before it "
             "is matched in the term.",
             [](const ReplicaReport& r) { return r.lag_bytes; });
  of_replica("lag_seconds",
             "How long the storage node has been lacking something that is committed, in the "
             "leader's term.",
             [](const ReplicaReport& r) { return static_cast<double>(r.lag.count()) / 1e6; });
}

/// The whole page. The report was made on the driver's thread; this runs on an HTTP thread.
std::string text_of(const SequencerReport& r) {
  PrometheusText t;
  http::add_process(t, LOGLOG_VERSION);
  add_appends(t, r.core.counted);
  add_raft(t, r);
  add_connections(t, r);
  add_cluster(t, r.core);
  add_logs(t, r.core.logs);
  return t.take();
}

}  // namespace

http::Pages pages_of(SequencerDriver& driver, http::LoopGate& gate) {
  http::Pages pages = http::node_pages(gate, [&driver] { return driver.readiness(); });
  add_status_pages(pages, driver, gate);
  pages["/metrics"] = [&driver, &gate](const http::Request&) -> http::Answer {
    const auto report = gate.ask([&driver] { return driver.report(); });
    if (!report) return report.error();
    return {200, text_of(*report), std::string(observe::prometheus_content_type)};
  };
  return pages;
}

}  // namespace loglog::sequencer
