// Entries become frame images in one growing buffer: the only copy of a payload that the SDK makes.
#pragma once
#include "proto-spec/disk/frame.h"
#include "sdk/core/block_pool.h"

namespace loglog::client {

class RunBuilder {
 public:
  RunBuilder(BlockPool& blocks, ProducerId producer) : blocks_(&blocks), producer_(producer) {}

  bool empty() const { return count_ == 0; }
  std::uint32_t size() const { return size_; }
  std::uint32_t count() const { return count_; }
  /// Whether a frame of that length still fits a run that should not pass `target`; anything fits
  /// an empty one.
  bool fits(std::uint32_t frame_length, std::uint32_t target) const {
    return count_ == 0 || (count_ < run_frames_max && size_ + frame_length <= target);
  }
  /// Sequences must be consecutive. Returns where in the run the frame begins.
  std::uint32_t add(Sequence sequence, FrameKind kind, ByteSpan payload);

  struct Built {
    Reference reference;
    Bytes frames;
  };
  /// The run; the builder is empty afterwards.
  Built take();

 private:
  BlockPool* blocks_;
  ProducerId producer_;
  Sequence first_{};
  std::uint32_t count_ = 0;
  std::uint32_t size_ = 0;
  Bytes buffer_;
  std::size_t expected_ = 0;  ///< the next run is about as large as the last one
};

}  // namespace loglog::client
