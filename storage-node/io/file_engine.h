// The seam between the storage node's driver and what performs its disk operations.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "storage-node/core/output.h"

namespace loglog::storage {

class SegmentDirectory;

/// Performs operations whose order the driver has decided: one engine call at a time per log's
/// strand, reads and preparations beside them. Completion comes on the driver's thread. A failed
/// write is reported as such; the driver ends the process (K2).
class FileEngine {
 public:
  struct Outcome {
    Errc error = Errc::ok;
    std::string detail;
    Bytes data;
    std::optional<Duration> sync_took =
        {};  ///< of a WriteGroup with sync: the fdatasync, and the writes that are linked to it
  };
  using Done = std::function<void(Outcome)>;
  virtual ~FileEngine() = default;
  /// May put off the beginning until submit().
  virtual void start(DiskOperation op, Done done) = 0;
  /// Begins all that was started: together, which costs less than one by one.
  virtual void submit() = 0;
  /// "io_uring" or "threads", for the log.
  virtual const char* name() const = 0;
};

/// Flushes of different logs that wait for the disk together cost it little more than one: of a
/// hundred logs on two processors, 8 at once gave a tenth less than 16, and 32 no more.
inline constexpr unsigned flushes_at_once = 16;

/// How completions get back to the driver's thread.
using PostToDriver = std::function<void(std::function<void()>)>;
/// Runs the work on the loop's thread whenever the descriptor is readable, until what it returns
/// goes.
using WatchReadable =
    std::function<std::shared_ptr<void>(int descriptor, std::function<void()> work)>;

/// Threads: up to 16 for what the strands wait for, one for reads, one for preparing and trimming.
std::unique_ptr<FileEngine> make_thread_engine(SegmentDirectory& directory,
                                               const PostToDriver& post);

}  // namespace loglog::storage
