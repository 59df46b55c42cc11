// Decoding checks the count before it reads an id, so that any bytes are safe input.
#include "proto-spec/disk/tombstones.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace loglog {
namespace {

constexpr std::uint32_t tombstones_magic = 0x5354'4C4C;  // "LLTS"
constexpr std::uint32_t tombstones_version = 1;
constexpr std::size_t ids_at = 32;

// A good slot, or nullopt. Bytes behind the checksum are ignored: they belong to an earlier, longer
// list.
std::optional<Tombstones> decode_slot(ByteSpan b) {
  if (b.size() < ids_at + 8 || load_le<std::uint32_t>(b.data()) != tombstones_magic)
    return std::nullopt;
  if (load_le<std::uint32_t>(b.data() + 4) != tombstones_version) return std::nullopt;
  const auto count = load_le<std::uint64_t>(b.data() + 24);
  if (count > tombstones_max || ids_at + 8 * count + 8 > b.size()) return std::nullopt;
  const std::size_t end = ids_at + 8 * static_cast<std::size_t>(count);
  if (load_le<std::uint64_t>(b.data() + end) != XXH3_64bits(b.data(), end)) return std::nullopt;
  Tombstones t{
      load_le<std::uint64_t>(b.data() + 8), LogId{load_le<std::uint64_t>(b.data() + 16)}, {}};
  for (std::size_t at = ids_at; at < end; at += 8)
    t.ids.push_back(LogId{load_le<std::uint64_t>(b.data() + at)});
  return t;
}

}  // namespace

Bytes encode_tombstones(const Tombstones& t) {
  const std::size_t end = ids_at + 8 * t.ids.size();
  Bytes b = Bytes::allocate(end + 8);
  std::byte* p = b.mutable_data();
  store_le(p, tombstones_magic);
  store_le(p + 4, tombstones_version);
  store_le(p + 8, t.counter);
  store_le(p + 16, t.floor.value);
  store_le(p + 24, static_cast<std::uint64_t>(t.ids.size()));
  for (std::size_t i = 0; i < t.ids.size(); ++i) store_le(p + ids_at + 8 * i, t.ids[i].value);
  store_le(p + end, static_cast<std::uint64_t>(XXH3_64bits(p, end)));
  return b;
}

std::optional<Tombstones> decode_tombstones(ByteSpan file) {
  std::optional<Tombstones> newest;
  // A file shorter than two slots still has a first slot to read.
  for (const std::uint64_t at : {std::uint64_t{0}, tombstones_slot_size}) {
    if (at >= file.size()) break;
    auto t = decode_slot(
        file.subspan(at, std::min<std::uint64_t>(tombstones_slot_size, file.size() - at)));
    if (t && (!newest || t->counter > newest->counter)) newest = std::move(t);
  }
  return newest;
}

}  // namespace loglog
