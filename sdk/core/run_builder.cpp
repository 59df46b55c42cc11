// The first buffer of a run is sized by the previous run, so that a steady writer copies no frames
// while the buffer grows.
#include "sdk/core/run_builder.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"

namespace loglog::client {
namespace {
constexpr std::size_t expected_min = 4096;  // bytes of the first buffer after a small run
}

std::uint32_t RunBuilder::add(Sequence sequence, FrameKind kind, ByteSpan payload) {
  const std::uint32_t length = static_cast<std::uint32_t>(payload.size()) + frame_overhead;
  if (count_ == 0) first_ = sequence;
  check(sequence == first_ + count_, "a run's sequence numbers are consecutive");
  if (buffer_.size() - size_ < length) {
    Bytes bigger = Bytes::allocate(
        std::max<std::size_t>({buffer_.size() * 2, std::size_t{size_} + length, expected_}));
    if (size_ > 0) std::memcpy(bigger.mutable_data(), buffer_.data(), size_);
    buffer_ = std::move(bigger);
  }
  write_frame_image(buffer_.mutable_data() + size_, kind, producer_, sequence, payload);
  const std::uint32_t at = size_;
  size_ += length;
  ++count_;
  return at;
}

RunBuilder::Built RunBuilder::take() {
  Built b;
  b.frames = buffer_.slice(0, size_);
  // The digest binds the name of the run to its bytes; nodes compute it again (D3).
  b.reference = Reference{producer_, first_, count_, size_, digest_of(b.frames)};
  buffer_ = {};
  expected_ = std::max<std::size_t>(expected_min, size_ + size_ / 8);
  size_ = count_ = 0;
  return b;
}

}  // namespace loglog::client
