// The struct Doer has a function for each disk operation, in the order of output.h. Below it are
// the lock and recovery at start, the descriptor cache, and StartupDisk.
#include "storage-node/io/posix_segment_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstring>
#include <filesystem>
#include <utility>

#include "proto-spec/disk/segment.h"
#include "proto-spec/disk/tombstones.h"
#include "proto-spec/files/posix_files.h"

namespace loglog::storage {
namespace fs = std::filesystem;
namespace {

using Outcome = FileEngine::Outcome;
using files::Descriptor;
using files::write_all;

/// Limit on descriptors of segment files that are kept open: an eighth of the process's limit for
/// direct writes, and as many for all other uses.
std::size_t descriptors_max() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 64;
  return static_cast<std::size_t>(std::clamp<rlim_t>(files.rlim_cur / 8, 64, 4096));
}

Outcome failed(const std::string& what, const std::string& path) {
  Error e = files::last_error(what, path, Errc::io_error);
  return {e.code, std::move(e.detail), {}};
}
Outcome outcome_of(Result<void> done) {
  if (done) return {};
  return {done.error().code, std::move(done.error().detail), {}};
}

Outcome sync_directory(const std::string& path) { return outcome_of(files::sync_directory(path)); }
Outcome replace_file(const std::string& folder, const std::string& name, ByteSpan data) {
  return outcome_of(files::replace_file(folder, name, data));
}

/// Writes zeros, so that the first fdatasync over the range changes no metadata of the file system.
bool write_zeros(int fd, std::uint64_t begin, std::uint64_t end) {
  // A piece is small, so that a group does not wait long behind it, and aligned for O_DIRECT.
  alignas(direct_block) static const std::byte zeros[64 * direct_block]{};
  for (std::uint64_t at = begin; at < end;) {
    const std::size_t n = std::min<std::uint64_t>(sizeof zeros, end - at);
    if (!write_all(fd, ByteSpan(zeros, n), at)) return false;
    at += n;
  }
  return true;
}

/// Reserves disk space from `had`, the size of the file, up to `size`; the new bytes read as zeros.
/// Touches nothing below `had`, because groups are written there at the same time. posix_fallocate
/// would touch it on a file system without fallocate.
Outcome reserve(int fd, std::uint64_t had, std::uint64_t size, const std::string& path) {
  if (size <= had) return {};
  int done = 0;
  do done = ::fallocate(fd, 0, static_cast<off_t>(had), static_cast<off_t>(size - had));
  while (done != 0 && errno == EINTR);
  if (done == 0) return {};
  if ((errno == EOPNOTSUPP || errno == ENOSYS) && write_zeros(fd, whole_blocks(had), size))
    return {};
  return failed("cannot reserve space in", path);
}

}  // namespace

/// A function for each operation. Each opens all that it needs before it changes anything, so that
/// the driver can repeat an operation that ended with too_many (K7).
struct SegmentDirectory::Doer {
  SegmentDirectory& dir;

  Outcome operator()(const MakeLog& o) {
    const std::string path = dir.log_path(o.log);
    std::error_code error;
    fs::create_directories(path, error);
    if (error)
      return {files::code_of_errno(error.value(), Errc::io_error),
              fmt::format("cannot make {}: {}", path, error.message()),
              {}};
    if (Outcome r = replace_file(path, "info", o.info); r.error != Errc::ok) return r;
    // A repeated MakeLog must not replace a promise that may already count (T3).
    const auto promised = files::exists(path + "/promise");
    if (!promised) return failed("cannot look for", path + "/promise");
    if (!*promised) {
      const std::vector<std::byte> empty(promise_file_size);
      if (Outcome r = replace_file(path, "promise", empty); r.error != Errc::ok) return r;
    }
    return sync_directory(dir.path_ + "/logs");
  }

  // The rename makes the prepared file the segment. Header first, name second: a file with a
  // segment's name always has a durable header (K3).
  Outcome operator()(const OpenSegment& o) {
    const std::string prepared = dir.log_path(o.log) + "/next";
    const std::string path = dir.segment_path(o.log, o.first);
    const std::string folder = dir.log_path(o.log);
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return failed("cannot open", folder);
    {
      const Descriptor d(::open(prepared.c_str(), O_RDWR | O_CLOEXEC));
      if (!d || !write_all(d.get(), o.header, 0) || ::fsync(d.get()) != 0)
        return failed("cannot write", prepared);
      ::posix_fadvise(
          // A cached page of the file would make every direct write check the page cache.
          d.get(), 0, 0, POSIX_FADV_DONTNEED);
    }
    dir.forget(o.log, o.first);
    if (::rename(prepared.c_str(), path.c_str()) != 0) return failed("cannot rename", prepared);
    return ::fsync(directory.get()) == 0 ? Outcome{} : failed("cannot make durable", folder);
  }

  // Prepares under a temporary name, so that a crash leaves no half-made `next`.
  Outcome operator()(const PrepareNext& o) {
    const std::string folder = dir.log_path(o.log);
    const std::string next = folder + "/next";
    const std::string temporary = folder + "/preparing";
    std::error_code error;
    if (const auto size = fs::file_size(next, error); !error && size >= o.size) return {};
    {
      const bool spare = dir.spare_->take(o.size, temporary);
      const Descriptor d(
          ::open(temporary.c_str(),
                 O_RDWR | O_CREAT | (spare ? 0 : O_TRUNC) | O_CLOEXEC | dir.direct_flag(), 0640));
      struct stat s{};
      // ENOENT: the log was dropped meanwhile.
      if (!d && errno == ENOENT) return {};
      if (!d || ::fstat(d.get(), &s) != 0) return failed("cannot create", temporary);
      if (spare) ::posix_fadvise(d.get(), 0, 0, POSIX_FADV_DONTNEED);
      const std::uint64_t had = whole_blocks(static_cast<std::uint64_t>(s.st_size));
      const std::uint64_t size = whole_blocks(o.size);
      Outcome reserved = reserve(d.get(), static_cast<std::uint64_t>(s.st_size), size, temporary);
      if (reserved.error == Errc::ok &&
          ((!o.reserve_only && !write_zeros(d.get(), had, size)) || ::fdatasync(d.get()) != 0))
        reserved = failed("cannot prepare", temporary);
      if (reserved.error != Errc::ok) {
        ::unlink(temporary.c_str());
        return reserved;
      }
    }
    // ENOENT: the log was dropped meanwhile.
    if (::rename(temporary.c_str(), next.c_str()) != 0 && errno != ENOENT)
      return failed("cannot rename", temporary);
    return {};
  }

  Outcome operator()(const GrowSegment& o) {
    const std::string path = dir.segment_path(o.log, o.first);
    const Descriptor d(::open(path.c_str(), O_RDWR | O_CLOEXEC | dir.direct_flag()));
    struct stat s{};
    if (!d || ::fstat(d.get(), &s) != 0) return failed("cannot open", path);
    const std::uint64_t size = whole_blocks(o.size);
    Outcome reserved = reserve(d.get(), static_cast<std::uint64_t>(s.st_size), size, path);
    // Zeros go only above the old size, because groups are written below it at the same time.
    const std::uint64_t had = whole_blocks(static_cast<std::uint64_t>(s.st_size));
    if (reserved.error == Errc::ok &&
        ((!o.reserve_only && !write_zeros(d.get(), had, size)) || ::fdatasync(d.get()) != 0))
      return failed("cannot grow", path);
    return reserved;
  }

  Outcome operator()(const CloseSegment& o) {
    // The last block of the file is cut off, so the copy of it is stale.
    dir.direct_.forget(o.log);
    const auto fd = dir.descriptor(o.log, o.first);
    if (*fd < 0 || ::ftruncate(*fd, static_cast<off_t>(segment_header_size + o.length)) != 0 ||
        ::fdatasync(*fd) != 0)
      return failed("cannot close", dir.segment_path(o.log, o.first));
    return {};
  }

  Outcome operator()(const WriteGroup& o) {
    const std::string path = dir.segment_path(o.log, o.first);
    if (const auto direct = dir.direct(o)) {
      for (const DirectGroup::Part& p : {direct->marks, direct->frames})
        if (!write_all(*direct->fd, {p.data, p.size}, p.at)) return failed("cannot write", path);
      return o.sync ? synced(*direct->fd, path) : Outcome{};
    }
    const auto fd = dir.descriptor(o.log, o.first);
    if (*fd < 0) return failed("cannot open", path);
    std::uint64_t at = o.position;
    std::vector<iovec> parts;
    std::size_t i = 0;
    while (i < o.buffers.size()) {
      parts.clear();
      std::size_t bytes = 0;
      for (; i < o.buffers.size() && parts.size() < IOV_MAX; ++i) {
        parts.push_back({const_cast<std::byte*>(o.buffers[i].data()), o.buffers[i].size()});
        bytes += o.buffers[i].size();
      }
      const ssize_t n =
          ::pwritev(*fd, parts.data(), static_cast<int>(parts.size()), static_cast<off_t>(at));
      if (n != static_cast<ssize_t>(bytes)) {
        // The write was cut short or failed. Writing buffer by buffer completes it or yields the
        // error.
        std::uint64_t p = at;
        for (const iovec& v : parts) {
          if (!write_all(*fd, {static_cast<const std::byte*>(v.iov_base), v.iov_len}, p))
            return failed("cannot write", path);
          p += v.iov_len;
        }
      }
      at += bytes;
    }
    if (!o.marks.empty() && !write_all(*fd, o.marks, o.marks_position))
      return failed("cannot write", path);
    return o.sync ? synced(*fd, path) : Outcome{};
  }

  // Calls fdatasync, with its duration for the figures.
  static Outcome synced(int fd, const std::string& path) {
    const auto begun = std::chrono::steady_clock::now();
    if (::fdatasync(fd) != 0) return failed("cannot make durable", path);
    return {Errc::ok,
            {},
            {},
            std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun)};
  }

  Outcome operator()(const TruncateLog& o) {
    const std::string folder = dir.log_path(o.log);
    dir.forget(o.log);
    // All files above the cut must go: a file that an error hides would be found again by the next
    // start, above the cut.
    const auto names = files::names_in(folder);
    if (!names) return failed("cannot list", folder);
    for (const std::string& name : *names) {
      const auto first = parse_segment_file_name(name);
      const std::string file = fmt::format("{}/{}", folder, name);
      // ENOENT: the file was trimmed and is being removed beside the strand.
      if (first && (o.everything || *first > o.first) && ::unlink(file.c_str()) != 0 &&
          errno != ENOENT)
        return failed("cannot remove", file);
    }
    if (Outcome r = sync_directory(folder); r.error != Errc::ok || o.everything) return r;
    const std::string path = dir.segment_path(o.log, o.first);
    const Descriptor d(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct stat s{};
    if (!d || ::fstat(d.get(), &s) != 0) return failed("cannot open", path);
    const auto keep = static_cast<off_t>(segment_header_size + o.length);
    // Zeros in place: giving the space back and asking for it again could fail on a full disk,
    // where a cut must still work (K5).
    if (s.st_size > keep &&
        ::fallocate(d.get(), FALLOC_FL_ZERO_RANGE, keep, s.st_size - keep) != 0 &&
        !write_zeros(d.get(), static_cast<std::uint64_t>(keep),
                     static_cast<std::uint64_t>(s.st_size)))
      return failed("cannot cut", path);
    if (::fsync(d.get()) != 0) return failed("cannot make durable", path);
    return {};
  }

  Outcome operator()(const UnlinkSegments& o) {
    for (Offset first : o.firsts) {
      dir.forget(o.log, first);
      const std::string path = dir.segment_path(o.log, first);
      if (o.trimmed && dir.spare_->keep(path)) continue;
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("cannot remove", path);
    }
    const std::string folder = dir.log_path(o.log);
    if (::access(folder.c_str(), F_OK) != 0 && errno == ENOENT)
      // The log was dropped meanwhile.
      return {};
    return sync_directory(folder);
  }

  /// A segment may be prepared in the folder at the same time, so the folder is emptied until it
  /// can be removed. Folders of others in it are not touched.
  Outcome operator()(const DropLog& o) {
    constexpr int tries_max = 100;
    const std::string folder = dir.log_path(o.log);
    const std::string all = dir.path_ + "/logs";
    dir.forget(o.log);
    const Descriptor parent(::open(all.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent) return failed("cannot open", all);
    for (int tries = 0; tries < tries_max; ++tries) {
      const auto names = files::names_in(folder);
      if (!names && errno == ENOENT) break;
      if (!names) return failed("cannot list", folder);
      for (const std::string& name : *names) ::unlink(fmt::format("{}/{}", folder, name).c_str());
      if (::rmdir(folder.c_str()) == 0) break;
      if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT)
        return failed("cannot remove", folder);
    }
    return ::fsync(parent.get()) == 0 ? Outcome{} : failed("cannot make durable", all);
  }

  // io_error means damage to the core, and too_many makes the driver wait; other errors of opening
  // count as io_error here.
  Outcome operator()(const ReadSegment& o) {
    auto b = dir.read(o.log, o.first, o.position, o.length);
    if (!b)
      return {
          b.error().code == Errc::too_many ? Errc::too_many : Errc::io_error, b.error().detail, {}};
    return {Errc::ok, {}, *b};
  }

  Outcome operator()(const RepairSegment& o) {
    // The repair may change the block that DirectGroups has a copy of.
    dir.direct_.forget(o.log);
    const auto fd = dir.descriptor(o.log, o.first);
    if (*fd < 0 || !write_all(*fd, o.data, o.position) || ::fdatasync(*fd) != 0)
      return failed("cannot repair", dir.segment_path(o.log, o.first));
    return {};
  }

  Outcome operator()(const SavePromise& o) {
    const std::string folder = o.log == LogId{} ? dir.path_ : dir.log_path(o.log);
    const std::string path = folder + "/promise";
    const auto there = files::exists(path);
    if (!there)
      // The file may exist, and then must not be overwritten.
      return failed("cannot look for", path);
    if (!*there) {
      const std::vector<std::byte> empty(promise_file_size);
      if (Outcome r = replace_file(folder, "promise", empty); r.error != Errc::ok) return r;
    }
    const Descriptor d(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!d || !write_all(d.get(), o.slot, (o.counter % 2) * promise_slot_size) ||
        ::fdatasync(d.get()) != 0)
      return failed("cannot write", path);
    return {};
  }

  /// Writes in place: the file got its space when it was made, because deleting logs must work on a
  /// full disk (K5).
  Outcome operator()(const SaveTombstones& o) {
    const std::string path = dir.path_ + "/tombstones";
    const Descriptor d(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
    if (!d || !write_all(d.get(), o.slot, (o.counter % 2) * tombstones_slot_size) ||
        ::fdatasync(d.get()) != 0)
      return failed("cannot write", path);
    return {};
  }

  Outcome operator()(const SaveFile& o) {
    if (o.name != "identity") return replace_file(dir.path_, o.name, o.data);
    const auto saved = dir.identity_.replace(o.data, identity_file_size);
    dir.identity_.reserve(identity_file_size);
    return outcome_of(saved);
  }
};

/// The checks come before the lock and before any file is written, so that files of a directory
/// that cannot be used stay unchanged.
Result<std::unique_ptr<SegmentDirectory>> SegmentDirectory::open(const std::string& path,
                                                                 bool direct_io,
                                                                 std::uint64_t spare_bytes) {
  std::error_code error;
  fs::create_directories(path + "/logs", error);
  if (error) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, error.message()));
  std::unique_ptr<SegmentDirectory> d(new SegmentDirectory(path));
  // A file that cannot be read must not look absent, because an empty directory gets a fresh
  // identity (T4, K7).
  for (const char* name : {"/identity", "/promise", "/metadata"})
    if (fs::exists(path + name, error) && ::access((path + name).c_str(), R_OK | W_OK) != 0)
      return fail(Errc::directory_unreadable,
                  fmt::format("{}{}: {}", path, name, std::strerror(errno)));
  for (const char* name : {"", "/logs"})
    if (::access((path + name).c_str(), R_OK | W_OK | X_OK) != 0)
      return fail(Errc::directory_unreadable,
                  fmt::format("{}{}: {}", path, name, std::strerror(errno)));
  d->lock_ = ::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (d->lock_ < 0)
    return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  // The lock ends with the process, so a crash leaves no lock behind.
  if (::flock(d->lock_, LOCK_EX | LOCK_NB) != 0) return fail(Errc::directory_in_use, path);
  if (auto ok = d->reserve_tombstones(); !ok) return std::unexpected(ok.error());
  d->identity_.reserve(identity_file_size);
  d->is_direct_ = direct_io && DirectGroups::possible(path);
  d->spare_ = std::make_unique<SpareFiles>(path + "/spare", spare_bytes);
  return d;
}

/// Reserves the space of the tombstones. On a full disk the first deletion waits for space instead.
Result<void> SegmentDirectory::reserve_tombstones() {
  const std::string path = path_ + "/tombstones";
  const Descriptor d(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  struct stat s{};
  if (!d || ::fstat(d.get(), &s) != 0)
    return fail(Errc::directory_unreadable, failed("cannot open", path).detail);
  const Outcome reserved =
      reserve(d.get(), static_cast<std::uint64_t>(s.st_size), tombstones_file_size, path);
  if (reserved.error == Errc::ok || reserved.error == Errc::no_space) return {};
  return fail(Errc::directory_unreadable, reserved.detail);
}

SegmentDirectory::~SegmentDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

/// K1: of each log only the newest file can have pages that are not durable. Older files were
/// synced when they were closed.
Result<void> SegmentDirectory::make_durable() {
  const auto check = [](const Outcome& r) -> Result<void> {
    if (r.error != Errc::ok) return fail(Errc::directory_unreadable, r.detail);
    return {};
  };
  listed_.clear();
  const auto found = logs();
  if (!found) return std::unexpected(found.error());
  for (const LogId log : *found) {
    // A preparation that a crash has cut short.
    ::unlink((log_path(log) + "/preparing").c_str());
    auto segments = segments_of(log);
    if (!segments) return std::unexpected(segments.error());
    if (!segments->empty()) {
      const auto fd = descriptor(log, segments->back());
      if (*fd < 0 || ::fdatasync(*fd) != 0)
        return check(failed("cannot make durable", segment_path(log, segments->back())));
      ::posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    if (auto r = check(sync_directory(log_path(log))); !r) return r;
    listed_.emplace(log, std::move(*segments));
  }
  if (auto r = check(sync_directory(path_ + "/logs")); !r) return r;
  return check(sync_directory(path_));
}

FileEngine::Outcome SegmentDirectory::perform(const DiskOperation& op) {
  FileEngine::Outcome outcome = std::visit(Doer{*this}, op);
  // Spare files are space too, so a full disk takes them first.
  if (outcome.error == Errc::no_space && may_fail(op) && spare_->clear())
    outcome = std::visit(Doer{*this}, op);
  return outcome;
}

SegmentDirectory::SegmentDirectory(std::string path)
    : path_(std::move(path)),
      identity_(path_, "identity"),
      descriptors_(descriptors_max()),
      direct_(descriptors_max()) {}

std::string SegmentDirectory::log_path(LogId log) const {
  return fmt::format("{}/logs/{}", path_, log.value);
}
std::string SegmentDirectory::segment_path(LogId log, Offset first) const {
  return log_path(log) + "/" + segment_file_name(first);
}

/// Failures are not cached, so that a later call tries again.
std::shared_ptr<const int> SegmentDirectory::descriptor(LogId log, Offset first) {
  std::lock_guard lock(mutex_);
  if (const auto* open = descriptors_.find({log, first})) return *open;
  const int fd = ::open(segment_path(log, first).c_str(), O_RDWR | O_CLOEXEC);
  const std::shared_ptr<const int> opened(new int(fd), [](const int* p) {
    if (*p >= 0) ::close(*p);
    delete p;
  });
  if (fd >= 0) descriptors_.put({log, first}, opened);
  return opened;
}

std::optional<DirectGroup> SegmentDirectory::direct(const WriteGroup& group) {
  if (!is_direct_) return std::nullopt;
  return direct_.make(group, segment_path(group.log, group.first));
}

int SegmentDirectory::direct_flag() const { return is_direct_ ? O_DIRECT : 0; }

void SegmentDirectory::forget(LogId log, Offset first) {
  direct_.forget(log, first);
  std::lock_guard lock(mutex_);
  descriptors_.erase({log, first});
}

void SegmentDirectory::forget(LogId log) {
  direct_.forget(log);
  std::lock_guard lock(mutex_);
  descriptors_.erase_if([log](const auto& file) { return file.first == log; });
}

Result<std::vector<LogId>> SegmentDirectory::logs() {
  const auto names = files::names_in(path_ + "/logs");
  if (!names) return std::unexpected(names.error());
  std::vector<LogId> out;
  for (const std::string& name : *names) {
    LogId id;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id.value);
    if (error == std::errc{} && end == name.data() + name.size()) out.push_back(id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<StartupDisk::LogFiles> SegmentDirectory::files_of(LogId log) {
  const std::string folder = log_path(log);
  LogFiles out;
  for (auto [name, content] :
       {std::pair("/info", &out.info), std::pair("/promise", &out.promise)}) {
    auto found = files::read_file(folder + name);
    if (!found) return std::unexpected(found.error());
    if (*found) *content = std::move(**found);
  }
  return out;
}

/// Lists names only, without a look at each file: a log may have thousands of files, and the start
/// waits for this.
Result<std::vector<Offset>> SegmentDirectory::segments_of(LogId log) {
  if (auto listed = listed_.extract(log)) return std::move(listed.mapped());
  const auto names = files::names_in(log_path(log));
  if (!names) return std::unexpected(names.error());
  std::vector<Offset> out;
  for (const std::string& name : *names)
    if (const auto first = parse_segment_file_name(name)) out.push_back(*first);
  std::sort(out.begin(), out.end());
  return out;
}

/// K3: io_error means that the medium does not give the bytes. Other errors, for example of opening
/// or of memory, say nothing about the bytes (K7).
Result<Bytes> SegmentDirectory::read(LogId log, Offset first, std::uint64_t position,
                                     std::uint32_t length) {
  const auto fd = descriptor(log, first);
  if (*fd < 0)
    return std::unexpected(
        files::last_error("cannot open", segment_path(log, first), Errc::directory_unreadable));
  Bytes b = Bytes::allocate(length);
  std::size_t at = 0;
  while (at < length) {
    const ssize_t n =
        ::pread(*fd, b.mutable_data() + at, length - at, static_cast<off_t>(position + at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const bool medium = errno == EIO || errno == ENODATA || errno == EILSEQ || errno == EUCLEAN;
      return std::unexpected(
          files::last_error("cannot read", segment_path(log, first),
                            medium ? Errc::io_error : Errc::directory_unreadable));
    }
    if (n == 0) break;
    at += static_cast<std::size_t>(n);
  }
  return b.slice(0, at);
}

Result<std::uint64_t> SegmentDirectory::file_size(LogId log, Offset first) {
  return files::size_of(segment_path(log, first));
}

Result<Bytes> SegmentDirectory::file(const std::string& name) {
  auto found = files::read_file(path_ + "/" + name);
  if (!found) return std::unexpected(found.error());
  return *found ? std::move(**found) : Bytes{};
}

DiskSpace SegmentDirectory::space() const {
  struct statvfs s{};
  if (statvfs(path_.c_str(), &s) != 0) return {};
  return {std::uint64_t{s.f_bavail} * s.f_frsize, std::uint64_t{s.f_blocks} * s.f_frsize};
}

}  // namespace loglog::storage
