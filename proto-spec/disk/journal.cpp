// Decoding checks every length before it reads behind it, so that any bytes are safe input. A
// record's entries are read only after the checksum of header and table has been found right.
#include "proto-spec/disk/journal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <utility>

#include "proto-spec/vocabulary/check.h"

namespace loglog {
namespace {

constexpr std::uint32_t file_magic = 0x464A'4C4C;    // "LLJF"
constexpr std::uint32_t record_magic = 0x524A'4C4C;  // "LLJR"
constexpr std::uint32_t journal_version = 1;
constexpr std::uint32_t opens_segment_bit = 1;
/// In a slot and in a record: position of the checksum over the bytes before it.
constexpr std::size_t head_checksum_at = 48;

std::optional<JournalFileHeader> decode_file_slot(ByteSpan b) {
  if (load_le<std::uint32_t>(b.data()) != file_magic ||
      load_le<std::uint32_t>(b.data() + 4) != journal_version ||
      load_le<std::uint64_t>(b.data() + head_checksum_at) !=
          XXH3_64bits(b.data(), head_checksum_at))
    return std::nullopt;
  return JournalFileHeader{load_le<std::uint64_t>(b.data() + 8),
                           ClusterId{load_le<std::uint64_t>(b.data() + 16)},
                           DiskId{load_le<std::uint64_t>(b.data() + 24)},
                           load_le<std::uint32_t>(b.data() + 32),
                           load_le<std::uint32_t>(b.data() + 36),
                           RecordNumber{load_le<std::uint64_t>(b.data() + 40)}};
}

/// XXH3-64 over the header's bytes before the checksum, and the table. `head`: header and table.
std::uint64_t head_checksum(ByteSpan head) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, head.data(), head_checksum_at);
  XXH3_64bits_update(&state, head.data() + journal_record_header_size,
                     head.size() - journal_record_header_size);
  return XXH3_64bits_digest(&state);
}

void encode_entry(std::byte* p, const JournalEntry& e) {
  store_le(p, e.log.value);
  store_le(p + 8, e.offset.value);
  store_le(p + 16, e.length);
  store_le(p + 20, e.opens_segment ? opens_segment_bit : std::uint32_t{0});
  store_le(p + 24, e.segment.value);
  store_le(p + 32, e.chain.value);
  store_le(p + 40, e.committed.value);
  store_le(p + 48, e.durable.value);
  store_le(p + 56, e.frames_checksum);
}

/// nullopt if no writer can mean the entry. Its checksum is right already, so such an entry shows a
/// writer's error, which must not reach a segment.
std::optional<JournalEntry> decode_entry(const std::byte* p) {
  const auto flags = load_le<std::uint32_t>(p + 20);
  JournalEntry e;
  e.log = LogId{load_le<std::uint64_t>(p)};
  e.offset = Offset{load_le<std::uint64_t>(p + 8)};
  e.length = load_le<std::uint32_t>(p + 16);
  e.opens_segment = (flags & opens_segment_bit) != 0;
  e.segment = Offset{load_le<std::uint64_t>(p + 24)};
  e.chain = Chain{load_le<std::uint64_t>(p + 32)};
  e.committed = Offset{load_le<std::uint64_t>(p + 40)};
  e.durable = Offset{load_le<std::uint64_t>(p + 48)};
  e.frames_checksum = load_le<std::uint64_t>(p + 56);
  if (e.log == LogId{} || flags > opens_segment_bit || e.segment > e.offset) return std::nullopt;
  if (e.opens_segment && (e.segment != e.offset || e.length == 0)) return std::nullopt;
  return e;
}

/// Decodes the table behind a good header. nullopt if an entry is impossible, or if the lengths do
/// not add up to the record's length.
std::optional<std::vector<JournalEntry>> decode_table(const std::byte* p, std::uint32_t count,
                                                      std::uint32_t length) {
  std::vector<JournalEntry> entries;
  entries.reserve(count);
  std::uint64_t end = journal_record_header_size + std::uint64_t{count} * journal_entry_size;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto e = decode_entry(p + journal_record_header_size + i * journal_entry_size);
    if (!e) return std::nullopt;
    end += e->length;
    entries.push_back(*e);
  }
  if (end != length) return std::nullopt;
  return entries;
}

JournalRecord verdict(JournalState state, std::uint32_t length = 0) {
  JournalRecord r;
  r.state = state;
  r.length = length;
  return r;
}

}  // namespace

Bytes encode_journal_slot(const JournalFileHeader& h) {
  Bytes b = Bytes::allocate(journal_slot_size);
  std::byte* const p = b.mutable_data();
  std::memset(p, 0, journal_slot_size);
  store_le(p, file_magic);
  store_le(p + 4, journal_version);
  store_le(p + 8, h.counter);
  store_le(p + 16, h.cluster.value);
  store_le(p + 24, h.disk.value);
  store_le(p + 32, h.index);
  store_le(p + 36, h.files);
  store_le(p + 40, h.from.value);
  store_le(p + head_checksum_at, static_cast<std::uint64_t>(XXH3_64bits(p, head_checksum_at)));
  return b;
}

std::uint64_t journal_slot_at(const JournalFileHeader& h) {
  return (h.counter % 2) * journal_slot_size;
}

Bytes encode_journal_header(const JournalFileHeader& h) {
  check(h.counter > 0, "a new journal file has two slots");
  Bytes b = Bytes::allocate(journal_header_block);
  std::memset(b.mutable_data(), 0, journal_header_block);
  JournalFileHeader slot = h;
  for (slot.counter = h.counter - 1; slot.counter <= h.counter; ++slot.counter)
    std::memcpy(b.mutable_data() + journal_slot_at(slot), encode_journal_slot(slot).data(),
                journal_slot_size);
  return b;
}

std::optional<JournalFileHeader> decode_journal_header(ByteSpan block) {
  if (block.size() < 2 * journal_slot_size) return std::nullopt;
  const auto a = decode_file_slot(block.first(journal_slot_size));
  const auto b = decode_file_slot(block.subspan(journal_slot_size, journal_slot_size));
  if (!a || !b) return a ? a : b;
  return b->counter > a->counter ? b : a;
}

bool is_newer_journal(ByteSpan block) {
  if (block.size() < 2 * journal_slot_size) return false;
  const auto is_newer = [&](std::size_t at) {
    return load_le<std::uint32_t>(block.data() + at) == file_magic &&
           load_le<std::uint32_t>(block.data() + at + 4) > journal_version;
  };
  return is_newer(0) || is_newer(journal_slot_size);
}

std::uint64_t journal_checksum(std::span<const Bytes> frames) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const Bytes& b : frames) XXH3_64bits_update(&state, b.data(), b.size());
  return XXH3_64bits_digest(&state);
}

Bytes encode_journal_head(const JournalHeader& header, std::span<const JournalEntry> entries) {
  std::uint64_t length =
      journal_record_header_size + journal_entry_size * std::uint64_t{entries.size()};
  Bytes head = Bytes::allocate(static_cast<std::size_t>(length));
  std::byte* const p = head.mutable_data();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    length += entries[i].length;
    encode_entry(p + journal_record_header_size + i * journal_entry_size, entries[i]);
  }
  check(length <= journal_record_max, "a journal record is at most 1 MiB");
  std::memset(p, 0, journal_record_header_size);
  store_le(p, record_magic);
  store_le(p + 4, journal_version);
  store_le(p + 8, header.cluster.value);
  store_le(p + 16, header.disk.value);
  store_le(p + 24, header.number.value);
  store_le(p + 32, static_cast<std::uint32_t>(length));
  store_le(p + 36, static_cast<std::uint32_t>(entries.size()));
  store_le(p + 40, header.previous);
  store_le(p + head_checksum_at, head_checksum(head));
  return head;
}

std::uint64_t journal_record_checksum(ByteSpan head) {
  check(head.size() >= journal_record_header_size, "a journal record has a whole header");
  return load_le<std::uint64_t>(head.data() + head_checksum_at);
}

JournalRecord look_at_journal_record(ByteSpan bytes) {
  using enum JournalState;
  if (bytes.size() < journal_record_header_size)
    return verdict(incomplete, journal_record_header_size);
  const std::byte* const p = bytes.data();
  if (load_le<std::uint32_t>(p) != record_magic) return verdict(nothing);
  if (load_le<std::uint32_t>(p + 4) != journal_version) return verdict(newer);
  const auto length = load_le<std::uint32_t>(p + 32);
  const auto count = load_le<std::uint32_t>(p + 36);
  if (length > journal_record_max || count == 0 || count > journal_entries_max) return verdict(bad);
  const std::uint32_t head_size = journal_record_header_size + count * journal_entry_size;
  if (length < head_size) return verdict(bad);
  if (bytes.size() < head_size) return verdict(incomplete, head_size);
  const auto checksum = load_le<std::uint64_t>(p + head_checksum_at);
  if (checksum != head_checksum(bytes.first(head_size))) return verdict(bad);
  const RecordNumber number{load_le<std::uint64_t>(p + 24)};
  auto entries = decode_table(p, count, length);
  if (number == RecordNumber{} || !entries) return verdict(bad);
  if (bytes.size() < length) return verdict(incomplete, length);

  JournalRecord r = verdict(good, length);
  r.header = {ClusterId{load_le<std::uint64_t>(p + 8)}, DiskId{load_le<std::uint64_t>(p + 16)},
              number, load_le<std::uint64_t>(p + 40)};
  r.checksum = checksum;
  r.entries = std::move(*entries);
  std::size_t at = head_size;
  for (const JournalEntry& e : r.entries) {
    r.frames_good.push_back(XXH3_64bits(p + at, e.length) == e.frames_checksum);
    if (!r.frames_good.back()) r.state = torn;
    at += e.length;
  }
  return r;
}

}  // namespace loglog
