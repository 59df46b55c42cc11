// The byte and bit helpers of the four models. Every field of a state is a byte and every set is a
// bit mask. A state is then compared, hashed and copied as raw bytes (`fingerprint` in explorer.h).
#pragma once

#include <cstdint>

namespace loglog::model {

using Byte = std::uint8_t;

// `value` must lie in 0..255; the models' bounds ensure it.
constexpr Byte byte(int value) { return static_cast<Byte>(value); }
// Bit sets number their members from 0; `value` must lie in 0..7.
constexpr Byte bit(int value) { return byte(1 << value); }
constexpr bool has(int bits, int value) { return (bits >> value & 1) != 0; }

}  // namespace loglog::model
