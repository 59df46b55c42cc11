// A group begins inside the block in which the last group ended. So each group repeats the bytes of
// that block from a copy, or from the file if the copy is unknown, and fills its own last block
// with zeros.
#include "storage-node/io/posix_direct_groups.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "proto-spec/disk/segment.h"

namespace loglog::storage {
namespace {

/// Limit on pooled memory: about the memory of groups in flight on many logs at once.
constexpr std::size_t pooled_max = 8u << 20;

std::shared_ptr<const int> open_direct(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_DIRECT | O_CLOEXEC, 0640);
  if (fd < 0) return nullptr;
  return {new int(fd), [](const int* p) {
            ::close(*p);
            delete p;
          }};
}

}  // namespace

AlignedPool::Block AlignedPool::take(std::size_t size) {
  const std::size_t rounded = std::bit_ceil(std::max(size, direct_block));
  {
    std::lock_guard lock(mutex_);
    auto& free = free_[static_cast<std::size_t>(std::countr_zero(rounded))];
    if (!free.empty()) {
      Block found = std::move(free.back());
      free.pop_back();
      kept_ -= rounded;
      return found;
    }
  }
  Block b;
  b.bytes.reset(static_cast<std::byte*>(std::aligned_alloc(direct_block, rounded)));
  b.size = b.bytes ? rounded : 0;
  return b;
}

/// Blocks of other sizes make room first, so that the pool follows the sizes in use.
void AlignedPool::give_back(Block block) {
  if (!block.bytes) return;
  std::lock_guard lock(mutex_);
  auto& same = free_[static_cast<std::size_t>(std::countr_zero(block.size))];
  // The size that is needed now stays.
  for (auto& other : free_)
    while (kept_ + block.size > pooled_max && &other != &same && !other.empty()) {
      kept_ -= other.back().size;
      other.pop_back();
    }
  if (kept_ + block.size > pooled_max) return;
  kept_ += block.size;
  same.push_back(std::move(block));
}

/// Tries a whole block, a marks slot and a read: some file systems accept O_DIRECT at open and
/// refuse such writes later.
bool DirectGroups::possible(const std::string& folder) {
  const std::string path = folder + "/direct-io";
  const auto fd = open_direct(path, O_RDWR | O_CREAT | O_TRUNC);
  if (!fd) return false;
  AlignedPool pool;
  const AlignedPool::Block b = pool.take(direct_block);
  bool works = b.bytes != nullptr;
  if (works) {
    std::memset(b.bytes.get(), 0, direct_block);
    works = ::pwrite(*fd, b.bytes.get(), direct_block, 0) == static_cast<ssize_t>(direct_block) &&
            ::pwrite(*fd, b.bytes.get(), marks_slot_size, marks_slot_at[1]) == marks_slot_size &&
            ::pread(*fd, b.bytes.get(), direct_block, 0) == static_cast<ssize_t>(direct_block);
  }
  ::unlink(path.c_str());
  return works;
}

std::shared_ptr<DirectGroups::Open> DirectGroups::open(LogId log, Offset first,
                                                       const std::string& path) {
  std::lock_guard lock(mutex_);
  if (const auto* open = files_.find(log); open != nullptr && (*open)->first == first) return *open;
  auto opened = std::make_shared<Open>();
  opened->first = first;
  opened->fd = open_direct(path, O_RDWR);
  files_.put(log, opened);
  return opened;
}

/// The next group of the log opens the file again.
void DirectGroups::forget(LogId log) {
  std::lock_guard lock(mutex_);
  files_.erase(log);
}

void DirectGroups::forget(LogId log, Offset first) {
  std::lock_guard lock(mutex_);
  if (const auto* open = files_.find(log); open != nullptr && (*open)->first == first)
    files_.erase(log);
}

/// Without a direct write the copy of the last block would become stale, so the file is forgotten.
std::optional<DirectGroup> DirectGroups::make(const WriteGroup& group, const std::string& path) {
  const auto file = open(group.log, group.first, path);
  std::size_t bytes = 0;
  for (const Bytes& b : group.buffers) bytes += b.size();
  DirectGroup out;
  out.fd = file->fd;
  if (file->fd && group.marks.size() <= marks_slot_size && fill(*file, group, bytes, out))
    return out;
  forget(group.log);
  return std::nullopt;
}

bool DirectGroups::fill(Open& file, const WriteGroup& group, std::size_t bytes, DirectGroup& out) {
  const std::size_t head = group.position % direct_block;
  const std::size_t frames = bytes == 0 ? 0 : whole_blocks(head + bytes);
  // The memory returns to the pool when the last holder of the group is done.
  out.memory = std::shared_ptr<AlignedPool::Block>(
      new AlignedPool::Block(pool_->take(frames + direct_block)),
      [pool = pool_](AlignedPool::Block* b) {
        pool->give_back(std::move(*b));
        delete b;
      });
  std::byte* const begin = out.memory->bytes.get();
  if (begin == nullptr) return false;
  if (frames > 0) {
    // The copy saves a read for each group. It is known if the last group ended exactly here.
    if (head > 0 && file.end == group.position) std::memcpy(begin, file.last.data(), head);
    else if (head > 0 &&
             ::pread(*file.fd, begin, direct_block, static_cast<off_t>(group.position - head)) <
                 static_cast<ssize_t>(head))
      return false;
    std::size_t at = head;
    for (const Bytes& b : group.buffers) {
      std::memcpy(begin + at, b.data(), b.size());
      at += b.size();
    }
    std::memset(begin + at, 0, frames - at);
    file.end = group.position + bytes;
    std::memcpy(file.last.data(), begin + frames - direct_block, direct_block);
    out.frames = {begin, frames, group.position - head};
  }
  if (!group.marks.empty()) {
    std::memcpy(begin + frames, group.marks.data(), group.marks.size());
    std::memset(begin + frames + group.marks.size(), 0, marks_slot_size - group.marks.size());
    out.marks = {begin + frames, marks_slot_size, group.marks_position};
  }
  return true;
}

}  // namespace loglog::storage
