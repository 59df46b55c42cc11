// Entries as readers get them, their positions, and packed entries. Part of <loglog/client.h>.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// Position of an entry in its log, in bytes. It serves as the entry's id.
using EntryOffset = std::uint64_t;

/// Largest entry, bytes.
inline constexpr std::size_t entry_bytes_max = 16'777'215;

/// Bytes that the log keeps for an entry in addition to its payload: an entry at `offset` ends at
/// offset + entry_overhead + its size.
inline constexpr std::size_t entry_overhead = 44;

/// An entry as read. `payload` was verified against the checksum that the appender computed.
struct Entry {
  EntryOffset offset = 0;      ///< the entry's id
  EntryOffset next = 0;        ///< where to read the entry after it
  std::uint32_t term = 0;      ///< the log's term in which the entry was committed
  std::uint64_t producer = 0;  ///< random id of the client that appended it and log
  std::uint64_t sequence = 0;  ///< number within its producer: ascending, with gaps
  std::string payload;         ///< the bytes that were appended
  bool packed = false;         ///< appended by append_batch
  /// The payloads that were given to append_batch; for any other entry, its payload alone. A packed
  /// entry whose bytes pack_batch did not make counts as any other entry.
  std::vector<std::string> parts() const;
};

/// A position to keep across restarts. It names the log by its id, because an offset has a meaning
/// in its own log only: a log that was deleted and created again under its name has another id.
struct LogPosition {
  std::uint64_t log = 0;     ///< LogDetails::id
  EntryOffset offset = 0;    ///< an offset of that log
  std::string text() const;  ///< "6@9458"
  /// Parses the result of text(). nullopt: `text` is not a position.
  static std::optional<LogPosition> parse(std::string_view text);
  bool operator==(const LogPosition&) const = default;  ///< the same offset of the same log
};

/// Bytes of an entry that append_batch makes: count (32 bits), lengths (32 bits each), then the
/// payloads; little-endian. So n payloads take 4 + 4 n bytes more than their own. An entry that
/// Log::append makes of these bytes is not marked as packed, and Entry::parts() does not unpack it.
std::string pack_batch(const std::vector<std::string>& payloads);

}  // namespace loglog
