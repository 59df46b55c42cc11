// ClientFigures and their Prometheus text. The core's counts know nothing of appends that were
// refused in the calling thread, so refused_here is added. Names of families and HELP texts are
// listed in sdk/README.md.
#include <loglog/client.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "proto-spec/observe/prometheus_text.h"
#include "sdk/api/client_state.h"

namespace loglog {
namespace {

/// The core's histogram has a count more than bounds: the last bucket has no upper bound.
ClientFigures::Latency to_latency(const observe::LatencyHistogram& h) {
  ClientFigures::Latency out;
  out.sum = std::chrono::microseconds(h.sum());
  for (std::size_t i = 0; i < h.counts().size(); ++i) {
    const bool last = i == h.bounds().size();
    out.buckets.push_back(
        {last ? std::chrono::microseconds::max() : std::chrono::microseconds(h.bounds()[i]),
         h.counts()[i]});
  }
  return out;
}

}  // namespace

std::uint64_t ClientFigures::Latency::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0},
                         [](std::uint64_t n, const Bucket& b) { return n + b.count; });
}

std::chrono::microseconds ClientFigures::Latency::quantile(double share) const {
  const auto wanted = static_cast<std::uint64_t>(
      std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count())));
  std::uint64_t seen = 0;
  for (const Bucket& b : buckets)
    // At least 1, so that the lowest quantile is the first bucket that holds a call.
    if (seen += b.count; seen >= std::max<std::uint64_t>(wanted, 1)) return b.at_most;
  return {};
}

ClientFigures Client::figures() const {
  const auto [f, in_flight] = state_->driver.counted();
  return {.appends_committed = f.appends_committed,
          .appends_refused = f.appends_refused + state_->refused_here,
          .appends_unknown = f.appends_unknown,
          .appended_bytes = f.appended_bytes,
          .append_latency = to_latency(f.append_latency),
          .bytes_in_flight = in_flight,
          .uploads = f.uploads,
          .uploads_refused = f.uploads_refused,
          .commits = f.commits,
          .commits_repeated = f.commits_repeated,
          .resolutions = f.resolutions,
          .reads = f.reads,
          .read_entries = f.read_entries,
          .read_bytes = f.read_bytes,
          .followed_entries = f.followed_entries,
          .followed_bytes = f.followed_bytes,
          .corrupt_pages = f.corrupt_pages,
          .connections = f.connections,
          .reconnections = f.reconnections,
          .connections_failed = f.connections_failed};
}

std::string Client::prometheus_text() const {
  const auto [f, in_flight] = state_->driver.counted();
  observe::PrometheusText t;
  t.counter("loglog_client_appends_total", "Appends by outcome.")
      .value(f.appends_committed, {{"outcome", "committed"}})
      .value(f.appends_refused + state_->refused_here, {{"outcome", "refused"}})
      .value(f.appends_unknown, {{"outcome", "unknown"}});
  t.counter("loglog_client_appended_bytes_total", "Bytes of payloads committed.")
      .value(f.appended_bytes);
  t.histogram("loglog_client_append_duration_seconds",
              "Of appends committed, from the call to the outcome; entries that travel together "
              "count as long as the oldest of them.")
      .value(f.append_latency);
  t.gauge("loglog_client_in_flight_bytes",
          "Frames of appends under way, and kept for replicas that are slow to take them.")
      .value(in_flight);
  t.counter("loglog_client_uploads_total", "Runs of entries sent, to each replica.")
      .value(f.uploads);
  t.counter("loglog_client_refused_uploads_total",
            "Uploads refused by replicas that were busy or full.")
      .value(f.uploads_refused);
  t.counter("loglog_client_commits_total", "Commits sent to a leader.").value(f.commits);
  t.counter("loglog_client_repeated_commits_total",
            "Those sent for want of an answer, or after a change of leader.")
      .value(f.commits_repeated);
  t.counter("loglog_client_resolutions_total",
            "Times that a log was read to find out what became of appends when its leader went.")
      .value(f.resolutions);
  t.counter("loglog_client_reads_total", "Reads that were begun.").value(f.reads);
  t.counter("loglog_client_read_entries_total", "Entries that reads gave.").value(f.read_entries);
  t.counter("loglog_client_read_bytes_total", "Bytes of their payloads.").value(f.read_bytes);
  t.counter("loglog_client_followed_entries_total", "Entries that followers were given.")
      .value(f.followed_entries);
  t.counter("loglog_client_followed_bytes_total", "Bytes of their payloads.")
      .value(f.followed_bytes);
  t.counter("loglog_client_corrupt_pages_total",
            "Pages found out by their checksums, and read elsewhere.")
      .value(f.corrupt_pages);
  t.counter("loglog_client_connections_total", "Connections that were made.").value(f.connections);
  t.counter("loglog_client_reconnections_total", "Those to a node that had been connected before.")
      .value(f.reconnections);
  t.counter("loglog_client_failed_connections_total", "Attempts to connect that failed.")
      .value(f.connections_failed);
  return t.take();
}

}  // namespace loglog
