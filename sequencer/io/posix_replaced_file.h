// A file that is replaced whole, again and again, and keeps the space for its next content in a
// spare file beside it: the two change places. So a full disk stops neither a snapshot nor the log
// that is written anew after it (spec/02 R3).
#pragma once
#include <cstdint>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog::sequencer {

/// One thread at a time. Files: `<folder>/<name>` and `<folder>/<name>.spare`.
class ReplacedFile {
 public:
  ReplacedFile(std::string folder, const std::string& name);

  /// Durable under its name before this returns, with zeros behind `content` up to the file's size:
  /// at least `size` bytes where the disk has the space, and no less than the spare file had.
  /// no_space: nothing was changed; io_error.
  Result<void> replace(ByteSpan content, std::uint64_t size);
  /// Makes the spare file that large where the disk has the space; otherwise it stays as it is.
  void reserve(std::uint64_t size) const;
  const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
  std::string spare_;
};

/// Space on disk for the bytes of the file from `had`, its size, to `size`. errno tells why not.
bool reserve_space(int fd, std::uint64_t had, std::uint64_t size);

}  // namespace loglog::sequencer
