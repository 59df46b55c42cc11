// Shared, sliceable byte ranges. A payload travels by handle from the socket's receive block to the
// segment file and is never copied on the way. The little-endian load and store of all formats live
// here too. Every component includes this file.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace loglog {

using ByteSpan = std::span<const std::byte>;

/// Approximate memory that the allocator and the reference count take for a block, bytes. Limits
/// count it, because a small run would otherwise look cheaper than it is.
inline constexpr std::size_t block_overhead = 64;
/// Bytes that stay in memory (staged runs, the cache of newest frames) must use at least 1 /
/// kept_share_min of their block. Otherwise a small run would keep alive the 256 KiB block into
/// which its connection received it.
inline constexpr std::size_t kept_share_min = 2;

/// A handle to a part of a shared heap block. Copying copies the handle, never the bytes. The block
/// lives until its last handle is gone. Handles may move between threads. Only the owner of a range
/// writes its bytes: a node stamps a staged run before any other thread can see it.
class Bytes {
 public:
  Bytes() = default;

  /// Makes a new block of `size` bytes, not initialised. Size 0 gives an empty handle without a
  /// block.
  static Bytes allocate(std::size_t size) {
    Bytes b;
    if (size == 0) return b;
    b.block_ = std::make_shared_for_overwrite<std::byte[]>(size);
    b.data_ = b.block_.get();
    b.size_ = b.block_size_ = size;
    return b;
  }
  /// Makes a block of its own with the same content.
  static Bytes copy_of(ByteSpan src) {
    Bytes b = allocate(src.size());
    if (!src.empty()) std::memcpy(b.data_, src.data(), src.size());
    return b;
  }
  static Bytes copy_of(std::string_view text) {
    return copy_of(std::as_bytes(std::span(text.data(), text.size())));
  }

  /// A handle to [at, at + size) of this range. The caller keeps the bounds inside the range; they
  /// are not checked.
  Bytes slice(std::size_t at, std::size_t size) const {
    Bytes b;
    b.block_ = block_;
    b.block_size_ = block_size_;
    b.data_ = data_ + at;
    b.size_ = size;
    return b;
  }
  Bytes slice(std::size_t at) const { return slice(at, size_ - at); }

  /// Memory that this handle keeps alive, bytes: the whole block, of which the handle may show a
  /// small part.
  std::size_t held() const { return block_size_ == 0 ? 0 : block_size_ + block_overhead; }
  /// True if no other handle keeps the block, so that the block may be written anew.
  bool unique() const {
    if (block_.use_count() != 1) return false;
    // use_count() reads without ordering. Releasing this copy is an acquire-release operation, so
    // reads that another thread made through its handle come before the writes that follow.
    const auto again = block_;
    return true;
  }
  /// A handle for bytes that stay in memory: a copy if less than 1 / kept_share_min of the block
  /// would be used, otherwise this handle.
  Bytes to_keep() const { return size_ * kept_share_min < block_size_ ? copy_of(span()) : *this; }

  const std::byte* data() const { return data_; }
  /// For the owner of the range only; see the class.
  std::byte* mutable_data() { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteSpan span() const { return {data_, size_}; }
  operator ByteSpan() const { return span(); }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  /// Compares content, for tests and golden files.
  bool operator==(const Bytes& o) const {
    return size_ == o.size_ && (size_ == 0 || std::memcmp(data_, o.data_, size_) == 0);
  }

 private:
  std::shared_ptr<std::byte[]> block_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  /// Size of the whole block, bytes; 0 without a block.
  std::size_t block_size_ = 0;
};

// Little-endian load and store; LogLog runs on little-endian machines only (checked below).
static_assert(std::endian::native == std::endian::little, "LogLog's formats are little-endian");
template <class T>
T load_le(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
void store_le(std::byte* p, T v) {
  std::memcpy(p, &v, sizeof v);
}

}  // namespace loglog
