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

/// Records that are replicated or stored have the fields of this version, whatever a connection has
/// agreed on. They change only when the whole cluster changes (decision 0012).
inline constexpr std::uint8_t record_version = 1;

/// First pass of encoding: counts the bytes of the fields (`size`) and of the tail. Strings are
/// counted as FieldWriter cuts them.
struct FieldSizer {
  std::uint8_t version = record_version;
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
  std::uint8_t version = record_version;
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
  std::uint8_t version = record_version;
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

/// Encodes a record for Raft or a file, in record_version.
template <class T>
Bytes encode_record(const T& value) {
  FieldSizer s;
  for_each_field(const_cast<T&>(value), s);
  Bytes out = Bytes::allocate(s.size);
  FieldWriter w{.at = out.mutable_data()};
  for_each_field(const_cast<T&>(value), w);
  return out;
}

/// Decodes into `out`. False if the bytes are not exactly such a record; `out` is then unspecified.
template <class T>
bool decode_record(const Bytes& bytes, T& out) {
  FieldReader r{.source = bytes};
  for_each_field(out, r);
  return r.ok && r.at == bytes.size();
}

}  // namespace loglog
