// The messages of the protocol as structs, made from proto-spec/messages.def.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/errors.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog {

/// Which part of the system a process plays on a connection.
enum class Role : std::uint8_t { client = 1, sequencer = 2, storage = 3 };
enum class LogState : std::uint8_t { creating = 1, open = 2, deleting = 3 };
enum class Durability : std::uint8_t { sync = 0, relaxed = 1 };
enum class ReplicaState : std::uint8_t { streaming = 1, lagging = 2, suspect = 3, unreachable = 4 };
enum class NodeState : std::uint8_t { up = 1, lagging = 2, suspect = 3, unreachable = 4 };
enum class RaftRole : std::uint8_t { follower = 1, candidate = 2, leader = 3 };

/// "LogLog\r\n" read as a little-endian integer: a first message that says what is spoken here.
inline constexpr std::uint64_t hello_magic = 0x0A0D676F4C676F4CULL;
/// Protocol versions this build speaks.
inline constexpr std::uint8_t protocol_lowest = 1;
inline constexpr std::uint8_t protocol_highest = 1;

enum class MessageType : std::uint8_t {
#define RECORD(Name)
#define END_RECORD
#define FIELD(type, name)
#define TAIL(name)
#define MESSAGE(number, Name, direction, since) Name = number,
#define END_MESSAGE
#include "proto-spec/messages.def"
#undef MESSAGE
#undef RECORD
#undef END_RECORD
#undef FIELD
#undef TAIL
#undef END_MESSAGE
};

#define RECORD(Name) \
  struct Name {      \
    bool operator==(const Name&) const = default;
#define END_RECORD \
  }                \
  ;
#define FIELD(type, name) type name{};
#define TAIL(name) Bytes name{};
#define MESSAGE(number, Name, direction, since)            \
  struct Name {                                            \
    static constexpr MessageType type = MessageType::Name; \
    bool operator==(const Name&) const = default;
#define END_MESSAGE \
  }                 \
  ;
#include "proto-spec/messages.def"
#undef RECORD
#undef END_RECORD
#undef FIELD
#undef TAIL
#undef MESSAGE
#undef END_MESSAGE

/// Calls `f(name, field)` for each field of a message or record in wire order; a tail as `f.tail(name, bytes)`.
#define RECORD(Name)                               \
  template <class F>                               \
  void for_each_field([[maybe_unused]] Name& m, [[maybe_unused]] F& f) {
#define END_RECORD }
#define FIELD(type, name) f(#name, m.name);
#define TAIL(name) f.tail(#name, m.name);
#define MESSAGE(number, Name, direction, since) RECORD(Name)
#define END_MESSAGE END_RECORD
#include "proto-spec/messages.def"
#undef RECORD
#undef END_RECORD
#undef FIELD
#undef TAIL
#undef MESSAGE
#undef END_MESSAGE

/// Any message. std::monostate: none.
using Message = std::variant<std::monostate
#define RECORD(Name)
#define END_RECORD
#define FIELD(type, name)
#define TAIL(name)
#define MESSAGE(number, Name, direction, since) , Name
#define END_MESSAGE
#include "proto-spec/messages.def"
#undef RECORD
#undef END_RECORD
#undef FIELD
#undef TAIL
#undef MESSAGE
#undef END_MESSAGE
                             >;

/// Name of a message number, "" when there is none.
std::string_view name_of(MessageType t);

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

}  // namespace loglog
