// Files of trimmed segments, kept to be written again (K6). Such a file takes new bytes at about
// twice the speed of a file that grows, because its blocks are allocated and an fdatasync changes
// no metadata of the file system. SegmentDirectory keeps files here at a trim and takes them when
// it prepares the next segment.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace loglog::storage {

/// Thread-safe. Holds files by name in a folder of its own, and no descriptors.
class SpareFiles {
 public:
  /// Takes over the files that an earlier process left, up to `bytes_max`, and removes the rest.
  SpareFiles(std::string folder, std::uint64_t bytes_max);

  /// Moves the file at `path` here. Returns false and leaves the file if there is no room or it
  /// cannot be moved.
  bool keep(const std::string& path);
  /// Moves a file of roughly `size` bytes to `path`: at least half, at most twice the size. A file
  /// that another process has open, or that has another name, is removed here instead, so that its
  /// holder keeps the old bytes. Returns false if no file fits.
  bool take(std::uint64_t size, const std::string& path);
  /// Removes all files. Returns false if there was none.
  bool clear();

 private:
  struct File {
    std::string path;
    std::uint64_t size;
  };
  const std::string folder_;
  const std::uint64_t bytes_max_;
  std::mutex mutex_;
  std::vector<File> files_;
  /// Sum of the sizes of files_.
  std::uint64_t bytes_ = 0;
  /// The last number that was given as a name.
  std::uint64_t names_ = 0;
};

}  // namespace loglog::storage
