// Which logs a storage node has dropped (T5): one small file of the node, <data>/tombstones, of two
// slots written in turn. Its space is taken when it is made, because deleting logs must work on a
// full disk.
//
//   slot   0 magic "LLTS" 4 | 4 version 4 | 8 counter 8 | 16 floor 8 | 24 count 8 | 32 log ids 8
//   each, ascending |
//          XXH3-64 over all before
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"

namespace loglog {

struct Tombstones {
  std::uint64_t counter = 0;
  /// Ids up to here were taken off the list; a log of such an id that the metadata does not name is
  /// dropped too.
  LogId floor{};
  std::vector<LogId> ids;  ///< ascending, at most tombstones_max
  bool operator==(const Tombstones&) const = default;
};

inline constexpr std::uint64_t tombstones_slot_size = 68u << 10;
inline constexpr std::uint64_t tombstones_file_size = 2 * tombstones_slot_size;
static_assert(tombstones_slot_size >= 40 + 8 * tombstones_max);

/// One slot, no longer than its ids need. It lies at (counter mod 2) times the slot size.
Bytes encode_tombstones(const Tombstones& t);
/// The newer good slot. nullopt: neither is good, as in a file that was never written. Total.
std::optional<Tombstones> decode_tombstones(ByteSpan file);

}  // namespace loglog
