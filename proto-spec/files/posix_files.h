// Small blocking file operations of a data directory, shared by both servers and the command line.
// Every error names the file and the system's reason, because an error that is read as "nothing
// there" costs data (spec/04 K7). Formats live in proto-spec/disk; this folder knows none of them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog::files {

/// Closes at the end of the scope. False: it was not opened, and errno says why.
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

/// no_space for a full disk or quota, too_many if the process or the machine has no descriptor
/// left, `other` otherwise.
Errc code_of_errno(int number, Errc other);
/// "WHAT PATH: reason" of errno. `other` as in code_of_errno.
Error last_error(const std::string& what, const std::string& path, Errc other);

/// True once every byte is in the page cache; otherwise errno says why not.
bool write_all(int fd, ByteSpan data, std::uint64_t at);

// ---- Of a start: any error but "no such file" is directory_unreadable. errno stays the system's.

/// The whole file. nullopt: there is no such file.
Result<std::optional<Bytes>> read_file(const std::string& path);
/// The names in a folder, without "." and "..", in any order. A list that ended early is an error,
/// and no shorter list.
Result<std::vector<std::string>> names_in(const std::string& folder);
Result<bool> exists(const std::string& path);
Result<std::uint64_t> size_of(const std::string& path);

// ---- Of a running process: no_space, too_many, or io_error. An operation that ended with too_many
// or no_space has changed
//      nothing that counts, and may be done again.

Result<void> sync_directory(const std::string& folder);
/// Writes `<name>.new`, makes it durable and renames it. The new file is removed again if that
/// fails.
Result<void> replace_file(const std::string& folder, const std::string& name, ByteSpan data);

}  // namespace loglog::files
