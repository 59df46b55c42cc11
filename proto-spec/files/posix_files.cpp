// Loops for EINTR and short transfers, and exact errors. errno is read before any call that could
// change it.
#include "proto-spec/files/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace loglog::files {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

// A quota acts like a full disk; a full system table acts like a full process table.
Errc code_of_errno(int number, Errc other) {
  if (number == ENOSPC || number == EDQUOT) return Errc::no_space;
  if (number == EMFILE || number == ENFILE) return Errc::too_many;
  return other;
}

Error last_error(const std::string& what, const std::string& path, Errc other) {
  const int number = errno;
  return {code_of_errno(number, other),
          fmt::format("{} {}: {}", what, path, std::strerror(number))};
}

namespace {

/// A start does not distinguish lack of descriptors or of space: the process ends with the same
/// exit code.
std::unexpected<Error> unreadable(const std::string& what, const std::string& path) {
  return fail(Errc::directory_unreadable,
              fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

}  // namespace

bool write_all(int fd, ByteSpan data, std::uint64_t at) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    // A write of 0 bytes sets no errno, and the caller's error would name a stale reason.
    if (n == 0) errno = EIO;
    if (n <= 0) return false;
    data = data.subspan(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
  return true;
}

Result<std::optional<Bytes>> read_file(const std::string& path) {
  const Descriptor d(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!d && errno == ENOENT) return std::nullopt;
  struct stat s{};
  if (!d || ::fstat(d.get(), &s) != 0) return unreadable("cannot open", path);
  Bytes b = Bytes::allocate(static_cast<std::size_t>(s.st_size));
  std::size_t at = 0;
  while (at < b.size()) {
    const ssize_t n =
        ::pread(d.get(), b.mutable_data() + at, b.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(fmt::format("cannot read from byte {} on in", at), path);
    // The file became shorter since fstat(); the caller's checksum judges the shorter content.
    if (n == 0) break;
    at += static_cast<std::size_t>(n);
  }
  return b.slice(0, at);
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
  DIR* const opened = ::opendir(folder.c_str());
  if (opened == nullptr) return unreadable("cannot list", folder);
  std::vector<std::string> names;
  for (;;) {
    // readdir() reports both the end and an error by a null pointer; only errno differs.
    errno = 0;
    const dirent* entry = ::readdir(opened);
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  // closedir() may change errno.
  const int number = errno;
  ::closedir(opened);
  errno = number;
  if (number != 0) return unreadable("cannot list", folder);
  return names;
}

Result<bool> exists(const std::string& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) == 0) return true;
  if (errno == ENOENT) return false;
  return unreadable("cannot look for", path);
}

Result<std::uint64_t> size_of(const std::string& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return unreadable("cannot tell the size of", path);
  return static_cast<std::uint64_t>(s.st_size);
}

Result<void> sync_directory(const std::string& folder) {
  const Descriptor d(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!d || ::fsync(d.get()) != 0)
    return std::unexpected(last_error("cannot make durable", folder, Errc::io_error));
  return {};
}

Result<void> replace_file(const std::string& folder, const std::string& name, ByteSpan data) {
  const std::string path = folder + "/" + name;
  const std::string temporary = path + ".new";
  // Opened before anything changes, so that a lack of descriptors leaves nothing half done.
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return std::unexpected(last_error("cannot open", folder, Errc::io_error));
  {
    const Descriptor d(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!d || !write_all(d.get(), data, 0) || ::fdatasync(d.get()) != 0 ||
        ::rename(temporary.c_str(), path.c_str()) != 0) {
      Error why = last_error("cannot write", path, Errc::io_error);
      // Gives back the space that the new file got, which may be needed on a full disk.
      ::unlink(temporary.c_str());
      return std::unexpected(std::move(why));
    }
  }
  if (::fsync(directory.get()) != 0)
    return std::unexpected(last_error("cannot make durable", folder, Errc::io_error));
  return {};
}

}  // namespace loglog::files
