// Writes entries as frame images into a growing buffer, from which a run is cut (spec/05 step 1).
// All replicas get the same buffer. Offset and term are missing in the images: storage nodes stamp
// them. Used by OpenRun, also to build a run anew.
#pragma once
#include "proto-spec/disk/frame.h"

namespace loglog::client {

class RunBuilder {
 public:
  explicit RunBuilder(ProducerId producer) : producer_(producer) {}

  bool empty() const { return count_ == 0; }
  /// Bytes of frames so far.
  std::uint32_t size() const { return size_; }
  std::uint32_t count() const { return count_; }
  /// Whether a frame of this length, bytes, still fits a run of at most `target` bytes. Any frame
  /// fits an empty run.
  bool fits(std::uint32_t frame_length, std::uint32_t target) const {
    return count_ == 0 || (count_ < run_frames_max && size_ + frame_length <= target);
  }
  /// Copies the payload into a frame. Sequences must be consecutive. Returns the frame's position
  /// in the run, bytes.
  std::uint32_t add(Sequence sequence, FrameKind kind, ByteSpan payload);

  struct Built {
    Reference reference;
    Bytes frames;
  };
  /// Returns the run and its reference; the builder is empty afterwards.
  Built take();

 private:
  ProducerId producer_;
  Sequence first_{};
  std::uint32_t count_ = 0;
  std::uint32_t size_ = 0;
  Bytes buffer_;
  std::size_t expected_ = 0;  ///< size of the next buffer: the last run's and an eighth
};

}  // namespace loglog::client
