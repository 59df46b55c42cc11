// Tests that a payload's checksum needs 64 bits (spec/02 F4) need two payloads that agree in 32
// bits. This header finds such a pair by search, in some 100 000 tries, and always the same pair.
#pragma once
#include <string>
#include <unordered_map>
#include <utility>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/check.h"

namespace loglog::testing {

/// Returns two payloads of equal length whose XXH3-64 checksums share the low 32 bits. Ends the
/// process if a million tries find no pair.
inline std::pair<std::string, std::string> colliding_payloads() {
  constexpr int tries_max = 1'000'000;
  std::unordered_map<std::uint32_t, int> seen;
  const auto payload = [](int i) { return "transfer " + std::to_string(1'000'000'000 + i); };
  for (int i = 0; i < tries_max; ++i) {
    const std::string text = payload(i);
    const auto low = static_cast<std::uint32_t>(payload_checksum(std::as_bytes(std::span(text))));
    if (const auto [other, fresh] = seen.try_emplace(low, i); !fresh)
      return {payload(other->second), payload(i)};
  }
  check(false, "no two payloads collide in 32 bits");
  return {};
}

}  // namespace loglog::testing
