// ClientEvent: its words, and how it is made of an event of the core. The numbers of its kinds and
// roles are the application's, so each is translated by name.
#include <fmt/format.h>
#include <loglog/event.h>

#include <atomic>
#include <cstddef>

#include "sdk/api/client_state.h"

namespace loglog {
namespace {

/// Most events of a client that wait for its executor; further events are dropped (spec/09).
constexpr std::size_t events_waiting_max = 1000;

ClientEvent::Kind to_kind(client::Event::Kind k) {
  switch (k) {
    case client::Event::Kind::connected:
      return ClientEvent::Kind::connected;
    case client::Event::Kind::connection_lost:
      return ClientEvent::Kind::connection_lost;
    case client::Event::Kind::unreachable:
      return ClientEvent::Kind::unreachable;
    case client::Event::Kind::leader_changed:
      return ClientEvent::Kind::leader_changed;
    case client::Event::Kind::replica_slow:
      return ClientEvent::Kind::replica_slow;
  }
  return {};
}

ClientEvent::Role to_role(Role r) {
  if (r == Role::sequencer) return ClientEvent::Role::sequencer;
  return r == Role::storage ? ClientEvent::Role::storage : ClientEvent::Role::unknown;
}

/// For example "storage node 2 (10.0.0.5:7071)".
std::string node_of(const ClientEvent& e) {
  if (e.role == ClientEvent::Role::unknown || e.node == 0) return e.address;
  const std::string id = fmt::format(
      "{} {}", e.role == ClientEvent::Role::sequencer ? "sequencer" : "storage node", e.node);
  return e.address.empty() ? id : fmt::format("{} ({})", id, e.address);
}

}  // namespace

client::ClientDriver::OnEvent listener(const ClientOptions& options,
                                       std::shared_ptr<CallbackQueue> callbacks) {
  if (!options.on_event) return {};
  return [on_event = options.on_event, callbacks = std::move(callbacks),
          waiting = std::make_shared<std::atomic<std::size_t>>(0)](client::Event&& e) {
    ClientEvent event{to_kind(e.kind), to_role(e.role),
                      e.node,          std::move(e.address),
                      e.log.value,     e.why.code == Errc::ok ? CallError{} : to_call_error(e.why)};
    if (!callbacks) return call_back([&] { on_event(event); });
    if (*waiting >= events_waiting_max) return;
    ++*waiting;
    callbacks->run([on_event, waiting, event = std::move(event)] {
      --*waiting;
      on_event(event);
    });
  };
}

std::string_view ClientEvent::name() const {
  switch (kind) {
    case Kind::connected:
      return "connected";
    case Kind::connection_lost:
      return "connection_lost";
    case Kind::unreachable:
      return "unreachable";
    case Kind::leader_changed:
      return "leader_changed";
    case Kind::replica_slow:
      return "replica_slow";
  }
  return "unknown_event";
}

std::string ClientEvent::text() const {
  std::string out = fmt::format("{}: {}", name(), node_of(*this));
  if (log != 0) out += fmt::format(", log {}", log);
  if (!error.message.empty()) out += fmt::format(": {}", error.message);
  return out;
}

}  // namespace loglog
