// In a file of its own, so that xxhash is inlined here and not in every user of the header.
#include "proto-spec/disk/content_digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace loglog {

std::uint64_t extend_content(std::uint64_t before, ByteSpan frame) {
  return XXH3_64bits_withSeed(frame.data(), frame.size(), before);
}

}  // namespace loglog
