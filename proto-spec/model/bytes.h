// Every field of a state is a byte, and sets are bits of one: what the models need to write that
// plainly.
#pragma once

#include <cstdint>

namespace loglog::model {

using Byte = std::uint8_t;

constexpr Byte byte(int value) { return static_cast<Byte>(value); }
constexpr Byte bit(int value) { return byte(1 << value); }
constexpr bool has(int bits, int value) { return (bits >> value & 1) != 0; }

}  // namespace loglog::model
