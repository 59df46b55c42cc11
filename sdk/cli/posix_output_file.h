// A file that appears as a whole or not at all, for --output of the commands.
#pragma once
#include <cstdio>
#include <expected>
#include <string>

namespace loglog::cli {

/// The file is written under a temporary name in the same folder; commit() renames it over the old
/// file. Without commit() the old file stays and the temporary file is removed.
class OutputFile {
 public:
  /// Creates the temporary file. Error: a sentence with the reason; a name that is no regular file,
  /// such as /dev/null, is refused.
  static std::expected<OutputFile, std::string> create(const std::string& name);
  OutputFile(OutputFile&& o) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// The stream to write to; owned by this object. Its errors may be left to commit().
  std::FILE* stream() const { return stream_; }
  /// Makes the bytes durable, then renames the file. Error: a sentence with the reason; up to the
  /// rename the old file is unchanged. To be called once.
  std::expected<void, std::string> commit();

 private:
  OutputFile(std::string path, std::string temporary, std::FILE* stream);
  std::string path_;
  std::string temporary_;  // empty: committed or moved from, so no file is left to remove
  std::FILE* stream_;
};

}  // namespace loglog::cli
