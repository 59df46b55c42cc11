// The wire codec (spec/01): a byte stream gives the same messages however it is cut, payloads are
// received in place, and damage is refused.
#include "proto-spec/wire/codec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "proto-spec/vocabulary/random.h"

using namespace loglog;

namespace {

/// Head and tail of an encoded message in a single block.
Bytes whole(const Encoded& e) {
  Bytes b = Bytes::allocate(e.size());
  std::memcpy(b.mutable_data(), e.head.data(), e.head.size());
  if (!e.tail.empty()) std::memcpy(b.mutable_data() + e.head.size(), e.tail.data(), e.tail.size());
  return b;
}

Upload upload(std::size_t size) {
  Upload u;
  u.log = LogId{4};
  u.run = {ProducerId{9}, Sequence{1}, 1, static_cast<std::uint32_t>(size), RunDigest{5}};
  u.frames = Bytes::allocate(size);
  std::fill_n(u.frames.mutable_data(), size, std::byte{'x'});
  return u;
}

}  // namespace

TEST_CASE("a stream cut anywhere gives the same messages") {
  std::vector<std::byte> stream;
  for (std::size_t size : {0u, 10u, 5000u, 300000u, 1u}) {
    const Bytes b = whole(encode(RequestId{static_cast<std::uint32_t>(size)}, upload(size)));
    stream.insert(stream.end(), b.data(), b.data() + b.size());
  }
  // 50 random ways of cutting the stream, also in the middle of headers.
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    MessageDecoder decoder(4096);
    std::vector<std::size_t> sizes;
    std::size_t at = 0;
    while (at < stream.size()) {
      auto room = decoder.writable();
      REQUIRE(!room.empty());
      const std::size_t n = std::min(
          {room.size(), stream.size() - at, static_cast<std::size_t>(1 + random.below(3000))});
      std::memcpy(room.data(), stream.data() + at, n);
      decoder.filled(n);
      at += n;
      for (;;) {
        auto m = decoder.next();
        REQUIRE(m.has_value());
        if (!*m) break;
        sizes.push_back(std::get<Upload>((*m)->message).frames.size());
        CHECK((*m)->request.value == sizes.back());
      }
    }
    CHECK(sizes == std::vector<std::size_t>{0, 10, 5000, 300000, 1});
  }
}

TEST_CASE(
    "of large messages that follow one another little is received elsewhere than where it stays") {
  std::vector<std::byte> stream;
  constexpr int messages = 12;
  for (int i = 0; i < messages; ++i) {
    const Bytes b =
        whole(encode(RequestId{1}, upload(100'000 + 1000 * static_cast<std::size_t>(i))));
    stream.insert(stream.end(), b.data(), b.data() + b.size());
  }
  MessageDecoder decoder;
  std::size_t at = 0, moved = 0;
  int seen = 0;
  // Where the bytes since the last message were received.
  std::vector<std::pair<const std::byte*, std::size_t>> places;
  while (at < stream.size()) {
    auto room = decoder.writable();
    const std::size_t n = std::min(room.size(), stream.size() - at);
    std::memcpy(room.data(), stream.data() + at, n);
    decoder.filled(n);
    at += n;
    places.emplace_back(room.data(), n);
    for (auto m = decoder.next(); m.has_value() && *m; m = decoder.next()) {
      const Bytes frames = std::get<Upload>((*m)->message).frames;
      // A byte counts as moved if it was received outside the payload's final place.
      for (const auto& [data, size] : places)
        if (seen > 0 &&
            (data + size <= frames.data() - 100 || data >= frames.data() + frames.size()))
          moved += size;
      places.clear();
      ++seen;
    }
  }
  CHECK(seen == messages);
  CHECK(moved <= static_cast<std::size_t>(messages) * (16u << 10));
}

TEST_CASE("a payload is received in place") {
  MessageDecoder decoder(64u << 10);
  const Bytes b = whole(encode(RequestId{1}, upload(1000)));
  auto room = decoder.writable();
  std::memcpy(room.data(), b.data(), b.size());
  decoder.filled(b.size());
  auto m = decoder.next();
  REQUIRE(m.has_value());
  REQUIRE(m->has_value());
  const Bytes& frames = std::get<Upload>((*m)->message).frames;
  CHECK(frames.data() >= room.data());
  // The payload ends where its bytes were received: nothing was copied.
  CHECK(frames.data() + frames.size() == room.data() + b.size());
}

TEST_CASE("damage in header or fields is refused; the tail has its own checksums") {
  const Bytes good = whole(encode(RequestId{3}, upload(100)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = Bytes::copy_of(good);
    bad.mutable_data()[i] ^= std::byte{0x40};
    const auto r = decode(bad);
    // The payload carries its own checksums, so the decoder leaves damage there to frame checks.
    const bool in_tail = i >= good.size() - 100;
    CHECK_MESSAGE(r.has_value() == in_tail, "byte " << i);
  }
}

TEST_CASE("a count that the bytes cannot hold is refused without allocating for it") {
  Order o;
  o.items.resize(1);
  Bytes b = whole(encode(RequestId{1}, o));
  // The count of items stands behind six fixed fields: log 8, term 4, version 8, previous end 8,
  // previous term 4, committed 8 bytes.
  store_le(b.mutable_data() + message_header_size + 40, std::uint32_t{1u << 19});
  const auto r = decode(b);
  REQUIRE(!r.has_value());
  CHECK(r.error().code == Errc::malformed_message);
}

TEST_CASE("a body over the limit is refused from its header alone") {
  MessageDecoder decoder(4096, 1000);
  const Bytes b = whole(encode(RequestId{1}, upload(2000)));
  auto room = decoder.writable();
  std::memcpy(room.data(), b.data(), message_header_size);
  decoder.filled(message_header_size);
  const auto r = decoder.next();
  REQUIRE(!r.has_value());
  CHECK(r.error().code == Errc::message_too_large);
}

TEST_CASE("a message prints as one readable line") {
  CHECK(to_text(Message{Sealed{LogId{0}, Term{7}, 42, 5, 6}}) ==
        "Sealed log=0 term=7 staged_bytes=42 promise_found=5 promise_count=6 record_version=0");
  CHECK(to_text(Message{upload(3)}) ==
        "Upload log=4 run={producer=9 first=1 count=1 length=3 digest=5} frames=3B");
}
