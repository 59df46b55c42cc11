// Fuzzes the wire codec (spec/01): any bytes on a connection become messages or a refusal, in
// bounded memory. A message that decodes must encode to the same bytes: a message has a single
// form.
//
// The first byte of an input is the size of a tail. The other bytes are a stream as they stand, and
// a message once body length and checksum are set right, because chance finds no checksum.
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/wire/codec.h"

using namespace loglog;

namespace {

void decode_and_encode(ByteSpan message, std::size_t tail) {
  Bytes whole = Bytes::copy_of(message);
  std::byte* const p = whole.mutable_data();
  store_le(p + 2, std::uint16_t{0});
  store_le(p + 4, static_cast<std::uint32_t>(whole.size() - message_header_size));
  store_le(p + 12, std::uint32_t{0});
  const std::size_t covered =
      std::max(message_header_size, whole.size() - std::min(tail, whole.size()));
  store_le(p + 12, static_cast<std::uint32_t>(XXH3_64bits(p, covered)));
  const auto r = decode(whole);
  if (!r) return;
  const Encoded e = encode(r->request, r->message, static_cast<std::uint8_t>(p[0]));
  if (e.size() != whole.size() || std::memcmp(e.head.data(), p, e.head.size()) != 0 ||
      (!e.tail.empty() && std::memcmp(e.tail.data(), p + e.head.size(), e.tail.size()) != 0))
    std::abort();
  (void)to_text(r->message);
}

void decode_stream(ByteSpan stream) {
  MessageDecoder decoder(512, 4096);
  std::size_t at = 0;
  while (at < stream.size()) {
    auto room = decoder.writable();
    const std::size_t n = std::min(room.size(), stream.size() - at);
    std::memcpy(room.data(), stream.data() + at, n);
    decoder.filled(n);
    at += n;
    for (;;) {
      auto m = decoder.next();
      if (!m) return;
      if (!*m) break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes = std::as_bytes(std::span(data + 1, size - 1));
  if (bytes.size() >= message_header_size) decode_and_encode(bytes, data[0]);
  decode_stream(bytes);
  return 0;
}
