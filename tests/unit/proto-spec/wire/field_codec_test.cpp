// Records outside of messages (T7): each says its own version, an older record has 0 or empty in
// later fields, and a later record is refused as a whole.
#include "proto-spec/wire/field_codec.h"

#include <doctest/doctest.h>

#include <string>

using namespace loglog;

namespace versions {

/// A record inside a record, with a field of record version 3.
struct Inner {
  std::uint32_t first = 0;
  std::string later;
  bool operator==(const Inner&) const = default;
};
/// A record with a field of record version 2.
struct Outer {
  std::uint16_t first = 0;
  std::vector<Inner> inner;
  std::uint64_t second = 0;
  bool operator==(const Outer&) const = default;
};
template <class F>
void for_each_field(Inner& r, F& f) {
  f("first", r.first);
  if (record_version_of(f) >= 3) f("later", r.later);
}
template <class F>
void for_each_field(Outer& r, F& f) {
  f("first", r.first);
  f("inner", r.inner);
  if (record_version_of(f) >= 2) f("second", r.second);
}

}  // namespace versions

using versions::Outer;

namespace {

const Outer full{7, {{1, "a"}, {2, "bc"}}, 9};

Bytes bytes_of(std::string_view text) { return Bytes::copy_of(text); }

}  // namespace

TEST_CASE("records: a record comes back in each version, without the fields that came later (T7)") {
  Outer back;
  REQUIRE(decode_record(encode_record(full, 1), 3, back));
  CHECK(back == Outer{7, {{1, ""}, {2, ""}}, 0});
  REQUIRE(decode_record(encode_record(full, 2), 3, back));
  CHECK(back == Outer{7, {{1, ""}, {2, ""}}, 9});
  REQUIRE(decode_record(encode_record(full, 3), 3, back));
  CHECK(back == full);
}

TEST_CASE("records: only a record of a later version than the first has a mark (T7)") {
  const Bytes first = encode_record(full, 1), second = encode_record(full, 2);
  CHECK(version_of_record(first.span()) == 1);
  CHECK(version_of_record(second.span()) == 2);
  CHECK(first.size() == record_size(full, 1));
  CHECK(second.size() == record_mark_size + record_size(full, 2));
  CHECK(static_cast<unsigned>(first.data()[0]) == 7);
}

TEST_CASE("records: a record above the versions that are read is refused as a whole (T7)") {
  Outer back;
  CHECK_FALSE(decode_record(encode_record(full, 2), 1, back));
  CHECK_FALSE(decode_record(encode_record(full, 3), 2, back));
}

TEST_CASE("records: a damaged mark is no record, and a few bytes FF are no mark (T7)") {
  const std::string ones(8, '\xFF');
  CHECK(version_of_record(bytes_of(ones).span()) == 0);
  CHECK(version_of_record(bytes_of(ones + std::string(1, '\0')).span()) == 0);
  CHECK(version_of_record(bytes_of(ones + '\1').span()) == 0);
  CHECK(version_of_record(bytes_of(ones + '\2').span()) == 2);
  CHECK(version_of_record(bytes_of(ones.substr(1) + "x").span()) == 1);
  CHECK(version_of_record(Bytes{}.span()) == 1);
  Outer back;
  CHECK_FALSE(decode_record(bytes_of(ones), 3, back));
  const Bytes cut = encode_record(full, 3);
  CHECK_FALSE(decode_record(cut.slice(0, cut.size() - 1), 3, back));
}

TEST_CASE("records: a connection has a record's field since its protocol version alone (T7, W7)") {
  ClusterMetadata m;
  m.record_version = 2;
  const auto size_at = [&m](std::uint8_t protocol) {
    FieldSizer s{.version = protocol};
    for_each_field(m, s);
    return s.size;
  };
  CHECK(size_at(4) == size_at(3) + 1);
  CHECK(record_size(m, 2) == record_size(m, 1) + 1);
}
