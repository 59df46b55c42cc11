// Each format has the same form: magic, version, fields, XXH3-64 over all bytes before it. Slots
// are judged by their checksum first. Header and identity are judged by their version first, so
// that a newer format is reported as such.
#include "proto-spec/disk/segment.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>

#include "proto-spec/vocabulary/limits.h"

namespace loglog {
namespace {

constexpr std::uint64_t segment_magic = 0x0047'4553'4C47'4F4CULL;  // "LOGLSEG\0"
constexpr std::uint32_t marks_magic = 0x4B4D'4C4C;                 // "LLMK"
constexpr std::uint32_t promise_magic = 0x5250'4C4C;               // "LLPR"
constexpr std::uint32_t identity_magic = 0x4449'4C4C;              // "LLID"
// Version 1 had frames with payload checksums of 32 bits (decision 0030).
constexpr std::uint8_t format_version = 2;
// An identity of this version names the version of the directory's records (T7).
constexpr std::uint8_t raised_version = 3;
constexpr std::size_t record_version_at = 29;

Bytes zeroed(std::size_t n) {
  Bytes b = Bytes::allocate(n);
  std::memset(b.mutable_data(), 0, n);
  return b;
}

// Writes the checksum over bytes [0, at) at position `at`; sealed() verifies it.
void seal(Bytes& b, std::size_t at) { store_le(b.mutable_data() + at, XXH3_64bits(b.data(), at)); }
bool sealed(ByteSpan b, std::size_t at) {
  return b.size() >= at + 8 && load_le<std::uint64_t>(b.data() + at) == XXH3_64bits(b.data(), at);
}

// The good slot with the higher counter. A crash during a write leaves the other slot good.
template <class T, class Decode>
std::optional<T> newer(ByteSpan a, ByteSpan b, Decode decode) {
  std::optional<T> x = decode(a);
  std::optional<T> y = decode(b);
  if (!x) return y;
  if (!y) return x;
  return y->counter > x->counter ? y : x;
}

// A slot of another version counts as bad, like a torn slot.
std::optional<Marks> decode_marks_slot(ByteSpan b) {
  if (!sealed(b, 40) || load_le<std::uint32_t>(b.data()) != marks_magic) return std::nullopt;
  if (load_le<std::uint8_t>(b.data() + 4) != format_version) return std::nullopt;
  return Marks{load_le<std::uint64_t>(b.data() + 8), Offset{load_le<std::uint64_t>(b.data() + 16)},
               Chain{load_le<std::uint64_t>(b.data() + 24)},
               Offset{load_le<std::uint64_t>(b.data() + 32)}};
}

std::optional<Promise> decode_promise_slot(ByteSpan b) {
  if (!sealed(b, 32) || load_le<std::uint32_t>(b.data()) != promise_magic) return std::nullopt;
  if (load_le<std::uint8_t>(b.data() + 4) != format_version) return std::nullopt;
  return Promise{load_le<std::uint64_t>(b.data() + 8), Term{load_le<std::uint32_t>(b.data() + 16)},
                 InstanceId{load_le<std::uint64_t>(b.data() + 24)}};
}

}  // namespace

Bytes encode_segment_header(const SegmentHeader& h) {
  Bytes b = zeroed(segment_header_size);
  std::byte* p = b.mutable_data();
  store_le(p, segment_magic);
  store_le(p + 8, format_version);
  store_le(p + 16, h.cluster.value);
  store_le(p + 24, h.log.value);
  store_le(p + 32, h.first.value);
  store_le(p + 40, h.chain.value);
  seal(b, 48);
  return b;
}

// The version is checked before the checksum, because a later format may have its checksum
// elsewhere.
Result<SegmentHeader> decode_segment_header(ByteSpan b) {
  if (b.size() < segment_header_size)
    return fail(Errc::corrupt, "the file is shorter than a segment header");
  if (load_le<std::uint64_t>(b.data()) != segment_magic)
    return fail(Errc::corrupt, "no segment magic");
  if (const auto v = load_le<std::uint8_t>(b.data() + 8); v != format_version)
    return fail(Errc::newer_format,
                fmt::format("segment format {}, this version reads {}", v, format_version));
  if (!sealed(b, 48)) return fail(Errc::corrupt, "the segment header's checksum is wrong");
  return SegmentHeader{ClusterId{load_le<std::uint64_t>(b.data() + 16)},
                       LogId{load_le<std::uint64_t>(b.data() + 24)},
                       Offset{load_le<std::uint64_t>(b.data() + 32)},
                       Chain{load_le<std::uint64_t>(b.data() + 40)}};
}

Bytes encode_marks(const Marks& m) {
  Bytes b = zeroed(marks_slot_size);
  std::byte* p = b.mutable_data();
  store_le(p, marks_magic);
  store_le(p + 4, format_version);
  store_le(p + 8, m.counter);
  store_le(p + 16, m.durable.value);
  store_le(p + 24, m.chain.value);
  store_le(p + 32, m.committed.value);
  seal(b, 40);
  return b;
}

std::optional<Marks> decode_marks(ByteSpan header) {
  if (header.size() < segment_header_size) return std::nullopt;
  return newer<Marks>(header.subspan(marks_slot_at[0], marks_slot_size),
                      header.subspan(marks_slot_at[1], marks_slot_size), decode_marks_slot);
}

Bytes encode_promise(const Promise& pr) {
  Bytes b = zeroed(promise_slot_size);
  std::byte* p = b.mutable_data();
  store_le(p, promise_magic);
  store_le(p + 4, format_version);
  store_le(p + 8, pr.counter);
  store_le(p + 16, pr.term.value);
  store_le(p + 24, pr.instance.value);
  seal(b, 32);
  return b;
}

std::optional<Promise> decode_promise(ByteSpan file) {
  if (file.size() < promise_file_size) return std::nullopt;
  return newer<Promise>(file.subspan(0, promise_slot_size),
                        file.subspan(promise_slot_size, promise_slot_size), decode_promise_slot);
}

// A name longer than log_name_max is cut.
Bytes encode_identity(const Identity& i) {
  Bytes b = zeroed(identity_file_size);
  std::byte* p = b.mutable_data();
  const std::size_t n = std::min(i.cluster_name.size(), log_name_max);
  store_le(p, identity_magic);
  const bool raised = i.record_version > record_version_first;
  store_le(p + 4, raised ? raised_version : format_version);
  store_le(p + 8, i.cluster.value);
  store_le(p + 16, i.disk.value);
  store_le(p + 24, i.id);
  store_le(p + 28, i.role);
  if (raised) store_le(p + record_version_at, i.record_version);
  store_le(p + 32, static_cast<std::uint16_t>(n));
  std::memcpy(p + 34, i.cluster_name.data(), n);
  seal(b, identity_file_size - 8);
  return b;
}

Result<Identity> decode_identity(ByteSpan b) {
  if (b.size() < identity_file_size || load_le<std::uint32_t>(b.data()) != identity_magic)
    return fail(Errc::data_loss, "the identity file is not one");
  const auto v = load_le<std::uint8_t>(b.data() + 4);
  if (v != format_version && v != raised_version)
    return fail(Errc::newer_format, fmt::format("identity format {}, this version reads {} and {}",
                                                v, format_version, raised_version));
  if (!sealed(b, identity_file_size - 8))
    return fail(Errc::data_loss, "the identity file's checksum is wrong");
  Identity i;
  i.cluster = ClusterId{load_le<std::uint64_t>(b.data() + 8)};
  i.disk = DiskId{load_le<std::uint64_t>(b.data() + 16)};
  i.id = load_le<std::uint32_t>(b.data() + 24);
  i.role = load_le<std::uint8_t>(b.data() + 28);
  const std::size_t n = load_le<std::uint16_t>(b.data() + 32);
  if (n > log_name_max) return fail(Errc::data_loss, "the identity file's name is too long");
  i.cluster_name.assign(reinterpret_cast<const char*>(b.data() + 34), n);
  if (v == raised_version) i.record_version = load_le<std::uint8_t>(b.data() + record_version_at);
  if (v == raised_version && i.record_version <= record_version_first)
    return fail(Errc::data_loss, "the identity file names no version of records");
  return i;
}

Error unreadable_records(const Identity& i, std::uint8_t highest) {
  return {
      Errc::newer_format,
      fmt::format("the cluster was raised: records here are of version {}, this program reads "
                  "up to version {}; start the program that ran here before, or a newer program",
                  i.record_version, highest)};
}

std::string segment_file_name(Offset first) { return fmt::format("{:020}.seg", first.value); }

std::optional<Offset> parse_segment_file_name(std::string_view name) {
  constexpr std::string_view suffix = ".seg";
  if (name.size() != 20 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t v = 0;
  const char* const begin = name.data();
  const auto [end, error] = std::from_chars(begin, begin + 20, v);
  if (error != std::errc{} || end != begin + 20) return std::nullopt;
  return Offset{v};
}

}  // namespace loglog
