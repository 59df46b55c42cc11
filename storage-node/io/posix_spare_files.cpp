// K6: a file is used again only if nobody else can still read its old bytes.
#include "storage-node/io/posix_spare_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "proto-spec/files/posix_files.h"

namespace loglog::storage {
namespace fs = std::filesystem;
namespace {

/// True if no other process has the file open (a reader that began before the trim, a backup), and
/// if it has no other name (a backup of hard links). The kernel grants a write lease only if nobody
/// else has the file open. On a file system without leases nobody can tell, and the answer is
/// false.
bool is_nobodys(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat s{};
  // A process that opens the file at this moment waits until the descriptor here is closed. The
  // kernel tells this process by SIGURG, which is ignored.
  const bool alone = ::fstat(fd, &s) == 0 && s.st_nlink == 1 &&
                     ::fcntl(fd, F_SETSIG, SIGURG) == 0 && ::fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
  ::close(fd);
  return alone;
}

}  // namespace

SpareFiles::SpareFiles(std::string folder, std::uint64_t bytes_max)
    : folder_(std::move(folder)), bytes_max_(bytes_max) {
  std::error_code error;
  if (bytes_max_ > 0) fs::create_directories(folder_, error);
  // Files that cannot be listed stay until the next start; nobody needs them.
  for (const std::string& name : files::names_in(folder_).value_or(std::vector<std::string>{})) {
    const std::string path = folder_ + "/" + name;
    // The file gets a new name, or it is removed.
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
  // A number may be taken by a file that could not be listed.
  while (::access(kept.path.c_str(), F_OK) == 0)
    kept.path = fmt::format("{}/{}", folder_, ++names_);
  if (::rename(path.c_str(), kept.path.c_str()) != 0) return false;
  bytes_ += size;
  files_.push_back(std::move(kept));
  return true;
}

bool SpareFiles::take(std::uint64_t size, const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (;;) {
    const auto fits = std::find_if(files_.begin(), files_.end(), [size](const File& f) {
      return f.size >= size / 2 && f.size / 2 <= size;
    });
    if (fits == files_.end()) return false;
    const File taken = std::move(*fits);
    files_.erase(fits);
    bytes_ -= taken.size;
    if (is_nobodys(taken.path)) return ::rename(taken.path.c_str(), path.c_str()) == 0;
    // Its holder keeps the old bytes; only this name goes.
    ::unlink(taken.path.c_str());
  }
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
