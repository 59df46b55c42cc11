// The files that a storage node finds on its disk at a start (K1, K7). Before the first call the
// driver has made durable the files that the last process left open, and answers come from the
// medium, not from the page cache. Blocking; used within StorageMachine::start() only, by the parts
// that read their files there.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {

/// Any error ends the start, except an io_error of read(). Only a file that does not exist is
/// absent (K7).
class StartupDisk {
 public:
  virtual ~StartupDisk() = default;
  struct LogFiles {
    /// Encoded LogInfo; empty: the file does not exist.
    Bytes info;
    /// Content of the log's promise file; empty: the file does not exist.
    Bytes promise;
  };
  /// The logs that have a folder, in ascending order.
  virtual Result<std::vector<LogId>> logs() = 0;
  /// The small files of a log's folder.
  virtual Result<LogFiles> files_of(LogId log) = 0;
  /// The first offsets of the log's segment files, in ascending order.
  virtual Result<std::vector<Offset>> segments_of(LogId log) = 0;
  /// Bytes at a file position; fewer at the end of the file. io_error: the medium does not give the
  /// bytes, which is damage (K3).
  virtual Result<Bytes> read(LogId log, Offset first, std::uint64_t position,
                             std::uint32_t length) = 0;
  /// Size of a segment file in bytes, header included.
  virtual Result<std::uint64_t> file_size(LogId log, Offset first) = 0;
  /// Content of a node-wide file: "promise", "identity", "metadata" or "tombstones"; empty: the
  /// file does not exist.
  virtual Result<Bytes> file(const std::string& name) = 0;
};

/// Returns the answer, or the error that ends the start (K7). A simulation that has removed the
/// rule takes an error for absence.
template <class T>
Result<T> not_absent(Result<T> answer) {
  if (!answer && !rules::ends_start_on_error()) return T{};
  return answer;
}

}  // namespace loglog::storage
