// The metrics of a storage node. Names and meanings are an interface for operators: rename none. A
// function for each group; the help texts are the documentation.
#include "storage-node/app/storage_pages.h"

#include <fmt/format.h>

#include "proto-spec/http/node_pages.h"
#include "proto-spec/http/posix_process_figures.h"
#include "proto-spec/observe/prometheus_text.h"
#include "proto-spec/server/posix_free_memory.h"

namespace loglog::storage {
namespace {

using observe::PrometheusText;

void add_uploads(PrometheusText& t, const Report& r) {
  const Figures& c = r.counted;
  t.counter("loglog_storage_uploaded_runs_total", "Runs taken into memory from clients.")
      .value(c.uploaded_runs);
  t.counter("loglog_storage_uploaded_bytes_total", "Bytes of frames in those runs.")
      .value(c.uploaded_bytes);
  t.gauge("loglog_storage_staged_runs", "Runs in memory that are not durable in a log yet.")
      .value(r.staged_runs);
  t.gauge("loglog_storage_staged_bytes",
          "Memory that those runs take; --staging-bytes is its limit.")
      .value(r.staged_bytes);
  t.counter("loglog_storage_staged_runs_dropped_total",
            "Runs dropped from memory because nobody ordered them in time.")
      .value(r.staged_runs_dropped);
  t.counter("loglog_storage_missing_runs_total",
            "Runs that were ordered before their upload had come.")
      .value(c.missing_runs);
}

void add_writes(PrometheusText& t, const Figures& c, const IoFigures& io) {
  t.counter("loglog_storage_appended_runs_total", "Runs made durable by order of a leader.")
      .value(c.written_runs);
  t.counter("loglog_storage_appended_entries_total", "Entries in those runs.")
      .value(c.written_entries);
  t.counter("loglog_storage_appended_bytes_total", "Bytes of frames in those runs.")
      .value(c.written_bytes);
  t.histogram("loglog_storage_fdatasync_duration_seconds",
              "From submitting a group's fdatasync, with the writes that are linked to it, to its "
              "completion.")
      .value(io.sync);
  t.histogram("loglog_storage_group_size_bytes", "Frames made durable by one fdatasync.")
      .value(io.group);
  t.counter("loglog_storage_disk_errors_total",
            "Reads, and requests for space, that failed. Any other failure ends the process.")
      .value(io.disk_errors);
  t.counter("loglog_storage_descriptor_waits_total",
            "Times that an operation on a file waited because no descriptor was left.")
      .value(io.descriptor_waits);
}

/// The size is unknown until the driver has asked the file system.
void add_disk(PrometheusText& t, const Report& r) {
  if (r.disk_size_bytes == 0) return;
  t.gauge("loglog_storage_disk_free_bytes",
          "Bytes that the node may still use on the file system of its data directory.")
      .value(r.disk_free_bytes);
  t.gauge("loglog_storage_disk_size_bytes", "Bytes of that file system in all.")
      .value(r.disk_size_bytes);
}

void add_reads(PrometheusText& t, const Report& r) {
  const Figures& c = r.counted;
  t.counter("loglog_storage_read_pages_total", "Pages sent to readers.").value(c.pages);
  t.counter("loglog_storage_read_bytes_total", "Bytes of frames in those pages.")
      .value(c.page_bytes);
  t.gauge("loglog_storage_asked_bytes", "Bytes asked of other nodes that have not come yet.")
      .value(r.asked_bytes);
  t.gauge("loglog_storage_fetched_bytes", "Runs fetched from other nodes that are not written yet.")
      .value(r.fetched_bytes);
  t.gauge("loglog_storage_given_bytes", "Bytes read, queued and under way for other nodes.")
      .value(r.given_bytes);
  t.gauge("loglog_storage_cached_bytes",
          "Memory that the newest frames of all logs take, kept for readers.")
      .value(r.cached_bytes);
  t.gauge("loglog_storage_pages_in_flight_bytes",
          "Bytes of pages that are being read for readers, or queued to them.")
      .value(r.pages_in_flight);
  t.gauge("loglog_storage_readers", "Reads that wait for new entries, and follows.")
      .value(r.readers);
  t.counter("loglog_storage_peer_sent_bytes_total", "Bytes of frames given to other storage nodes.")
      .value(c.peer_bytes);
  t.counter("loglog_storage_peer_copied_bytes_total",
            "Bytes of frames taken from other storage nodes: missing runs, and what logs lacked.")
      .value(c.copied_bytes);
}

void add_health(PrometheusText& t, const Report& r) {
  const Figures& c = r.counted;
  t.counter("loglog_storage_refused_requests_total",
            "Requests of clients, leaders and peers that were refused, by error.")
      .value(c.refused);
  t.counter("loglog_storage_corruptions_found_total",
            "Times that damaged bytes were found in a log here.")
      .value(c.corruptions_found);
  t.counter("loglog_storage_corruptions_repaired_total",
            "Times that such bytes were replaced by a peer's.")
      .value(c.corruptions_repaired);
  t.counter("loglog_storage_corruption_reports_total",
            "Times that a reader or a peer said that bytes from here are damaged.")
      .value(c.reports);
  t.gauge("loglog_storage_data_loss", "1: this node lost its data or identity, and counts as down.")
      .value(std::uint64_t{r.data_loss});
  t.gauge("loglog_storage_promised_term", "The term that this node is sealed in.")
      .value(std::uint64_t{r.promise.value});
  t.gauge("loglog_storage_logs", "Logs on this node.").value(r.logs_in_all);
  t.gauge("loglog_storage_tombstones",
          "Dropped logs that are listed by id; of more than 8192 the older half is one number.")
      .value(r.tombstones);
  t.gauge("loglog_storage_matched_logs", "Those that take orders in their leader's term.")
      .value(r.logs_matched);
  t.gauge("loglog_storage_suspect_logs", "Those with damaged bytes that are not copied again yet.")
      .value(r.logs_suspect);
  t.gauge("loglog_storage_lost_logs",
          "Those of which this node lost what it had promised or acknowledged; it counts as down "
          "for them.")
      .value(r.logs_lost);
}

void add_connections(PrometheusText& t, const NodeReport& r) {
  t.gauge("loglog_storage_connections", "Connections that stand, by who is at the other end.")
      .value(r.core.clients, {{"peer", "client"}})
      .value(r.core.sequencers, {{"peer", "sequencer"}})
      .value(r.core.peers, {{"peer", "storage"}});
  t.counter("loglog_storage_connections_total", "Connections that were made, either way.")
      .value(r.core.counted.connections);
  t.gauge("loglog_storage_queued_bytes",
          "Bytes queued on them that the other end has not taken yet.")
      .value(r.traffic.queued);
  t.gauge("loglog_storage_receiving_bytes",
          "Memory of the blocks into which they receive; clients wait for room in it above 64 MiB.")
      .value(r.traffic.receiving);
  t.gauge("loglog_storage_free_memory_bytes",
          "Heap memory that was freed and is still resident; above 32 MiB a node looks each second "
          "and gives it back.")
      .value(server::free_memory());
  t.gauge("loglog_storage_unknown_connections", "Connections that have not said hello.")
      .value(std::uint64_t{r.admissions.unknown});
  t.gauge("loglog_storage_clients_max",
          "Clients that may be connected at once: a share of the descriptors.")
      .value(std::uint64_t{r.admissions.clients_max});
  t.counter(
       "loglog_storage_refused_connections_total",
       "Connections closed because there were too many clients, or too many that said no hello.")
      .value(r.admissions.refused);
  t.counter("loglog_storage_received_bytes_total", "Bytes received on them.")
      .value(r.traffic.received);
  t.counter("loglog_storage_sent_bytes_total", "Bytes sent on them, or queued to be.")
      .value(r.traffic.sent);
}

/// Families with a label for each log. Their number is limited by logs_shown_max, so that a scrape
/// stays small on a node with many logs.
void add_logs(PrometheusText& t, const std::vector<LogReport>& logs) {
  const auto family = [&](std::string_view what, std::string_view help,
                          Offset LogReport::* offset) {
    t.gauge(fmt::format("loglog_storage_log_{}_offset_bytes", what),
            fmt::format("{} Of the {} logs with the lowest ids; loglog_storage_logs counts all.",
                        help, logs_shown_max));
    for (const LogReport& l : logs)
      t.value((l.*offset).value, {{"log", std::to_string(l.id.value)}, {"name", l.name}});
  };
  family("first", "Where the log begins for readers.", &LogReport::first);
  family("committed", "End of what this node knows to be committed.", &LogReport::committed);
  family("durable", "End of what is durable here.", &LogReport::durable);
  t.gauge("loglog_storage_log_disk_bytes",
          fmt::format("What the files of a log take, space that is reserved ahead included. Of the "
                      "{} logs with the lowest ids.",
                      logs_shown_max));
  for (const LogReport& l : logs)
    t.value(l.disk_bytes, {{"log", std::to_string(l.id.value)}, {"name", l.name}});
}

std::string text_of(const NodeReport& r) {
  PrometheusText t;
  http::add_process(t, LOGLOG_VERSION);
  add_uploads(t, r.core);
  add_writes(t, r.core.counted, r.io);
  add_disk(t, r.core);
  add_reads(t, r.core);
  add_health(t, r.core);
  add_connections(t, r);
  add_logs(t, r.core.logs);
  return t.take();
}

}  // namespace

/// The gate refuses questions once the node stops, and then answers with an error itself.
http::Pages pages_of(StorageDriver& driver, http::LoopGate& gate) {
  http::Pages pages = http::node_pages(gate, [&driver] { return driver.readiness(); });
  pages["/metrics"] = [&driver, &gate](const http::Request&) -> http::Answer {
    const auto report = gate.ask([&driver] { return driver.report(); });
    if (!report) return report.error();
    return {200, text_of(*report), std::string(observe::prometheus_content_type)};
  };
  return pages;
}

}  // namespace loglog::storage
