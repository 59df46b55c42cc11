// Rows of loglog-micro for a group commit of each file engine, as a storage node does it: runs and
// marks, then an fdatasync.
#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <stdexcept>

#include "proto-spec/disk/segment.h"
#include "proto-spec/transport/uv_loop.h"
#include "proto-spec/vocabulary/limits.h"
#include "storage-node/io/posix_segment_directory.h"
#include "storage-node/io/uring_segment_file.h"
#include "tests/benchmarks/measure.h"

namespace loglog::benchmarks {
namespace {

using storage::DiskOperation;
using storage::FileEngine;
constexpr LogId segment_log{1};
constexpr std::uint64_t segment_bytes = 64u << 20;

// An engine on an open segment in a temporary folder, which the destructor deletes.
class Segment {
 public:
  Segment(const std::string& parent, bool uring, bool direct) {
    std::string name = parent + "/loglog-micro-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      throw std::runtime_error("cannot make a folder in " + parent);
    path_ = name;
    auto opened = storage::SegmentDirectory::open(path_.string(), direct);
    if (!opened) throw std::runtime_error(opened.error().message());
    directory_ = std::move(*opened);
    const auto post = [this](std::function<void()> work) { loop_.post(std::move(work)); };
    const auto watch = [this](int descriptor, std::function<void()> work) {
      return loop_.watch(descriptor, std::move(work));
    };
    engine_ = uring ? storage::make_uring_engine(*directory_, watch, post)
                    : storage::make_thread_engine(*directory_, post);
    if (!engine_) return;
    one(storage::MakeLog{segment_log, Bytes::copy_of("info")});
    one(storage::PrepareNext{segment_log, segment_bytes});
    one(storage::OpenSegment{
        segment_log, Offset{0},
        encode_segment_header({ClusterId{5}, segment_log, Offset{0}, Chain{}})});
  }
  ~Segment() {
    engine_.reset();
    directory_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  /// False if io_uring is forbidden, or if the file system does not support the wanted way of
  /// writing.
  bool as_asked(bool direct) const {
    return engine_ != nullptr && directory_->is_direct() == direct;
  }

  /// Writes groups in sequence, each after the group before is durable, and wraps round in the
  /// segment.
  Cost write(std::uint64_t groups, const std::vector<Bytes>& buffers, std::uint64_t size) {
    left_ = groups;
    buffers_ = &buffers;
    size_ = size;
    Cost cost;
    const double cpu = cpu_ns();
    {
      const Metered metered(cost);
      next();
      loop_.run();
    }
    cost.cpu_ns = cpu_ns() - cpu;
    return cost;
  }

 private:
  void next() {
    if (left_-- == 0) return loop_.stop();
    if (position_ + size_ > segment_bytes) position_ = segment_header_size;
    ++counter_;
    storage::WriteGroup group{
        segment_log,
        Offset{0},
        position_,
        *buffers_,
        marks_slot_at[counter_ % 2],
        encode_marks({counter_, Offset{position_}, Chain{3}, Offset{position_}}),
        true};
    position_ += size_;
    engine_->start(std::move(group), [this](FileEngine::Outcome o) {
      must(o);
      next();
    });
    engine_->submit();
  }
  /// Runs a single operation to its end.
  void one(DiskOperation op) {
    engine_->start(std::move(op), [this](FileEngine::Outcome o) {
      must(o);
      loop_.stop();
    });
    engine_->submit();
    loop_.run();
  }
  static void must(const FileEngine::Outcome& o) {
    if (o.error != Errc::ok) throw std::runtime_error(o.detail);
  }

  std::filesystem::path path_;
  transport::Loop loop_;
  std::unique_ptr<storage::SegmentDirectory> directory_;
  std::unique_ptr<FileEngine> engine_;
  std::uint64_t left_ = 0, position_ = segment_header_size, counter_ = 0, size_ = 0;
  const std::vector<Bytes>* buffers_ = nullptr;
};

}  // namespace

void segment_rows(Table& table, const std::string& directory) {
  table.heading("Group commit", "bytes of the group, engine", true);
  std::vector<std::pair<std::string, std::unique_ptr<Segment>>> segments;
  for (const std::uint64_t size : {4u << 10, 64u << 10, 256u << 10, 1u << 20}) {
    const std::string bytes = fmt::format("{} KiB, ", size >> 10);
    if (!table.wanted(bytes)) continue;
    for (const bool uring : {false, true}) {
      for (const bool direct : {false, true}) {
        if (segments.size() == 4) continue;
        segments.emplace_back(fmt::format("{}, {}", uring ? "io_uring" : "threads",
                                          direct ? "O_DIRECT" : "page cache"),
                              std::make_unique<Segment>(directory, uring, direct));
        if (segments.back().second->as_asked(direct)) continue;
        fmt::print(stderr, "loglog-micro: {} cannot be had here; its rows are left out\n",
                   segments.back().first);
        segments.back().second.reset();
      }
    }
    // Buffers as they come from uploads: runs of up to 64 KiB. The group is a little shorter than
    // its blocks, because groups in a log do not begin at a block.
    const std::uint64_t run = std::min<std::uint64_t>(size, 64u << 10);
    std::vector<Bytes> buffers;
    for (std::uint64_t at = 0; at < size; at += run)
      buffers.push_back(Bytes::copy_of(std::string(at == 0 ? run - 24 : run, 'x')));
    std::vector<std::string> names;
    for (const auto& [name, segment] : segments)
      if (segment) names.push_back(bytes + name);
    // Engines take turns within each repetition, because the speed of a shared disk changes from
    // second to second.
    table.rows(
        names,
        [&](std::uint64_t groups) {
          std::vector<Cost> costs;
          for (const auto& [name, segment] : segments)
            if (segment) costs.push_back(segment->write(groups, buffers, size - 24));
          return costs;
        },
        static_cast<double>(size - 24));
  }
}

}  // namespace loglog::benchmarks
