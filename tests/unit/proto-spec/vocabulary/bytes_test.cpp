// Bytes count the memory that a handle keeps (spec/09), and texts of other processes are made
// harmless before they reach a log line, a terminal or JSON.
#include "proto-spec/vocabulary/bytes.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/json.h"
#include "proto-spec/vocabulary/printable.h"

using namespace loglog;

TEST_CASE(
    "bytes: a handle counts the block that it keeps, and a small one is copied for a long stay "
    "(Z1)") {
  const Bytes block = Bytes::allocate(256u << 10);
  const Bytes small = block.slice(1000, 41), large = block.slice(0, 128u << 10);
  CHECK(Bytes{}.held() == 0);
  CHECK(small.held() == block.size() + block_overhead);
  // A small slice of a large block keeps the whole block; to_keep() copies it. A large slice stays.
  CHECK(small.to_keep().held() == 41 + block_overhead);
  CHECK(small.to_keep() == small);
  CHECK(large.to_keep().data() == large.data());
  CHECK(Bytes{}.to_keep().empty());
}

TEST_CASE("printable: what a peer said neither forges a line nor commands a terminal (Z16)") {
  CHECK(printable("disk gone\n2026 ALARM: \x1b[31mred\x1b[0m\x7f\r\t!") ==
        "disk gone\\n2026 ALARM: \\x1b[31mred\\x1b[0m\\x7f\\x0d\\t!");
  CHECK(printable("Größe, \xe2\x82\xac") == "Größe, \xe2\x82\xac");
  CHECK(printable("\xc2\x9b"
                  "31m") ==
        "\\xc2\\x9b"
        "31m");  // the C1 control character CSI begins a terminal command
  CHECK(printable("\xc2") == "\xc2");
}

TEST_CASE(
    "json: any text makes a valid document, for what a client says of itself may be any bytes") {
  CHECK(json_string("a\"b\\c\n") == R"("a\"b\\c\u000a")");
  CHECK(json_string("Größe, \xe2\x82\xac, \xf0\x9f\x8e\x89") ==
        "\"Größe, \xe2\x82\xac, \xf0\x9f\x8e\x89\"");
  for (const char* bad : {"\x80", "\xff", "\xc0", "\xe2", "\xf5"})
    CHECK(json_string(bad) == R"("\ufffd")");
  CHECK(json_string("\xc0\xaf") == R"("\ufffd\ufffd")");            // overlong form
  CHECK(json_string("\xed\xa0\x80") == R"("\ufffd\ufffd\ufffd")");  // half of a surrogate pair
  CHECK(json_string("\xe2\x82") == R"("\ufffd\ufffd")");            // cut short
  CHECK(json_string("\xe2\x82z") == R"("\ufffd\ufffdz")");
}
