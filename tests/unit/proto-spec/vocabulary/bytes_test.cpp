// What a handle keeps in memory.
#include "proto-spec/vocabulary/bytes.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/printable.h"

using namespace loglog;

TEST_CASE("bytes: a handle counts the block that it keeps, and a small one is copied for a long stay (Z1)") {
  const Bytes block = Bytes::allocate(256u << 10);
  const Bytes small = block.slice(1000, 41), large = block.slice(0, 128u << 10);
  CHECK(Bytes{}.held() == 0);
  CHECK(small.held() == block.size() + block_overhead);
  CHECK(small.to_keep().held() == 41 + block_overhead);
  CHECK(small.to_keep() == small);
  CHECK(large.to_keep().data() == large.data());
  CHECK(Bytes{}.to_keep().empty());
}

TEST_CASE("printable: what a peer said neither forges a line nor commands a terminal (Z16)") {
  CHECK(printable("disk gone\n2026 ALARM: \x1b[31mred\x1b[0m\x7f\r\t!") == "disk gone\\n2026 ALARM: \\x1b[31mred\\x1b[0m\\x7f\\x0d\\t!");
  CHECK(printable("Größe, \xe2\x82\xac") == "Größe, \xe2\x82\xac");
  CHECK(printable("\xc2\x9b"
                  "31m") ==
        "\\xc2\\x9b"
        "31m");  // one character that begins a command
  CHECK(printable("\xc2") == "\xc2");
}
