// A file that is there whole or not at all.
#pragma once
#include <cstdio>
#include <expected>
#include <string>

namespace loglog::cli {

/// Written under a temporary name in the same folder; commit() puts it in place of what has its
/// name. Without commit() nothing changes.
class OutputFile {
 public:
  /// Else a sentence that says why not.
  static std::expected<OutputFile, std::string> create(const std::string& name);
  OutputFile(OutputFile&& o) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// To write to. Its errors may be left to commit().
  std::FILE* stream() const { return stream_; }
  /// fsync, then rename. Else a sentence that says why not, and what has the name is as before.
  std::expected<void, std::string> commit();

 private:
  OutputFile(std::string path, std::string temporary, std::FILE* stream);
  std::string path_;
  std::string temporary_;  // empty: nothing is left to remove
  std::FILE* stream_;
};

}  // namespace loglog::cli
