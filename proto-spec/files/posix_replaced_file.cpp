// The content is durable in the spare file before the two files change places, and the directory
// after that. So a crash leaves the old content or the new content, whole.
#include "proto-spec/files/posix_replaced_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "proto-spec/files/posix_files.h"

namespace loglog::files {
namespace {

bool write_zeros(int fd, std::uint64_t from, std::uint64_t to) {
  static const std::byte zeros[64u << 10]{};
  for (std::uint64_t at = from; at < to;) {
    const std::size_t n = std::min<std::uint64_t>(sizeof zeros, to - at);
    if (!write_all(fd, {zeros, n}, at)) return false;
    at += n;
  }
  return true;
}

/// Lets the two files change places. If the file system cannot do that, the old file goes, and its
/// space with it.
bool change_places(const std::string& fresh, const std::string& old) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, old.c_str(), RENAME_EXCHANGE) == 0)
    return true;
  return (errno == ENOENT || errno == EINVAL || errno == ENOSYS) &&
         ::rename(fresh.c_str(), old.c_str()) == 0;
}

}  // namespace

/// fallocate reserves without writing; a file system without it gets zeros.
bool reserve_space(int fd, std::uint64_t had, std::uint64_t size) {
  if (size <= had) return true;
  int done = 0;
  do done = ::fallocate(fd, 0, static_cast<off_t>(had), static_cast<off_t>(size - had));
  while (done != 0 && errno == EINTR);
  if (done == 0) return true;
  return (errno == EOPNOTSUPP || errno == ENOSYS) && write_zeros(fd, had, size);
}

ReplacedFile::ReplacedFile(std::string folder, const std::string& name)
    : folder_(std::move(folder)), path_(folder_ + "/" + name), spare_(path_ + ".spare") {}

void ReplacedFile::reserve(std::uint64_t size) const {
  const Descriptor d(::open(spare_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  struct stat s{};
  if (d && ::fstat(d.get(), &s) == 0)
    reserve_space(d.get(), static_cast<std::uint64_t>(s.st_size), size);
}

Result<void> ReplacedFile::replace(ByteSpan content, std::uint64_t size) {
  const auto failed = [this] {
    return std::unexpected(last_error("cannot write", path_, Errc::io_error));
  };
  const Descriptor directory(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor d(::open(spare_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  struct stat s{};
  if (!directory || !d || ::fstat(d.get(), &s) != 0) return failed();
  auto has = static_cast<std::uint64_t>(s.st_size);
  // First the wanted size, then at least the size that the content needs.
  for (const std::uint64_t wanted :
       {std::max<std::uint64_t>(size, content.size()), std::uint64_t{content.size()}})
    if (has < wanted && reserve_space(d.get(), has, wanted)) has = wanted;
  if (has < content.size()) return failed();
  // Old bytes behind the content must not be read as records.
  if (!write_all(d.get(), content, 0) || !write_zeros(d.get(), content.size(), has) ||
      ::fdatasync(d.get()) != 0)
    return failed();
  if (!change_places(spare_, path_) || ::fsync(directory.get()) != 0) return failed();
  return {};
}

}  // namespace loglog::files
