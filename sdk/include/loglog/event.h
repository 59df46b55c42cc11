// Events: changes in a client's view of its cluster. Part of <loglog/client.h>.
#pragma once
#include <loglog/error.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// A change in a client's view of its cluster, as ClientOptions::on_event gets it. Events are for
/// logs and monitors: the client reacts to each by itself, and no event says whether a call
/// succeeds. A value; owns its strings.
struct ClientEvent {
  /// The kind decides which fields are valid. Numbers and names are stable; a later version adds
  /// kinds, so a program must expect kinds that it does not know.
  enum class Kind : std::uint8_t {
    /// A connection to a node is up. Fields: address, role, node.
    connected = 1,
    /// A connection that was up has ended; the client connects again after a pause. Fields:
    /// address, role, node, error. Not told of connections that Client::close() ends.
    connection_lost = 2,
    /// A node cannot be reached; the client goes on trying. Told once, until a connection to the
    /// address is up again. Fields: address, error; role and node if they are known.
    unreachable = 3,
    /// The client has learned which sequencer leads: for the first time, or another than before.
    /// Fields: role (sequencer), node; address if it is known.
    leader_changed = 4,
    /// A storage node delays this client's appends. It refuses uploads (error.code busy: its memory
    /// is full; no_space: its disk is full), or it was so slow to take a committed run that the
    /// client has closed the connection (connection_lost). Told at most once a second for each
    /// node. Fields: role (storage), node, address, log, error.
    replica_slow = 5,
  };
  /// Kinds of nodes.
  enum class Role : std::uint8_t { unknown = 0, sequencer = 1, storage = 2 };

  Kind kind{};               ///< what happened
  Role role{};               ///< kind of the node; unknown: the client never reached it
  std::uint32_t node = 0;    ///< id that the node was started with; 0: not known
  std::string address = {};  ///< HOST:PORT that the client uses for the node; empty: not known
  std::uint64_t log = 0;     ///< LogDetails::id; 0: no single log is concerned
  CallError error = {};      ///< the cause; code ok if there is none

  /// Name of the kind, for example "leader_changed"; "unknown_event" for a kind without a name.
  std::string_view name() const;
  /// The event as a line for people, without a line end; may change.
  std::string text() const;
};

}  // namespace loglog
