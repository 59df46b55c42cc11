// Entries as readers get them, their positions, and packed entries. Part of <loglog/client.h>.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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

/// An entry as a view: as Entry, but `payload` lies in the memory of EntryViews and is valid as
/// long as EntryViews::memory or a copy of that pointer.
struct EntryView {
  EntryOffset offset = 0;                ///< the entry's id
  EntryOffset next = 0;                  ///< where to read the entry after it
  std::uint32_t term = 0;                ///< the log's term in which the entry was committed
  std::uint64_t producer = 0;            ///< random id of the client that appended it and log
  std::uint64_t sequence = 0;            ///< number within its producer: ascending, with gaps
  std::span<const std::byte> payload{};  ///< the bytes that were appended, verified as in Entry
  bool packed = false;                   ///< appended by append_batch
  /// The payload as text. Valid as long as `payload`.
  std::string_view text() const {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
  /// As Entry::parts(), without a copy. The spans are valid as long as `payload`.
  std::vector<std::span<const std::byte>> parts() const;
};

/// Entries that were read without a copy of their payloads: these lie where the client received
/// them. Movable and cheap to copy; copies share the memory. May be used and destroyed in any
/// thread, also after the client is gone.
struct EntryViews {
  std::vector<EntryView> entries;  ///< in order
  EntryOffset next = 0;            ///< where to read on; as ReadResult::next
  /// With ReadOptions::frames: the stored bytes of each frame from the asked offset to `next`, in
  /// order. Valid as long as `memory`.
  std::vector<std::span<const std::byte>> frames{};
  /// Keeps the received bytes: about ReadOptions::max_bytes, or a single large entry. A view that
  /// stays keeps all of them, so copy the payload of an entry that is kept for long.
  std::shared_ptr<const void> memory{};
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
