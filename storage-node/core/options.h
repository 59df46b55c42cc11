// Effective configuration of a storage node's core; the driver validates it (app/options).
#pragma once
#include <cstdint>
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::storage {

struct Options {
  NodeId id{};
  std::string cluster_name;
  /// Uploaded and not yet durable bytes kept in memory, for the node and for one producer of one
  /// log. A run that the leader has ordered and this node lacks is always taken (D6), so both must
  /// exceed run_size_max to be useful.
  std::uint64_t staging_bytes_max = 256u << 20;
  std::uint64_t staging_bytes_per_producer_max = 64u << 20;
  std::uint64_t staging_bytes_unmatched_max =
      16u << 20;  ///< of one producer, while the log may have to be copied from a peer
  bool verify_uploads = true;
  Duration staged_run_expires = 30s;   ///< an upload that nobody commits
  Duration staged_run_gives_way = 1s;  ///< the same, where another one finds no room
  Duration fetch_wait = 3ms;           ///< an ordered run may still be on its way from the client
  Duration peer_ping_every =
      5s;  ///< storage nodes with which it shares a log are asked whether they answer
  Duration missing_repeat = 1s;  ///< Missing, and another round of peers
  Duration copy_repeat = 200ms;  ///< another round of peers, none of which gave bytes to copy
  /// Questions to peers (transfers.h). A peer of which nothing comes for so long counts as silent,
  /// and another peer is asked; bytes that are under way give it more time. The shorter one is for
  /// runs that an append may wait for.
  Duration answer_silence_append = 500ms;
  Duration answer_silence_bulk = 2s;
  /// Bytes asked for and not here yet, of one peer and of all. A run that is larger is asked for
  /// alone. Copies have little under way at first, since what the peer sends to others waits behind
  /// it, the acknowledgements of appends above all: 256 KiB take 2 ms at 1 Gbit/s. More is asked
  /// for as long as answers do not come later for it (transfers.cpp), which fills a link of long
  /// delay.
  std::uint64_t asked_bytes_per_peer_max = 8u << 20;
  std::uint64_t asked_bulk_bytes_per_peer_min = 256u << 10;
  std::uint64_t asked_bulk_bytes_per_peer_max = 1u << 20;
  std::uint64_t asked_bytes_max = 16u << 20;
  std::uint64_t asked_bulk_bytes_max = 4u << 20;
  /// Runs that peers are asked for or gave, and that are not written yet, of all logs: no further
  /// run is fetched at the second figure, and none ahead of a missing one at the first.
  std::uint64_t fetched_ahead_bytes_max = 8u << 20;
  std::uint64_t fetched_bytes_max = 32u << 20;
  /// Bytes that one peer and all of them have asked of this node and not received: the former is
  /// above what a peer asks for at a time with the largest run beside it. More is refused with
  /// too_many, and asked for again.
  std::uint64_t given_bytes_per_peer_max = 40u << 20;
  std::uint64_t given_bytes_max = 64u << 20;
  Duration idle_marks_after = 20ms;           ///< marks-only write after the last group (K3)
  std::uint64_t tail_cache_bytes = 8u << 20;  ///< recently written bytes kept for readers, one log
  std::uint64_t tail_cache_bytes_node = 64u << 20;  ///< and all logs
  std::uint64_t pages_in_flight_max =
      128u << 20;  ///< pages being read for readers, or queued to them; all connections
  std::uint64_t group_bytes_max = 2u << 20;  ///< a group takes no further run at this size
  std::uint64_t idle_file_bytes =
      16u << 10;  ///< what a log reserves of which nothing says that it will be written soon
  std::uint32_t busy_retry_after_ms = 20;
  std::uint32_t copy_bytes = 128u << 10;  ///< asked for with one Copy
  Duration stop_max = 2s;  ///< how long a node that is to stop finishes what it has taken
  std::size_t orders_waiting_max =
      1u << 17;  ///< ordered items per log; the leader's window keeps well below
};

}  // namespace loglog::storage
