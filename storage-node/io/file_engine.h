// The seam between the storage node's driver and the engines that perform its disk operations:
// io_uring (uring_segment_file.cpp) or threads (posix_writer_thread.cpp). Both pass the same test
// suite.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "storage-node/core/output.h"

namespace loglog::storage {

class SegmentDirectory;

/// Performs operations whose order the driver has decided: at most one at a time for a log's
/// strand, and others beside it. Each `done` runs on the driver's thread, never within start(). A
/// failed write is reported; the driver then ends the process (K2).
class FileEngine {
 public:
  /// The result of an operation.
  struct Outcome {
    Errc error = Errc::ok;
    /// Reason of an error, for people.
    std::string detail;
    /// The bytes of a ReadSegment.
    Bytes data;
    /// For a WriteGroup with sync: duration of the fdatasync, with the writes that are linked to
    /// it.
    std::optional<Duration> sync_took = {};
  };
  using Done = std::function<void(Outcome)>;
  virtual ~FileEngine() = default;
  /// Accepts an operation. It may begin only at submit().
  virtual void start(DiskOperation op, Done done) = 0;
  /// Begins all accepted operations together, which costs less than beginning each by itself.
  virtual void submit() = 0;
  /// "io_uring" or "threads", for log lines.
  virtual const char* name() const = 0;
};

/// Number of flushes that may wait for the disk at once. Flushes of different logs share the disk's
/// work: with a hundred logs on two processors, 8 at once gave a tenth less throughput than 16, and
/// 32 gave no more.
inline constexpr unsigned flushes_at_once = 16;

/// Runs work on the driver's thread; callable from any thread.
using PostToDriver = std::function<void(std::function<void()>)>;
/// Runs `work` on the loop's thread whenever the descriptor is readable, until the returned handle
/// is destroyed.
using WatchReadable =
    std::function<std::shared_ptr<void>(int descriptor, std::function<void()> work)>;

/// The engine of threads: up to flushes_at_once threads for strands, a thread for reads, and a
/// thread for operations beside strands.
std::unique_ptr<FileEngine> make_thread_engine(SegmentDirectory& directory,
                                               const PostToDriver& post);

}  // namespace loglog::storage
