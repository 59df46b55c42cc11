// The run that is being filled (spec/05 step 1): gives entries their sequence numbers and frames,
// and decides which entries share a run and when a run is large enough. Uploads nothing. Used by
// AppendPipeline.
#pragma once
#include "sdk/core/options.h"
#include "sdk/core/run.h"
#include "sdk/core/run_builder.h"

namespace loglog::client {

/// Owns the open run and the producer's next sequence number.
class OpenRun {
 public:
  /// All references must outlive this object.
  OpenRun(const Options& options, ProducerId producer)
      : options_(options), producer_(producer), builder_(producer) {}

  bool empty() const { return builder_.empty(); }
  /// Sequence number of its first entry; of the next entry if the run is empty.
  Sequence first() const { return run_.entries.empty() ? next_ : run_.entries.front().sequence; }
  /// Whether an entry may join the run, or must be the first of another run. `in_flight`: bytes of
  /// frames that the client has in flight.
  bool takes(std::size_t payload_size, const AppendConditions& conditions,
             std::uint64_t in_flight) const;
  /// Adds an entry; of an entry that does not join, the caller has cut the run before.
  void add(Time now, Token token, FrameKind kind, ByteSpan payload, Time deadline,
           const AppendConditions& conditions);
  /// Whether the run is cut although more entries could join. `uploading`: earlier runs that no
  /// write quorum has taken yet.
  bool is_due(std::int64_t uploading) const;
  /// Closes the run: its reference is computed, and it becomes the last of `to`. Does nothing if
  /// the run is empty.
  void cut(RunList& to) { cut(run_, builder_, to); }
  /// The entries so far, of which some may end; `reference` and `frames` are not made yet.
  Run& run() { return run_; }
  Time next_deadline() const { return run_.next_deadline; }
  /// Forgets the run. Returns the bytes of its frames.
  std::uint64_t drop();

  struct Rebuilt {
    RunList runs;
    std::uint64_t dropped = 0;  ///< bytes of the frames that are left out
  };
  /// Builds runs anew, without the entries that have ended. The open run must be cut before.
  Rebuilt rebuild(const RunList& old);

 private:
  static void add(Run& to, RunBuilder& builder, RunEntry entry, FrameKind kind, ByteSpan payload);
  static void cut(Run& run, RunBuilder& builder, RunList& to);
  std::uint32_t target(std::uint64_t in_flight) const;

  const Options& options_;
  ProducerId producer_;
  Sequence next_{1};  // of the next entry; never given twice (A6)
  Run run_;           // filled by builder_; its reference and frames are made when it is cut
  RunBuilder builder_;
};

}  // namespace loglog::client
