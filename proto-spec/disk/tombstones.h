// The list of logs that a storage node has dropped (T5, spec/02 P2): a small file of the node,
// <data>/tombstones, with two slots written in turn. Its space is taken when it is created, because
// deleting logs must work on a full disk. Only encoding is here; the storage node's core keeps the
// list. A slot, each field as position, name, size in bytes:
//
// 0 magic "LLTS" 4 | 4 version 4 | 8 counter 8 | 16 floor 8 | 24 count 8
// 32 log ids 8 each, ascending | XXH3-64 over all before
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"

namespace loglog {

/// The content of a slot. The slot with the higher counter counts.
struct Tombstones {
  std::uint64_t counter = 0;
  /// Ids up to the floor have left the list. A log with such an id counts as dropped unless the
  /// metadata name it.
  LogId floor{};
  std::vector<LogId> ids;  ///< ascending, at most tombstones_max
  bool operator==(const Tombstones&) const = default;
};

/// Sizes in bytes. A slot must hold the largest list.
inline constexpr std::uint64_t tombstones_slot_size = 68u << 10;
inline constexpr std::uint64_t tombstones_file_size = 2 * tombstones_slot_size;
static_assert(tombstones_slot_size >= 40 + 8 * tombstones_max);

/// A slot, no longer than its ids need. Its place is (counter % 2) * tombstones_slot_size.
Bytes encode_tombstones(const Tombstones& t);
/// The good slot with the higher counter. nullopt if neither is good, as in a file that was never
/// written. Total.
std::optional<Tombstones> decode_tombstones(ByteSpan file);

}  // namespace loglog
