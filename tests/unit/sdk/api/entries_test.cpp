// Entries as values: packed entries, and views that share the memory of the received page.
#include "sdk/api/entries.h"

#include <doctest/doctest.h>

#include <string>

using namespace loglog;

namespace {

std::vector<std::string> texts(const std::vector<std::span<const std::byte>>& spans) {
  std::vector<std::string> out;
  for (const auto s : spans) out.emplace_back(reinterpret_cast<const char*>(s.data()), s.size());
  return out;
}

/// The parts of an entry with this payload, which must be the same by copy and by view.
std::vector<std::string> parts_of(const std::string& payload, bool packed) {
  const Entry e{.payload = payload, .packed = packed};
  const EntryView view{.payload = std::as_bytes(std::span(payload)), .packed = packed};
  CHECK(e.parts() == texts(view.parts()));
  return e.parts();
}

}  // namespace

TEST_CASE("a packed entry gives its payloads back, and any other bytes are a single payload") {
  using Parts = std::vector<std::string>;
  CHECK(parts_of(pack_batch({"a", "", "ccc"}), true) == Parts{"a", "", "ccc"});
  CHECK(parts_of(pack_batch({}), true).empty());
  CHECK(parts_of(pack_batch({"a"}), false) == Parts{pack_batch({"a"})});
  // Counts and lengths that reach beyond the payload, and payloads that are too short for a count.
  for (const std::string& bytes :
       {std::string(), std::string("abc"), std::string("\xff\xff\xff\xff"),
        std::string("\x01\0\0\0\x09\0\0\0x", 9)})
    CHECK(parts_of(bytes, true) == Parts{bytes});
}

TEST_CASE("views copy no payload, and keep the page for as long as they live") {
  const Bytes page = Bytes::copy_of("firstsecond");
  EntryViews kept;
  {
    client::Delivered d;
    d.entries.push_back(
        {Offset{100}, Offset{149}, Term{2}, ProducerId{3}, Sequence{4}, false, page.slice(0, 5)});
    d.entries.push_back(
        {Offset{149}, Offset{199}, Term{2}, ProducerId{3}, Sequence{5}, true, page.slice(5)});
    d.next = Offset{199};
    d.frames.push_back(page.slice(0, 5));
    EntryViews views = to_views(std::move(d));
    CHECK(views.entries.at(0).payload.data() == page.data());
    CHECK(views.entries.at(1).payload.data() == page.data() + 5);
    CHECK(views.frames.at(0).data() == page.data());
    kept = views;  // a copy shares the memory
  }
  REQUIRE(kept.entries.size() == 2);
  CHECK(kept.entries[0].text() == "first");
  CHECK(kept.entries[0].offset == 100);
  CHECK(kept.entries[0].next == 149);
  CHECK(kept.entries[0].term == 2);
  CHECK(kept.entries[0].producer == 3);
  CHECK(kept.entries[0].sequence == 4);
  CHECK_FALSE(kept.entries[0].packed);
  CHECK(kept.entries[1].text() == "second");
  CHECK(kept.entries[1].packed);
  CHECK(kept.next == 199);
}

TEST_CASE("a position comes back from its text, and any other text is no position (B)") {
  const LogPosition p{6, 9458};
  CHECK(p.text() == "6@9458");
  CHECK(LogPosition::parse("6@9458") == p);
  for (const char* text : {"", "6", "6@", "@9458", "6@9458 ", " 6@9458", "6@-1", "6@94x", "a@1",
                           "6@99999999999999999999"})
    CHECK_FALSE(LogPosition::parse(text));
}
