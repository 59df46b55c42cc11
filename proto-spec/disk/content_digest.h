// Digest of a log's content, byte for byte, for comparing replicas (`loglog verify`, tests). It is
// never stored and never sent; the chain (frame.h) covers payloads by their checksums only.
#pragma once
#include "proto-spec/vocabulary/bytes.h"

namespace loglog {

/// The digest after another whole stamped frame: the frame's XXH3-64, seeded with the digest
/// before. The digest before the first compared frame is 0.
std::uint64_t extend_content(std::uint64_t before, ByteSpan frame);

}  // namespace loglog
