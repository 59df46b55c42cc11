#include "storage-node/io/posix_spare_files.h"

#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace loglog::storage {
namespace fs = std::filesystem;

SpareFiles::SpareFiles(std::string folder, std::uint64_t bytes_max) : folder_(std::move(folder)), bytes_max_(bytes_max) {
  std::error_code error;
  if (bytes_max_ > 0) fs::create_directories(folder_, error);
  std::vector<std::string> found;
  for (const auto& f : fs::directory_iterator(folder_, error)) found.push_back(f.path().string());
  for (const std::string& path : found) {
    // Under a new name, or not at all.
    if (!keep(path)) ::unlink(path.c_str());
  }
}

bool SpareFiles::keep(const std::string& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) return false;
  const auto size = static_cast<std::uint64_t>(s.st_size);
  const std::lock_guard lock(mutex_);
  if (bytes_ + size > bytes_max_) return false;
  File kept{fmt::format("{}/{}", folder_, ++names_), size};
  while (::access(kept.path.c_str(), F_OK) == 0) kept.path = fmt::format("{}/{}", folder_, ++names_);
  if (::rename(path.c_str(), kept.path.c_str()) != 0) return false;
  bytes_ += size;
  files_.push_back(std::move(kept));
  return true;
}

bool SpareFiles::take(std::uint64_t size, const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto fits = std::find_if(files_.begin(), files_.end(), [size](const File& f) { return f.size >= size / 2 && f.size / 2 <= size; });
  if (fits == files_.end()) return false;
  const File taken = std::move(*fits);
  files_.erase(fits);
  bytes_ -= taken.size;
  return ::rename(taken.path.c_str(), path.c_str()) == 0;
}

bool SpareFiles::clear() {
  const std::lock_guard lock(mutex_);
  if (files_.empty()) return false;
  for (const File& f : files_) ::unlink(f.path.c_str());
  files_.clear();
  bytes_ = 0;
  return true;
}

}  // namespace loglog::storage
