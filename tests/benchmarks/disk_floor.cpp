// Benchmark: the upper bound that the disk sets. Writers do only the work that a storage node must
// do for each group: a marks sector, the bytes, and an fdatasync, past the page cache.
// Three writers run at once by default, as on a machine with three replicas. No node, no network
// and no checksum take part.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t block = 4096, sector = 512;
constexpr std::size_t file_bytes = 64u << 20, zeros_bytes = 256u << 10;

/// How the space of a new file is made before groups go into it.
enum class Space : std::uint8_t {
  /// A single file, written once before the clock starts: the best that recycled files can give.
  written,
  zeros,     ///< zeros are written into each new file, and this time counts
  reserved,  ///< fallocate alone
};

/// Memory that O_DIRECT accepts.
std::unique_ptr<std::byte, decltype(&std::free)> aligned(std::size_t size, int fill) {
  std::unique_ptr<std::byte, decltype(&std::free)> p(
      static_cast<std::byte*>(std::aligned_alloc(block, size)), &std::free);
  std::memset(p.get(), fill, size);
  return p;
}

void must(bool ok, const char* what) {
  if (ok) return;
  fmt::print(stderr, "loglog-disk-floor: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

/// Writes groups into files of 64 MiB, each behind the last, and records how long each took.
class Writer {
 public:
  Writer(std::string path, Space space, std::size_t group)
      : path_(std::move(path)), space_(space), group_(group) {
    next_file();
  }
  ~Writer() { ::close(fd_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void run(Clock::time_point end) {
    while (Clock::now() < end) {
      if (at_ + group_ > file_bytes) next_file();
      const auto begun = Clock::now();
      must(::pwrite(fd_, bytes_.get(), sector, 0) == static_cast<ssize_t>(sector), "write");
      must(::pwrite(fd_, bytes_.get(), group_, static_cast<off_t>(at_)) ==
               static_cast<ssize_t>(group_),
           "write");
      must(::fdatasync(fd_) == 0, "fdatasync");
      took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
      at_ += group_;
    }
  }
  std::vector<double> took;  // microseconds of each group

 private:
  void next_file() {
    at_ = block;
    if (fd_ >= 0 && space_ == Space::written) return;
    if (fd_ >= 0) ::close(fd_);
    ::unlink(path_.c_str());
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    must(fd_ >= 0, "open with O_DIRECT");
    must(::fallocate(fd_, 0, 0, file_bytes) == 0, "fallocate");
    if (space_ != Space::reserved)
      for (std::size_t at = 0; at < file_bytes; at += zeros_bytes)
        must(::pwrite(fd_, zeros_.get(), zeros_bytes, static_cast<off_t>(at)) ==
                 static_cast<ssize_t>(zeros_bytes),
             "write");
    must(::fdatasync(fd_) == 0, "fdatasync");
  }

  std::string path_;
  Space space_;
  std::size_t group_;
  int fd_ = -1;
  std::size_t at_ = 0;
  decltype(aligned(0, 0)) bytes_ = aligned(std::max<std::size_t>(group_, block), 1),
                          zeros_ = aligned(zeros_bytes, 0);
};

/// Measures a group size and a kind of space, and prints a row of the table.
void measure(const std::string& folder, Space space, const char* name, std::size_t group,
             std::size_t writers, double seconds) {
  std::vector<std::unique_ptr<Writer>> all;
  for (std::size_t i = 0; i < writers; ++i)
    all.push_back(std::make_unique<Writer>(fmt::format("{}/floor-{}", folder, i), space, group));
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(seconds));
  {
    std::vector<std::jthread> threads;
    for (auto& w : all) threads.emplace_back([&w, end] { w->run(end); });
  }
  std::vector<double> took;
  for (auto& w : all) took.insert(took.end(), w->took.begin(), w->took.end());
  for (std::size_t i = 0; i < writers; ++i) ::unlink(fmt::format("{}/floor-{}", folder, i).c_str());
  if (took.empty()) return;
  std::sort(took.begin(), took.end());
  const double groups = static_cast<double>(took.size()) / static_cast<double>(writers) / seconds;
  fmt::print("| {} KiB | {} | {:.0f} | {:.0f} | {:.0f} |\n", group >> 10, name,
             groups * static_cast<double>(group) / 1e6, took[took.size() / 2],
             took[took.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "What the disk allows: groups of bytes made durable by writers that do nothing else"};
  std::string folder = std::filesystem::temp_directory_path().string();
  std::size_t writers = 3;
  double seconds = 2;
  app.add_option("--dir", folder, "on the disk to measure (default: the temporary folder)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--writers", writers, "at once (default 3)")->check(CLI::Range(1, 64));
  app.add_option("--seconds", seconds, "for each line (default 2)")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  fmt::print("| group | space | MB/s each | p50 us | p99 us |\n|---|---|---|---|---|\n");
  constexpr std::array<std::pair<Space, const char*>, 3> spaces = {
      {{Space::written, "written before"},
       {Space::zeros, "zeros first"},
       {Space::reserved, "reserved"}}};
  for (const std::size_t group : {4u << 10, 16u << 10, 112u << 10, 512u << 10, 1024u << 10})
    for (const auto& [space, name] : spaces) measure(folder, space, name, group, writers, seconds);
}
