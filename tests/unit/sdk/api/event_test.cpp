// Events as the application gets them: names, words, the translation of the core's events, and the
// bound on events that wait for an executor.
#include <doctest/doctest.h>
#include <loglog/event.h>

#include <functional>
#include <vector>

#include "sdk/api/client_state.h"

using namespace loglog;
using Kind = ClientEvent::Kind;

TEST_CASE("an event of the core reaches the application with all its values") {
  std::vector<ClientEvent> got;
  ClientOptions options;
  CHECK_FALSE(listener(options, nullptr));  // nobody listens
  options.on_event = [&got](const ClientEvent& e) { got.push_back(e); };
  const auto tell = listener(options, nullptr);
  tell({.kind = client::Event::Kind::replica_slow,
        .role = Role::storage,
        .node = 2,
        .address = "10.0.0.5:7071",
        .log = LogId{7},
        .why = Error{Errc::no_space, {}}});
  tell({.kind = client::Event::Kind::unreachable,
        .address = "10.0.0.6:7071",
        .why = Error{Errc::connection_lost, "connection refused"}});
  tell({.kind = client::Event::Kind::leader_changed, .role = Role::sequencer, .node = 3});
  REQUIRE(got.size() == 3);
  CHECK(got[0].kind == Kind::replica_slow);
  CHECK(got[0].role == ClientEvent::Role::storage);
  CHECK(got[0].node == 2);
  CHECK(got[0].log == 7);
  CHECK(got[0].error.code == Errc::no_space);
  CHECK(got[0].text() ==
        "replica_slow: storage node 2 (10.0.0.5:7071), log 7: " + got[0].error.message);
  CHECK(got[1].role == ClientEvent::Role::unknown);
  CHECK(got[1].text().starts_with("unreachable: 10.0.0.6:7071: "));
  CHECK(got[1].text().find("connection refused") != std::string::npos);
  CHECK(got[2].error.code == Errc::ok);
  CHECK(got[2].text() == "leader_changed: sequencer 3");
}

TEST_CASE("each kind has a name, and a kind of a later version is named as unknown") {
  const std::vector<std::pair<Kind, std::string_view>> names = {
      {Kind::connected, "connected"},       {Kind::connection_lost, "connection_lost"},
      {Kind::unreachable, "unreachable"},   {Kind::leader_changed, "leader_changed"},
      {Kind::replica_slow, "replica_slow"}, {static_cast<Kind>(200), "unknown_event"}};
  for (const auto& [kind, name] : names) CHECK(ClientEvent{.kind = kind}.name() == name);
}

TEST_CASE("events beyond a thousand that wait for an executor are dropped, later events are not") {
  std::vector<std::function<void()>> held;
  std::size_t told = 0;
  ClientOptions options;
  options.on_event = [&told](const ClientEvent&) { ++told; };
  const auto tell = listener(
      options, std::make_shared<CallbackQueue>([&held](auto f) { held.push_back(std::move(f)); }));
  for (int i = 0; i < 1500; ++i) tell({.kind = client::Event::Kind::connected});
  for (auto& f : std::exchange(held, {})) f();
  CHECK(told == 1000);
  tell({.kind = client::Event::Kind::connected});
  for (auto& f : std::exchange(held, {})) f();
  CHECK(told == 1001);
}
