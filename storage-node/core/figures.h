// Counters of a storage node, and the report that it shows to monitors (/metrics). The
// core counts; app/storage_pages.cpp renders. No rule reads a figure.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "proto-spec/observe/histogram.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::storage {

/// Limit on logs that a report lists; the logs with the lowest ids are listed.
inline constexpr std::size_t logs_shown_max = 1000;

/// Counters since the start of the process. A node has one set for all of its logs.
struct Figures {
  /// Uploads accepted into memory.
  std::uint64_t uploaded_runs = 0, uploaded_bytes = 0;
  /// Runs that were ordered before their upload had come.
  std::uint64_t missing_runs = 0;
  /// Ordered by a leader and durable here.
  std::uint64_t written_runs = 0, written_entries = 0, written_bytes = 0;
  /// Bytes that peers gave: missing runs, and copies.
  std::uint64_t copied_bytes = 0;
  /// Pages and their bytes sent to readers; bytes sent to peers.
  std::uint64_t pages = 0, page_bytes = 0, peer_bytes = 0;
  /// Damage found and repaired (K3, K4), and reports of damage by readers and peers.
  std::uint64_t corruptions_found = 0, corruptions_repaired = 0, reports = 0;
  /// Connections whose hellos were accepted.
  std::uint64_t connections = 0;
  /// Refusals by error code.
  observe::ErrorCounts refused;

  void uploaded(const Reference& run) {
    ++uploaded_runs;
    uploaded_bytes += run.length;
  }
  void written(const Reference& run) {
    ++written_runs;
    written_entries += run.count;
    written_bytes += run.length;
  }

  /// Node::send() calls this for each message that goes out.
  void sent(const auto&) {}
  void sent(const Failed& m) { refused.count(m.error); }
  void sent(const Busy& m) { refused.count(m.error); }
  void sent(const Fenced&) { refused.count(Errc::fenced); }
  void sent(const NotMember&) { refused.count(Errc::not_member); }
  void sent(const Copied& m) { peer_bytes += m.frames.size(); }
  void sent(const RunIs& m) { peer_bytes += m.frames.size(); }
  void sent(const Page& m) {
    if (m.reason != Errc::ok && m.reason != Errc::past_end)
      // A read at the end of the log is not refused.
      refused.count(m.reason);
    if (m.frames.empty()) return;
    ++pages;
    page_bytes += m.frames.size();
  }
};

// A log's line in the report. Offsets as in log_core.h.
struct LogReport {
  LogId id;
  std::string name;
  Offset first, committed, durable;
  /// Space that the log's files take.
  std::uint64_t disk_bytes = 0;
};

/// State of the node at a moment, beside its counters. Sizes are in bytes.
struct Report {
  Figures counted;
  std::uint64_t staged_runs = 0, staged_bytes = 0, cached_bytes = 0;
  /// Pages that are read for readers or queued to them.
  std::uint64_t pages_in_flight = 0;
  /// Reads that wait, and follows.
  std::uint64_t readers = 0;
  /// Asked of peers and not received; fetched from peers and not written; asked by peers and not
  /// received there.
  std::uint64_t asked_bytes = 0, fetched_bytes = 0, given_bytes = 0;
  /// Since the start: staged runs that nobody ordered in time.
  std::uint64_t staged_runs_dropped = 0;
  /// Connections that are open now.
  std::uint64_t clients = 0, sequencers = 0, peers = 0;
  Term promise;
  bool data_loss = false;
  /// A size of 0: unknown.
  std::uint64_t disk_free_bytes = 0, disk_size_bytes = 0;
  /// Dropped logs that the tombstones list by id.
  std::uint64_t tombstones = 0;
  /// Logs that are made and not dropped, and the logs of them that are matched, suspect (K3), or
  /// lost (T4).
  std::uint64_t logs_in_all = 0, logs_matched = 0, logs_suspect = 0, logs_lost = 0;
  /// At most logs_shown_max.
  std::vector<LogReport> logs;
};

}  // namespace loglog::storage
