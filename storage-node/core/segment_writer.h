// Writes groups of frames and marks to the open segment; at most one group is in flight.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

class SegmentWriter {
 public:
  /// `settled` runs after each operation that ends, behind its own `done`: what waits for the strand looks again.
  SegmentWriter(LogCore& s, std::function<void()> settled) : s_(s), settled_(std::move(settled)) {}

  /// An operation of the strand is in flight (S1 waits for it).
  bool busy() const { return in_flight_ > 0; }
  /// Marks slots' counter, as found at start.
  void found_counter(std::uint64_t counter) { counter_ = counter; }
  /// Writes frames that begin at the durable tail and end at s.written; `opens` begins a new segment file with them.
  /// `done` runs when they are durable and s.durable has moved.
  void write(std::vector<Bytes> frames, bool opens, std::function<void()> done);
  /// Marks alone (K3: once more when idle).
  void write_marks(std::function<void()> done);
  bool marks_current() const { return s_.segments.empty() || (marked_durable_ == s_.durable.end && marked_committed_ == s_.committed); }
  /// Cuts the log to `kept` (durably); `everything` drops all files.
  void truncate(bool everything, const Tail& kept, std::function<void()> done);

 private:
  void open_segment(Offset first);
  Bytes next_marks();
  std::uint64_t file_size(bool very_first) const;
  void prepare_ahead();

  LogCore& s_;
  std::function<void()> settled_;
  int in_flight_ = 0;
  std::uint64_t counter_ = 0;
  Offset marked_durable_{};
  Offset marked_committed_{};
  Offset prepared_for_ = no_offset;  ///< the open segment whose successor is prepared
};

}  // namespace loglog::storage
