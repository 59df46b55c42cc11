// What a storage node counts, and what it shows of itself to monitors.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "proto-spec/observe/histogram.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::storage {

/// Most logs that are shown one by one: those with the lowest ids.
inline constexpr std::size_t logs_shown_max = 1000;

/// Since the start of the process. One for a node; its logs count here as well.
struct Figures {
  std::uint64_t uploaded_runs = 0, uploaded_bytes = 0;  ///< taken into memory
  std::uint64_t missing_runs = 0;                       ///< ordered before their upload had come
  std::uint64_t written_runs = 0, written_entries = 0,
                written_bytes = 0;  ///< ordered and made durable here
  std::uint64_t copied_bytes = 0;   ///< taken from peers: missing runs, and what logs lacked
  std::uint64_t pages = 0, page_bytes = 0, peer_bytes = 0;  ///< sent to readers; to peers
  std::uint64_t corruptions_found = 0, corruptions_repaired = 0,
                reports = 0;      ///< K3, K4; what readers and peers said
  std::uint64_t connections = 0;  ///< whose hellos were accepted
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

  // Every message that goes out is looked at here.
  void sent(const auto&) {}
  void sent(const Failed& m) { refused.count(m.error); }
  void sent(const Busy& m) { refused.count(m.error); }
  void sent(const Fenced&) { refused.count(Errc::fenced); }
  void sent(const NotMember&) { refused.count(Errc::not_member); }
  void sent(const Copied& m) { peer_bytes += m.frames.size(); }
  void sent(const RunIs& m) { peer_bytes += m.frames.size(); }
  void sent(const Page& m) {
    if (m.reason != Errc::ok && m.reason != Errc::past_end)
      refused.count(m.reason);  // at the end there is nothing to refuse
    if (m.frames.empty()) return;
    ++pages;
    page_bytes += m.frames.size();
  }
};

struct LogReport {
  LogId id;
  std::string name;
  Offset first, committed, durable;
  std::uint64_t disk_bytes = 0;  ///< what its files take
};

/// The state at one moment.
struct Report {
  Figures counted;
  std::uint64_t staged_runs = 0, staged_bytes = 0, cached_bytes = 0;
  std::uint64_t pages_in_flight = 0;  ///< bytes of pages being read for readers, or queued to them
  std::uint64_t readers = 0;          ///< reads that wait, and follows
  std::uint64_t asked_bytes = 0, fetched_bytes = 0,
                given_bytes =
                    0;  ///< of peers and not here; not written yet; of this node and not there
  std::uint64_t staged_runs_dropped = 0;  ///< since the start: that nobody ordered in time
  std::uint64_t clients = 0, sequencers = 0, peers = 0;  ///< connected
  Term promise;
  bool data_loss = false;
  std::uint64_t disk_free_bytes = 0, disk_size_bytes = 0;  ///< size 0: not known
  std::uint64_t tombstones = 0;                            ///< dropped logs that are listed by id
  std::uint64_t logs_in_all = 0, logs_matched = 0, logs_suspect = 0, logs_lost = 0;
  std::vector<LogReport> logs;  ///< at most logs_shown_max
};

}  // namespace loglog::storage
