// Lines of JSON in `loglog read --format json` and `loglog append`: entries round-trip byte for
// byte, and malformed lines are refused with a reason.
#include "sdk/cli/json_line.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::cli;

TEST_CASE("an entry printed as JSON comes back byte for byte, whatever its bytes (A3)") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t n : {0u, 1u, 2u, 3u, 4u, 255u, 256u})
    for (const bool packed : {false, true}) {
      const Entry e{.offset = 7,
                    .next = 9,
                    .term = 1,
                    .producer = ~0ull,
                    .sequence = 3,
                    .payload = all.substr(0, n),
                    .packed = packed};
      const std::string line = entry_to_json(e);
      REQUIRE(line.ends_with("}\n"));
      const auto back = entry_from_json(std::string_view(line).substr(0, line.size() - 1));
      REQUIRE(back);
      CHECK(back->payload == e.payload);
      CHECK(back->packed == packed);
    }
}

TEST_CASE("base64 is taken strictly, because a slip would be other bytes") {
  CHECK(from_base64("aGVsbG8=") == "hello");
  CHECK(from_base64("") == "");
  for (const char* wrong :
       {"a", "aGVsbG8", "aGVs bG8=", "aGVsbG9=", "====", "a===", "aGVsbG8=aGVsbG8="})
    CHECK_MESSAGE(!from_base64(wrong), wrong);
}

TEST_CASE("lines of JSON that other programs write are read, and what is no entry is told why") {
  const auto e = entry_from_json(
      R"( { "bytes" : "aGk=" , "note": "a \"b\" \u00e9 \ud83d\ude00\n", "n": -1.5e3, "x": null, "packed": false } )");
  REQUIRE(e);
  CHECK(e->payload == "hi");
  CHECK_FALSE(e->packed);
  CHECK(parse_json_line(R"({"a": "\u00e9\ud83d\ude00\n"})")->at("a").text ==
        "\xc3\xa9\xf0\x9f\x98\x80\n");
  CHECK(parse_json_line("{}")->empty());
  for (const char* wrong :
       {"", "hello", "[1]", "{", "{\"a\"}", "{\"a\": }", "{\"a\": 1,}", "{\"a\": 1 \"b\": 2}",
        "{\"a\": \"\\x\"}", "{\"a\": \"open}", "{\"a\": 1} {\"a\": 1}", "{\"a\": 1, \"a\": 2}",
        "{\"a\": [1]}", "{\"a\": \"\\ud83d\"}"})
    CHECK_MESSAGE(!parse_json_line(wrong), wrong);
  CHECK(entry_from_json("{\"offset\": 3}").error().find("bytes") != std::string::npos);
  CHECK(entry_from_json("{\"bytes\": \"*\"}").error().find("base64") != std::string::npos);
}
