// A file that is replaced whole, again and again. A spare file beside it keeps the space for the
// next content, and the two files change places. So a full disk stops neither a sequencer's
// snapshot and the rewritten log after it (spec/02 R3) nor an identity (T7).
#pragma once
#include <cstdint>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog::files {

/// For a single thread at a time. Files: `<folder>/<name>` and `<folder>/<name>.spare`.
class ReplacedFile {
 public:
  ReplacedFile(std::string folder, const std::string& name);

  /// Replaces the content; it is durable under its name when this returns. Zeros follow `content`
  /// up to the file's size. The size is at least `size` bytes if the disk has the space, and never
  /// less than the spare file had. no_space: nothing was changed. io_error: the state is unknown.
  Result<void> replace(ByteSpan content, std::uint64_t size);
  /// Makes the spare file `size` bytes large if the disk has the space; otherwise it stays as it
  /// is.
  void reserve(std::uint64_t size) const;
  const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
  std::string spare_;
};

/// Reserves space on disk for the bytes of the file from `had`, its present size, to `size`. False:
/// errno tells the reason.
bool reserve_space(int fd, std::uint64_t had, std::uint64_t size);

}  // namespace loglog::files
