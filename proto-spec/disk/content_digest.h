// Digest of what a log holds, byte for byte: for comparing replicas, never stored or sent.
#pragma once
#include "proto-spec/vocabulary/bytes.h"

namespace loglog {

/// The digest after one more whole stamped frame: its XXH3-64, seeded with the digest before (0 at
/// the begin of what is compared).
std::uint64_t extend_content(std::uint64_t before, ByteSpan frame);

}  // namespace loglog
