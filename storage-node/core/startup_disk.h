// What a storage node finds on its disk at a start (K1, K7). The driver has already made durable
// what was open, and these questions are answered from the medium. Blocking; used only before the
// node serves.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {

/// An error of any answer but read()'s io_error ends the start: only a file that is not there is
/// absent (K7).
class StartupDisk {
 public:
  virtual ~StartupDisk() = default;
  struct LogFiles {
    Bytes info;     ///< encoded LogInfo; empty: missing
    Bytes promise;  ///< content of the log's promise file; empty: missing
  };
  /// The logs that have a folder, ascending.
  virtual Result<std::vector<LogId>> logs() = 0;
  virtual Result<LogFiles> files_of(LogId log) = 0;
  /// First offsets of its segment files, ascending.
  virtual Result<std::vector<Offset>> segments_of(LogId log) = 0;
  /// Bytes at a file position; shorter at the end of the file. io_error: the medium does not give
  /// them, which is damage (K3).
  virtual Result<Bytes> read(LogId log, Offset first, std::uint64_t position,
                             std::uint32_t length) = 0;
  virtual Result<std::uint64_t> file_size(LogId log, Offset first) = 0;
  /// Node-wide files: "promise", "identity", "metadata", "tombstones"; empty: missing.
  virtual Result<Bytes> file(const std::string& name) = 0;
};

/// K7: the answer, or the error that ends the start. Only a simulator that has removed the rule
/// takes an error for absence.
template <class T>
Result<T> not_absent(Result<T> answer) {
  if (!answer && removed(Rule::K7_error)) return T{};
  return answer;
}

}  // namespace loglog::storage
