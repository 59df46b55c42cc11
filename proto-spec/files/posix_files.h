// Small blocking file operations on a data directory, shared by both servers and the command line.
// Every error names the file and the system's reason, because an error that is mistaken for an
// absent file costs data (spec/04 K7). Formats live in proto-spec/disk; this folder knows none of
// them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog::files {

/// Owns a file descriptor and closes it at the end of the scope. False if it was not opened; errno
/// has the reason until the next call.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Maps an errno: no_space for a full disk or quota, too_many if the process or the machine has no
/// descriptor left, `other` for all others.
Errc code_of_errno(int number, Errc other);
/// An error "WHAT PATH: reason" from the current errno. `other` as in code_of_errno().
Error last_error(const std::string& what, const std::string& path, Errc other);

/// Writes all bytes at position `at`. True once every byte is in the page cache, not yet durable;
/// otherwise errno has the reason.
bool write_all(int fd, ByteSpan data, std::uint64_t at);

// ---- For a process start. Every error but "no such file" is directory_unreadable, and errno stays
// as the system left it.

/// Reads a whole file; nullopt if there is no such file.
Result<std::optional<Bytes>> read_file(const std::string& path);
/// Names in a folder, without "." and "..", in any order. A listing that the system breaks off is
/// an error, never a shorter list.
Result<std::vector<std::string>> names_in(const std::string& folder);
/// False only if the system says that no such file exists.
Result<bool> exists(const std::string& path);
/// Bytes. A missing file is an error.
Result<std::uint64_t> size_of(const std::string& path);

// ---- For a running process. Errors are no_space, too_many or io_error. After no_space or too_many
// nothing that counts has changed, and the operation may be repeated.

/// Makes the names in `folder` durable.
Result<void> sync_directory(const std::string& folder);
/// Replaces a file as a whole: writes `<name>.new`, makes it durable and renames it. If that fails,
/// the new file is removed again. Afterwards the name is durable too.
Result<void> replace_file(const std::string& folder, const std::string& name, ByteSpan data);

}  // namespace loglog::files
