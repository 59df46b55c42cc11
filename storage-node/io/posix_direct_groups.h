// Groups as whole blocks in one aligned buffer, so that they go from memory to the disk (O_DIRECT)
// and not through the page cache.
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

/// What O_DIRECT writes begin at and are multiples of. Marks slots are smaller, one sector each.
inline constexpr std::uint64_t direct_block = 4096;
inline std::uint64_t whole_blocks(std::uint64_t bytes) {
  return (bytes + direct_block - 1) / direct_block * direct_block;
}

/// Blocks of memory, aligned, of sizes that are powers of two; those that come back are used again.
/// Thread-safe.
class AlignedPool {
 public:
  struct Block {
    std::unique_ptr<std::byte, decltype(&std::free)> bytes{nullptr, &std::free};
    std::size_t size = 0;
  };
  Block take(std::size_t size);
  void give_back(Block block);

 private:
  std::mutex mutex_;
  std::array<std::vector<Block>, 64> free_;  // by the size's exponent
  std::size_t kept_ = 0;                     // bytes in them
};

/// A WriteGroup ready for pwrite: the two writes may run in any order or at once, the sync follows
/// both.
struct DirectGroup {
  struct Part {
    const std::byte* data = nullptr;
    std::size_t size = 0;  ///< 0: nothing to write
    std::uint64_t at = 0;  ///< position in the file
  };
  std::shared_ptr<const int> fd;
  std::shared_ptr<AlignedPool::Block> memory;  ///< what the parts point into
  Part frames, marks;
};

/// Thread-safe; one log's groups come one after the other.
class DirectGroups {
 public:
  /// Keeps the files of `most` logs open; one more is opened again for its next group, which reads
  /// its last block again first.
  explicit DirectGroups(std::size_t most) : files_(most) {}

  /// Whether files in this folder take O_DIRECT writes of whole blocks and of marks slots.
  static bool possible(const std::string& folder);

  /// The group of the segment file at `path`; it must be written whole, since the next group
  /// repeats its last block. nullopt: this file does not take it; the group goes through the page
  /// cache.
  std::optional<DirectGroup> make(const WriteGroup& group, const std::string& path);
  /// The log's open file is written by other means, replaced or gone.
  void forget(LogId log);
  /// Where it is that file that is open.
  void forget(LogId log, Offset first);

 private:
  struct Open {
    Offset first;
    std::shared_ptr<const int> fd;
    std::uint64_t end = 0;  ///< file position up to which `last` is known; 0: not known
    std::array<std::byte, direct_block> last{};
  };
  std::shared_ptr<Open> open(LogId log, Offset first, const std::string& path);
  bool fill(Open& file, const WriteGroup& group, std::size_t bytes, DirectGroup& out);

  std::mutex mutex_;
  RecentlyUsed<LogId, std::shared_ptr<Open>> files_;
  std::shared_ptr<AlignedPool> pool_ = std::make_shared<AlignedPool>();
};

}  // namespace loglog::storage
