// A session is a connection's protocol state: hello, agreed version, allowed messages (spec/01).
// The tests feed bytes and messages to it without a socket.
#include "proto-spec/session/session.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "proto-spec/wire/may_send.h"

using namespace loglog;

namespace {

/// A correct hello of a role.
Hello hello(Role role, std::string cluster, std::uint32_t id = 1) {
  return {hello_magic, protocol_lowest, protocol_highest, role, ClusterId{}, std::move(cluster), id,
          BootId{7},   DiskId{},        message_body_max};
}

/// Feeds bytes in the pieces for which the session has room.
void feed(Session& s, ByteSpan bytes) {
  while (!bytes.empty()) {
    const auto room = s.writable();
    const std::size_t n = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), n);
    s.filled(n);
    bytes = bytes.subspan(n);
  }
}

void feed(Session& s, RequestId request, const Message& m) {
  const Encoded e = encode(request, m);
  feed(s, e.head);
  feed(s, e.tail);
}

/// Returns the error with which a session that expects `expected` refuses the first message; the
/// error must have a sentence.
Errc refusal(Hello own, Session::Expectation expected, const Message& first) {
  Session s(std::move(own), std::move(expected));
  feed(s, RequestId{}, first);
  const auto r = s.next();
  REQUIRE(!r);
  CHECK(!r.error().detail.empty());
  return r.error().code;
}

}  // namespace

TEST_CASE("session: hello first, then messages, byte by byte") {
  Session s(hello(Role::storage, "c"), {});
  const Encoded first = encode(RequestId{}, hello(Role::client, "c"));
  for (const std::byte& b : first.head.span()) {
    CHECK(!s.established());
    feed(s, ByteSpan(&b, 1));
    const auto r = s.next();
    REQUIRE(r);
    CHECK(r->has_value() == (&b == &first.head.span().back()));
  }
  CHECK(s.established());
  CHECK(s.peer().role == Role::client);
  feed(s, RequestId{9}, Ping{});
  const auto r = s.next();
  REQUIRE(r);
  REQUIRE(r->has_value());
  CHECK((*r)->request == RequestId{9});
  CHECK(std::holds_alternative<Ping>((*r)->message));
}

TEST_CASE("session: who may not talk to whom") {
  const Hello own = hello(Role::storage, "c");
  CHECK(refusal(own, {}, hello(Role::client, "other")) == Errc::wrong_cluster);
  CHECK(refusal(own, {{Role::sequencer}, 0}, hello(Role::client, "c")) == Errc::wrong_role);
  CHECK(refusal(own, {{}, 3}, hello(Role::storage, "c", 4)) == Errc::wrong_identity);
  for (const auto number : {0, 4, 255})
    CHECK(refusal(own, {}, hello(static_cast<Role>(number), "c")) == Errc::wrong_role);
  Hello magic = hello(Role::client, "c");
  magic.magic = 1;
  CHECK(refusal(own, {}, magic) == Errc::bad_magic);
  Hello newer = hello(Role::client, "c");
  newer.lowest_version = newer.highest_version = 200;
  CHECK(refusal(own, {}, newer) == Errc::wrong_version);
  Hello mine = own;
  mine.cluster = ClusterId{1};
  Hello theirs = hello(Role::client, "c");
  theirs.cluster = ClusterId{2};
  CHECK(refusal(mine, {}, theirs) == Errc::wrong_cluster);
  // A first message other than Hello is refused; Failed as a first message is the peer's own
  // refusal.
  CHECK(refusal(own, {}, Ping{}) == Errc::bad_magic);
  CHECK(refusal(own, {}, Failed{Errc::no_such_log, "x"}) == Errc::no_such_log);
}

TEST_CASE("session: the highest version that both speak is agreed on, whichever side is older") {
  const auto speaks = [](std::uint8_t lowest, std::uint8_t highest) {
    Hello h = hello(Role::storage, "c");
    h.lowest_version = lowest;
    h.highest_version = highest;
    return h;
  };
  const auto agreed = [&](const Hello& own, const Hello& theirs) {
    Session s(own, {});
    feed(s, RequestId{}, theirs);
    const auto r = s.next();
    return r ? int{s.version()} : 0;
  };
  // The highest common version, or 0 if there is none.
  CHECK(agreed(speaks(1, 1), speaks(1, 1)) == 1);
  CHECK(agreed(speaks(1, 2), speaks(1, 1)) == 1);
  CHECK(agreed(speaks(1, 1), speaks(1, 2)) == 1);
  CHECK(agreed(speaks(1, 2), speaks(1, 2)) == 2);
  CHECK(agreed(speaks(2, 3), speaks(1, 2)) == 2);
  CHECK(agreed(speaks(2, 2), speaks(1, 1)) == 0);
  CHECK(agreed(speaks(1, 1), speaks(2, 2)) == 0);
}

TEST_CASE("session: where no version is spoken by both, the refusal names both sides' values") {
  Hello newer = hello(Role::client, "c");
  newer.lowest_version = 7;
  newer.highest_version = 9;
  Session s(hello(Role::storage, "c"), {});
  feed(s, RequestId{}, newer);
  const auto r = s.next();
  REQUIRE(!r);
  CHECK(r.error().code == Errc::wrong_version);
  CHECK(r.error().detail == "this side speaks versions 2 to 2, the peer 7 to 9");
  CHECK(s.version() == hello_version);
}

TEST_CASE(
    "session: a message of a newer version than was agreed on is refused, one of an older version "
    "is understood") {
  Hello two = hello(Role::client, "c");
  two.highest_version = 2;
  Session s(two, {});
  two.role = Role::sequencer;
  feed(s, RequestId{}, two);
  REQUIRE(s.next());
  CHECK(s.version() == 2);
  for (const std::uint8_t version : {1, 2}) {
    const Encoded e = encode(RequestId{1}, Status{}, version);
    feed(s, e.head);
    const auto r = s.next();
    REQUIRE(r);
    CHECK(r->has_value());
  }
  // Version 3 was not agreed on.
  const Encoded three = encode(RequestId{1}, Ping{}, 3);
  feed(s, three.head);
  const auto r = s.next();
  REQUIRE(!r);
  CHECK(r.error().code == Errc::wrong_version);
}

TEST_CASE("session: a client that names no cluster is taken; garbage is refused") {
  Session s(hello(Role::storage, "c"), {});
  feed(s, RequestId{}, hello(Role::client, ""));
  CHECK(s.next().has_value());
  Session g(hello(Role::storage, "c"), {});
  feed(g, Bytes::copy_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(!g.next().has_value());
}

namespace {

/// Every message that this program speaks, with default fields, in the order of their numbers.
std::vector<Message> every_message() {
  std::vector<Message> all;
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  if (since <= protocol_highest) all.emplace_back(Name{});
#include "proto-spec/messages.def"
  return all;
}

/// The direction of a message as messages.def spells it, for example "client_to_storage".
std::string direction_of(MessageType t) {
  switch (t) {
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  case MessageType::Name:                              \
    return #direction;
#include "proto-spec/messages.def"
  }
  return "";
}

std::string word(Role r) { return r == Role::storage ? "storage" : std::string(name_of(r)); }

/// Reads a direction independently of may_send(), so that the two readings check each other.
bool says(const std::string& direction, Role from, Role to) {
  const auto at = direction.find("_to_");
  const auto fits = [](const std::string& side, Role r) {
    return side == "any" || side == word(r) || (side == "server" && r != Role::client);
  };
  return fits(direction.substr(0, at), from) && fits(direction.substr(at + 4), to);
}

}  // namespace

TEST_CASE("session: a message against its direction is refused before any core sees it (Z7, Z8)") {
  constexpr Role roles[] = {Role::client, Role::sequencer, Role::storage};
  std::size_t refused = 0, taken = 0;
  // Every message in every direction: the session must refuse exactly the directions that the table
  // does not name.
  for (const Role to : roles)
    for (const Role from : roles)
      for (const Message& m : every_message()) {
        if (std::holds_alternative<Hello>(m)) continue;
        CAPTURE(name_of(type_of(m)));
        CAPTURE(word(from));
        CAPTURE(word(to));
        Session s(hello(to, "c"), {});
        feed(s, RequestId{}, hello(from, "c"));
        REQUIRE(s.next());
        feed(s, RequestId{1}, m);
        const auto r = s.next();
        const bool may = says(direction_of(type_of(m)), from, to);
        CHECK(may == may_send(from, to, type_of(m)));
        CHECK(r.has_value() == may);
        ++(may ? taken : refused);
        if (!r) CHECK(r.error().code == Errc::unexpected_message);
      }
  CHECK(taken > 100);
  CHECK(refused > 300);
}

TEST_CASE("session: only a leader seals, and only sequencers speak Raft (Z7, Z8)") {
  CHECK(may_send(Role::sequencer, Role::storage, MessageType::Seal));
  CHECK_FALSE(may_send(Role::client, Role::storage, MessageType::Seal));
  CHECK_FALSE(may_send(Role::storage, Role::storage, MessageType::Seal));
  CHECK(may_send(Role::sequencer, Role::sequencer, MessageType::AppendEntries));
  CHECK_FALSE(may_send(Role::client, Role::sequencer, MessageType::AppendEntries));
  CHECK_FALSE(may_send(Role::storage, Role::sequencer, MessageType::RequestVote));
  CHECK_FALSE(may_send(Role{0}, Role::storage, MessageType::Ping));
  CHECK_FALSE(may_send(Role::client, Role::storage, MessageType{0}));
  Session s(hello(Role::storage, "c"), {});
  feed(s, RequestId{}, hello(Role::client, "c"));
  REQUIRE(s.next());
  feed(s, RequestId{1}, Seal{{}, Term{0xFFFFFFFF}, {}, {}});
  const auto r = s.next();
  // The refusal names sender, message and receiver.
  REQUIRE(!r);
  CHECK(r.error().detail == "a client may not send Seal to a storage node");
}

TEST_CASE("session: before the hello 8 KiB are taken, and no room is made for more (Z14)") {
  Session s(hello(Role::storage, "c"), {});
  CHECK(s.writable().size() <= hello_size_max);
  Encoded e = encode(RequestId{}, hello(Role::client, "c"));
  // The header claims a body of this size.
  store_le(e.head.mutable_data() + 4, std::uint32_t{hello_size_max});
  feed(s, e.head);
  const auto refused = s.next();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::message_too_large);

  // After the hello the limit is that of a whole message.
  Session known(hello(Role::storage, "c"), {});
  feed(known, RequestId{}, hello(Role::storage, "c"));
  REQUIRE(known.next());
  feed(known, RequestId{1}, Failed{Errc::unavailable, std::string(text_max, 'x')});
  auto r = known.next();
  REQUIRE(r);
  CHECK(r->has_value());
  const Encoded large = encode(RequestId{2}, RunIs{LogId{1}, {}, Bytes::allocate(1u << 20)});
  feed(known, large.head);
  REQUIRE(known.next());  // makes room for the whole message
  CHECK(known.has_part());
  feed(known, large.tail);
  r = known.next();
  REQUIRE(r);
  CHECK(r->has_value());
  CHECK_FALSE(known.has_part());
  feed(known, encode(RequestId{}, Ping{}).head.slice(0, 5));
  CHECK(known.has_part());
}
