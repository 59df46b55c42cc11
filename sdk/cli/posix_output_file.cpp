// The usual order for an atomic replacement: write, fsync the file, rename, fsync the folder.
#include "sdk/cli/posix_output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace loglog::cli {
namespace {

std::string why(const std::string& what, const std::string& path) {
  return fmt::format("{} {}: {}", what, path, std::strerror(errno));
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// The mode that a new file of this process usually has: 0666 less the umask. mkstemp() gives
/// access to the owner only.
mode_t usual_mode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

OutputFile::OutputFile(std::string path, std::string temporary, std::FILE* stream)
    : path_(std::move(path)), temporary_(std::move(temporary)), stream_(stream) {}

OutputFile::OutputFile(OutputFile&& o) noexcept
    : path_(std::move(o.path_)),
      temporary_(std::exchange(o.temporary_, {})),
      stream_(std::exchange(o.stream_, nullptr)) {}

OutputFile::~OutputFile() {
  if (stream_ != nullptr) std::fclose(stream_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

std::expected<OutputFile, std::string> OutputFile::create(const std::string& name) {
  std::error_code error;
  // A symbolic link stays: the file that it names is replaced. A device such as /dev/null must not
  // be replaced by a file.
  const std::string path = std::filesystem::is_symlink(name, error)
                               ? std::filesystem::weakly_canonical(name, error).string()
                               : name;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
    return std::unexpected(
        fmt::format("{} is no regular file; leave --output away and send stdout there", name));
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkstemp(temporary.data());
  if (fd < 0) return std::unexpected(why("cannot write beside", path));
  std::FILE* stream = ::fdopen(fd, "wb");
  OutputFile file(path, temporary, stream);  // removes the temporary file if the rest fails
  if (stream == nullptr) {
    ::close(fd);
    return std::unexpected(why("cannot write", temporary));
  }
  if (::fchmod(fd, usual_mode()) != 0)
    return std::unexpected(why("cannot set the mode of", temporary));
  return file;
}

std::expected<void, std::string> OutputFile::commit() {
  const bool written =
      std::fflush(stream_) == 0 && std::ferror(stream_) == 0 && ::fsync(::fileno(stream_)) == 0;
  if (!written) return std::unexpected(why("cannot write", temporary_));
  if (std::fclose(std::exchange(stream_, nullptr)) != 0)
    return std::unexpected(why("cannot write", temporary_));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return std::unexpected(why("cannot put the file in place of", path_));
  temporary_.clear();
  // The rename is durable once the folder is.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool durable = folder >= 0 && ::fsync(folder) == 0;
  const std::string problem = durable ? "" : why("cannot make the name durable of", path_);
  if (folder >= 0) ::close(folder);
  if (!durable) return std::unexpected(problem);
  return {};
}

}  // namespace loglog::cli
