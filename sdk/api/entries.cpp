// Entries, views and positions as values: how they are made of the core's, and packed entries.
#include "sdk/api/entries.h"

#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "proto-spec/disk/frame.h"

namespace loglog {

static_assert(entry_overhead == frame_overhead);
static_assert(entry_bytes_max == entry_size_max);

Entry to_entry(const client::Entry& e) {
  return {e.offset.value,   e.next.value,     e.term.value,
          e.producer.value, e.sequence.value, std::string(e.payload.text()),
          e.packed};
}

std::string LogPosition::text() const { return std::to_string(log) + "@" + std::to_string(offset); }

std::optional<LogPosition> LogPosition::parse(std::string_view text) {
  LogPosition p;
  const char* const begin = std::to_address(text.begin());
  const char* const end = begin + text.size();
  const auto [at, wrong] = std::from_chars(begin, end, p.log);
  if (wrong != std::errc{} || at == end || *at != '@') return std::nullopt;
  const auto [rest, also_wrong] = std::from_chars(at + 1, end, p.offset);
  return also_wrong == std::errc{} && rest == end ? std::optional(p) : std::nullopt;
}

std::string pack_batch(const std::vector<std::string>& payloads) {
  std::string out;
  const auto put = [&out](std::uint32_t v) {
    char b[4];
    std::memcpy(b, &v, 4);
    out.append(b, 4);
  };
  put(static_cast<std::uint32_t>(payloads.size()));
  for (const auto& p : payloads) put(static_cast<std::uint32_t>(p.size()));
  for (const auto& p : payloads) out += p;
  return out;
}

namespace {

/// The payloads of a packed entry; nullopt if the bytes were not made by pack_batch. The counts and
/// lengths come from the log, so each is checked before it is used.
std::optional<std::vector<ByteSpan>> unpack(ByteSpan packed) {
  const auto at = [packed](std::size_t i) {
    std::uint32_t v = 0;
    std::memcpy(&v, packed.data() + 4 * i, 4);
    return std::size_t{v};
  };
  std::vector<ByteSpan> out;
  if (packed.size() < 4 || packed.size() / 4 < at(0) + 1) return std::nullopt;
  std::size_t position = 4 * (at(0) + 1);
  for (std::size_t i = 1; i <= at(0); ++i) {
    if (at(i) > packed.size() - position) return std::nullopt;
    out.push_back(packed.subspan(position, at(i)));
    position += at(i);
  }
  return out;
}

}  // namespace

std::vector<std::span<const std::byte>> EntryView::parts() const {
  auto out = packed ? unpack(payload) : std::nullopt;
  return out ? std::move(*out) : std::vector{payload};
}

std::vector<std::string> Entry::parts() const {
  const EntryView view{.payload = std::as_bytes(std::span(payload)), .packed = packed};
  std::vector<std::string> out;
  for (const ByteSpan part : view.parts())
    out.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
  return out;
}

EntryViews to_views(client::Delivered&& d) {
  const auto memory = std::make_shared<const client::Delivered>(std::move(d));
  EntryViews out;
  out.next = memory->next.value;
  out.entries.reserve(memory->entries.size());
  for (const client::Entry& e : memory->entries)
    out.entries.push_back({e.offset.value, e.next.value, e.term.value, e.producer.value,
                           e.sequence.value, e.payload.span(), e.packed});
  for (const Bytes& frame : memory->frames) out.frames.push_back(frame.span());
  out.memory = memory;
  return out;
}

}  // namespace loglog
