// How each field type is written and read (W3): visitors for for_each_field() of messages.h.
// Messages, Raft commands and snapshots share them, so a field has the same bytes everywhere.
#pragma once
#include <algorithm>
#include <type_traits>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

/// Type traits: a typed id (ids.h), a list.
template <class T>
inline constexpr bool is_strong = false;
template <class Tag, class Rep>
inline constexpr bool is_strong<Strong<Tag, Rep>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// First pass of encoding: counts the bytes of the fields (`size`) and of the tail. Strings are
/// counted as FieldWriter cuts them. In a message `version` is the protocol version of the
/// connection; in a record `record` is its record version. The other one is 0.
struct FieldSizer {
  std::uint8_t version = 0;
  std::uint8_t record = 0;
  std::size_t size = 0;
  std::size_t tail_size = 0;
  template <class T>
  void operator()(const char*, T& v) {
    value(v);
  }
  void tail(const char*, const Bytes& b) { tail_size = b.size(); }
  template <class T>
  void value(T& v) {
    using U = std::remove_cvref_t<T>;
    if constexpr (std::is_same_v<U, std::string>) size += 2 + std::min(v.size(), text_max);
    else if constexpr (std::is_same_v<U, Bytes>) size += 4 + v.size();
    else if constexpr (is_vector<U>) {
      size += 4;
      for (auto& e : v) value(e);
    } else if constexpr (is_strong<U>) size += sizeof(typename U::rep);
    else if constexpr (std::is_integral_v<U> || std::is_enum_v<U>) size += sizeof(U);
    else for_each_field(const_cast<U&>(v), *this);
  }
};

/// Second pass: writes the fields to `at`, which must have FieldSizer's number of bytes. Strings
/// longer than text_max are cut. A tail is not written; it leaves as a buffer of its own.
struct FieldWriter {
  std::byte* at;
  std::uint8_t version = 0;
  std::uint8_t record = 0;
  template <class T>
  void operator()(const char*, T& v) {
    value(v);
  }
  void tail(const char*, const Bytes&) {}
  template <class U>
  void integer(U v) {
    store_le(at, v);
    at += sizeof v;
  }
  template <class T>
  void value(T& v) {
    using U = std::remove_cvref_t<T>;
    if constexpr (std::is_same_v<U, std::string>) {
      const std::size_t n = std::min(v.size(), text_max);
      integer(static_cast<std::uint16_t>(n));
      std::memcpy(at, v.data(), n);
      at += n;
    } else if constexpr (std::is_same_v<U, Bytes>) {
      integer(static_cast<std::uint32_t>(v.size()));
      if (!v.empty()) std::memcpy(at, v.data(), v.size());
      at += v.size();
    } else if constexpr (is_vector<U>) {
      integer(static_cast<std::uint32_t>(v.size()));
      for (auto& e : v) value(e);
    } else if constexpr (is_strong<U>) integer(v.value);
    else if constexpr (std::is_same_v<U, bool>) integer(static_cast<std::uint8_t>(v));
    else if constexpr (std::is_enum_v<U>) integer(static_cast<std::underlying_type_t<U>>(v));
    else if constexpr (std::is_integral_v<U>) integer(v);
    else for_each_field(const_cast<U&>(v), *this);
  }
};

/// Reads fields from `source`, beginning at `at`. Total: a field that is missing or impossible sets
/// `ok` to false, and later fields read as 0 or empty. Allocates no more than the input could fill.
/// Bytes fields and tails are slices of `source`.
struct FieldReader {
  const Bytes& source;
  std::size_t at = 0;
  std::uint8_t version = 0;
  std::uint8_t record = 0;
  bool ok = true;
  template <class T>
  void operator()(const char*, T& v) {
    value(v);
  }
  void tail(const char*, Bytes& b) {
    if (!ok) return;
    b = source.slice(at);
    tail_begin = at;
    has_tail = true;
    at = source.size();
  }
  bool has_tail = false;  // the message has a tail, which begins at tail_begin
  std::size_t tail_begin = 0;

  std::size_t left() const { return source.size() - at; }
  template <class U>
  U integer() {
    if (!ok || left() < sizeof(U)) {
      ok = false;
      return U{};
    }
    U v = load_le<U>(source.data() + at);
    at += sizeof(U);
    return v;
  }
  template <class U>
  void value(U& v) {
    if constexpr (std::is_same_v<U, std::string>) {
      const std::size_t n = integer<std::uint16_t>();
      if (!ok || n > text_max || n > left()) return void(ok = false);
      v.assign(reinterpret_cast<const char*>(source.data() + at), n);
      at += n;
    } else if constexpr (std::is_same_v<U, Bytes>) {
      const std::size_t n = integer<std::uint32_t>();
      if (!ok || n > left()) return void(ok = false);
      v = source.slice(at, n);
      at += n;
    } else if constexpr (is_vector<U>) {
      const std::size_t n = integer<std::uint32_t>();
      // An element takes at least a byte on the wire, so a larger count than there are bytes left
      // is false. The check bounds the allocation before it happens.
      if (!ok || n > list_max || n > left()) return void(ok = false);
      v.clear();
      for (std::size_t i = 0; i < n && ok; ++i) value(v.emplace_back());
    } else if constexpr (is_strong<U>) v.value = integer<typename U::rep>();
    else if constexpr (std::is_same_v<U, bool>) {
      const auto b = integer<std::uint8_t>();
      // Only 0 and 1 are valid (W3).
      if (b > 1) ok = false;
      v = b == 1;
    } else if constexpr (std::is_enum_v<U>)
      v = static_cast<U>(integer<std::underlying_type_t<U>>());
    else if constexpr (std::is_integral_v<U>) v = integer<U>();
    else for_each_field(v, *this);
  }
};

/// Bytes that a record of version `version` takes in Raft or in a file, without its mark.
template <class T>
std::size_t record_size(const T& value, std::uint8_t version) {
  FieldSizer s{.record = version};
  for_each_field(const_cast<T&>(value), s);
  return s.size;
}

/// The mark at the beginning of a record of a later version than the first: bytes FF, then the
/// version. No record of the first version begins with these bytes (decision 0012).
inline constexpr std::size_t record_mark_ones = 8;
inline constexpr std::size_t record_mark_size = record_mark_ones + 1;

/// Size of the mark of a record: 0 in the first version.
constexpr std::size_t mark_size_of(std::uint8_t version) {
  return version > record_version_first ? record_mark_size : 0;
}
/// Writes the mark to `at`, which has room for it; returns the place behind it.
inline std::byte* write_mark_of(std::uint8_t version, std::byte* at) {
  if (version == record_version_first) return at;
  std::memset(at, 0xFF, record_mark_ones);
  at[record_mark_ones] = std::byte{version};
  return at + record_mark_size;
}
/// The version that a record says it has. 0: the mark is damaged. Total.
inline std::uint8_t version_of_record(ByteSpan b) {
  if (b.size() < record_mark_ones) return record_version_first;
  for (const std::byte x : b.first(record_mark_ones))
    if (x != std::byte{0xFF}) return record_version_first;
  if (b.size() < record_mark_size) return 0;
  const auto version = static_cast<std::uint8_t>(b[record_mark_ones]);
  return version > record_version_first ? version : std::uint8_t{0};
}

/// Encodes a record for Raft or a file, in a version of records (T7).
template <class T>
Bytes encode_record(const T& value, std::uint8_t version) {
  const std::size_t mark = mark_size_of(version);
  Bytes out = Bytes::allocate(mark + record_size(value, version));
  FieldWriter w{.at = write_mark_of(version, out.mutable_data()), .record = version};
  for_each_field(const_cast<T&>(value), w);
  return out;
}

/// Decodes the fields of a record of that version, without its mark.
template <class T>
bool decode_fields(const Bytes& fields, std::uint8_t version, T& out) {
  FieldReader r{.source = fields, .record = version};
  for_each_field(out, r);
  return r.ok && r.at == fields.size();
}

/// Decodes into `out`. False if the bytes are not exactly such a record, or if it is of a version
/// above `highest`; `out` is then unspecified. Fields that came after the record's version are 0 or
/// empty.
template <class T>
bool decode_record(const Bytes& bytes, std::uint8_t highest, T& out) {
  const std::uint8_t version = version_of_record(bytes.span());
  if (version == 0 || version > highest) return false;
  out = T{};
  return decode_fields(bytes.slice(mark_size_of(version)), version, out);
}

}  // namespace loglog
