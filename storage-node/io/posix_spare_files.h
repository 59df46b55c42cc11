// Files of segments that were trimmed, kept to be written again (K6). A file that was written
// before takes new bytes at about twice the speed of one that grows: its blocks are there, so that
// fdatasync changes nothing of the file system.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace loglog::storage {

/// Thread-safe. What it holds has names of its own in one folder, and no descriptor.
class SpareFiles {
 public:
  /// Takes up what an earlier process left, within `bytes_max`.
  SpareFiles(std::string folder, std::uint64_t bytes_max);

  /// Moves the file at `path` here. False: it stays there, since there is no room for it or it
  /// cannot be moved.
  bool keep(const std::string& path);
  /// Moves a file of about `size` bytes to `path`, at least half of that and at most twice. One
  /// that somebody still has, open or under another name, is removed instead and stays his. False:
  /// there is none.
  bool take(std::uint64_t size, const std::string& path);
  /// Removes all. False: there was none.
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
  std::uint64_t bytes_ = 0;
  std::uint64_t names_ = 0;
};

}  // namespace loglog::storage
