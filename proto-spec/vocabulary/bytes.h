// Shared, sliceable byte ranges: payloads travel by handle from the socket's slab to the segment
// file.
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

/// What the allocator and the reference count take for one block, bytes, about.
inline constexpr std::size_t block_overhead = 64;
/// Bytes that stay in memory (staged runs, the cache of newest frames) use at least half of their
/// block. A small run would otherwise keep the 256 KiB into which its connection received.
inline constexpr std::size_t kept_share_min = 2;

/// A handle to a part of a shared heap block. Copying copies the handle, never the bytes; the block
/// lives until its last handle is gone. Handles may move between threads; the bytes are written
/// only by whoever owns the range (a node stamps a staged run before anybody else can see it).
class Bytes {
 public:
  Bytes() = default;

  /// A new block of `size` bytes, not initialised.
  static Bytes allocate(std::size_t size) {
    Bytes b;
    if (size == 0) return b;
    b.block_ = std::make_shared_for_overwrite<std::byte[]>(size);
    b.data_ = b.block_.get();
    b.size_ = b.block_size_ = size;
    return b;
  }
  static Bytes copy_of(ByteSpan src) {
    Bytes b = allocate(src.size());
    if (!src.empty()) std::memcpy(b.data_, src.data(), src.size());
    return b;
  }
  static Bytes copy_of(std::string_view text) {
    return copy_of(std::as_bytes(std::span(text.data(), text.size())));
  }

  /// The range [at, at + size) of this one; the caller keeps it inside.
  Bytes slice(std::size_t at, std::size_t size) const {
    Bytes b;
    b.block_ = block_;
    b.block_size_ = block_size_;
    b.data_ = data_ + at;
    b.size_ = size;
    return b;
  }
  Bytes slice(std::size_t at) const { return slice(at, size_ - at); }

  /// Memory that this handle keeps, bytes: the whole block, of which it may show a small part.
  std::size_t held() const { return block_size_ == 0 ? 0 : block_size_ + block_overhead; }
  /// No other handle keeps the block, so that it may be written anew.
  bool unique() const {
    if (block_.use_count() != 1) return false;
    const auto again = block_;  // to let it go orders what another thread read through its handle
                                // before what is written now
    return true;
  }
  /// The same bytes for a long stay: a copy where less than 1 / kept_share_min of the block would
  /// be used, else this handle.
  Bytes to_keep() const { return size_ * kept_share_min < block_size_ ? copy_of(span()) : *this; }

  const std::byte* data() const { return data_; }
  std::byte* mutable_data() { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteSpan span() const { return {data_, size_}; }
  operator ByteSpan() const { return span(); }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  /// Same content (used by tests and golden comparisons).
  bool operator==(const Bytes& o) const {
    return size_ == o.size_ && (size_ == 0 || std::memcmp(data_, o.data_, size_) == 0);
  }

 private:
  std::shared_ptr<std::byte[]> block_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
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
