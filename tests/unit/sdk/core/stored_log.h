// The bytes of a log as its replicas store them, and the pages that a replica gives of them, for
// tests of readers.
#pragma once
#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "proto-spec/disk/frame.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

struct StoredLog {
  static constexpr LogId log{7};

  Bytes bytes;
  std::vector<Offset> begins;  ///< of every frame
  Offset end() const { return Offset{bytes.size()}; }

  void entry(std::uint64_t producer, std::uint64_t sequence, std::string_view text) {
    Bytes frame = Bytes::allocate(text.size() + frame_overhead);
    write_frame_image(frame.mutable_data(), FrameKind::entry, ProducerId{producer},
                      Sequence{sequence}, std::as_bytes(std::span(text)));
    add(frame);
  }
  void term_start(std::uint64_t clock = 0) {
    TermStartPayload p;
    p.clock_ms = clock;
    add(make_term_start_image(p));
  }
  void segment_start(std::uint64_t clock) { add(make_segment_start_image({clock, {}, {}})); }
  /// Stamps a frame image for the log's end and appends it.
  void add(Bytes frame) {
    const Offset at = end();
    begins.push_back(at);
    Bytes all = Bytes::allocate(bytes.size() + frame.size());
    if (!bytes.empty()) std::memcpy(all.mutable_data(), bytes.data(), bytes.size());
    std::memcpy(all.mutable_data() + bytes.size(), frame.data(), frame.size());
    stamp_frame(all.mutable_data() + at.value, static_cast<std::uint32_t>(frame.size()), Term{1},
                log, at, Chain{});
    bytes = all;
  }
  /// A page of at most `max` bytes; all bytes of the log are committed.
  Page page(Offset from, std::size_t max = ~std::size_t{0}) const {
    return {log,   from,     {},
            end(), Errc::ok, bytes.slice(from.value, std::min(max, bytes.size() - from.value))};
  }
  /// As page(), with a bit of the byte at `at` flipped.
  Page damaged(Offset from, Offset at) const {
    Page p = page(from);
    p.frames = Bytes::copy_of(p.frames.span());
    p.frames.mutable_data()[at - from] ^= std::byte{0x40};
    return p;
  }
  /// A page without bytes.
  Page refusal(Offset from, Errc why, Offset first = {}) const {
    return {log, from, first, end(), why, {}};
  }
};

}  // namespace loglog::client
