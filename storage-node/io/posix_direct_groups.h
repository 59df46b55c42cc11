// Builds a group as whole blocks in an aligned buffer, so that it goes from memory to the disk
// (O_DIRECT) and not through the page cache. SegmentDirectory owns it; the thread engine and the
// ring engine write the result. Writes nothing itself, except in possible().
#pragma once
#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage-node/core/output.h"
#include "storage-node/io/recently_used.h"

namespace loglog::storage {

/// O_DIRECT writes begin at multiples of this and have multiples of it as size, in bytes. Marks
/// slots are an exception: they are sectors of 512 bytes.
inline constexpr std::uint64_t direct_block = 4096;
// Rounds up to whole blocks.
inline std::uint64_t whole_blocks(std::uint64_t bytes) {
  return (bytes + direct_block - 1) / direct_block * direct_block;
}

/// Aligned memory in sizes that are powers of two. Returned blocks are reused, up to a limit.
/// Thread-safe.
class AlignedPool {
 public:
  /// Memory of `size` bytes, at an address that is a multiple of direct_block.
  struct Block {
    std::unique_ptr<std::byte, decltype(&std::free)> bytes{nullptr, &std::free};
    std::size_t size = 0;
  };
  /// Memory of at least `size` bytes. `bytes` is null if there is no memory.
  Block take(std::size_t size);
  /// Returns a block to the pool, or frees it.
  void give_back(Block block);

 private:
  std::mutex mutex_;
  /// Free blocks, by the exponent of their size.
  std::array<std::vector<Block>, 64> free_;
  /// Bytes in free_.
  std::size_t kept_ = 0;
};

/// A WriteGroup that is ready for pwrite. Its two writes may run in any order or at once; the sync
/// must follow both.
struct DirectGroup {
  struct Part {
    const std::byte* data = nullptr;
    /// 0: nothing to write.
    std::size_t size = 0;
    /// Position in the file, in bytes.
    std::uint64_t at = 0;
  };
  std::shared_ptr<const int> fd;
  /// Owns the memory that the parts point into; must live until both writes have ended.
  std::shared_ptr<AlignedPool::Block> memory;
  Part frames, marks;
};

/// Thread-safe for different logs. Groups of the same log come one after the other.
class DirectGroups {
 public:
  /// Keeps the files of `most` logs open. The group of a further log opens its file again, and
  /// first reads the last block of it.
  explicit DirectGroups(std::size_t most) : files_(most) {}

  /// True if files in this folder accept O_DIRECT writes of whole blocks and of marks slots. Writes
  /// and removes a test file.
  static bool possible(const std::string& folder);

  /// Builds the group for the segment file at `path`. The caller must write it whole, because the
  /// next group of the log repeats its last block. nullopt: the file does not accept direct writes,
  /// and the group must go through the page cache.
  std::optional<DirectGroup> make(const WriteGroup& group, const std::string& path);
  /// Closes the log's file, because it is written by other means, replaced or removed.
  void forget(LogId log);
  /// The same, if the file that begins at `first` is open.
  void forget(LogId log, Offset first);

 private:
  /// The file of a log that groups go to, and a copy of its last block.
  struct Open {
    Offset first;
    std::shared_ptr<const int> fd;
    /// The file position up to which `last` holds the bytes of its block; 0: unknown.
    std::uint64_t end = 0;
    std::array<std::byte, direct_block> last{};
  };
  std::shared_ptr<Open> open(LogId log, Offset first, const std::string& path);
  bool fill(Open& file, const WriteGroup& group, std::size_t bytes, DirectGroup& out);

  std::mutex mutex_;
  RecentlyUsed<LogId, std::shared_ptr<Open>> files_;
  std::shared_ptr<AlignedPool> pool_ = std::make_shared<AlignedPool>();
};

}  // namespace loglog::storage
