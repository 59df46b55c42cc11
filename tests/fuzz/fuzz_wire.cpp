// Fuzzes the wire codec (spec/01): any bytes on a connection become messages or a refusal, in
// bounded memory. A message that decodes must encode to the same number of bytes.
#include <cstdlib>

#include "proto-spec/wire/codec.h"

using namespace loglog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes whole = Bytes::copy_of(std::as_bytes(std::span(data, size)));
  if (auto r = decode(whole)) {
    const Encoded e = encode(r->request, r->message, data[0]);
    if (e.size() != size) std::abort();
    (void)to_text(r->message);
  }
  FrameDecoder decoder(512, 4096);
  std::size_t at = 0;
  while (at < size) {
    auto room = decoder.writable();
    const std::size_t n = std::min(room.size(), size - at);
    std::memcpy(room.data(), data + at, n);
    decoder.filled(n);
    at += n;
    for (;;) {
      auto m = decoder.next();
      if (!m) return 0;
      if (!*m) break;
    }
  }
  return 0;
}
