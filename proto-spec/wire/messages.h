// The messages of the protocol as structs, generated from proto-spec/messages.def, with a visitor
// over the fields of each. The meaning of messages and fields stands in that table; encoding is in
// codec.h and field_codec.h.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/errors.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/quorum.h"

namespace loglog {

/// The part that a process plays on a connection.
enum class Role : std::uint8_t { client = 1, sequencer = 2, storage = 3 };
/// State of a log in the metadata (T5): all members have to join before it is open.
enum class LogState : std::uint8_t { creating = 1, open = 2, deleting = 3 };
/// How an append becomes durable. `sync` (fdatasync before the acknowledgement) is the only mode.
enum class Durability : std::uint8_t { sync = 0 };
/// A replica as the leader sees it. streaming: takes orders. lagging: is being repaired, or waits
/// for it. suspect: has a hole (K4). newcomer: the node has a new disk that is not the log's member
/// yet, and from which nothing can be recovered (C1). full: takes orders, but its disk gives no
/// space, so the node refuses uploads (K5).
enum class ReplicaState : std::uint8_t {
  streaming = 1,
  lagging = 2,
  suspect = 3,
  unreachable = 4,
  newcomer = 5,
  full = 6
};
/// The cluster as its users experience it. healthy: all nodes and replicas are there. degraded:
/// appends and reads go on with less to spare. not_serving: appends to some log, or to all, wait or
/// are refused.
enum class Health : std::uint8_t { healthy = 1, degraded = 2, not_serving = 3 };
/// warning: all goes on, with less margin. critical: some service has stopped, or data was lost.
enum class Severity : std::uint8_t { warning = 1, critical = 2 };
/// A storage node as the leader sees it. foreign_disk and data_loss: the node answers but counts as
/// down (T4). refuses_leader: the node closed the connection, because the leader's metadata went
/// back (T2).
enum class NodeCondition : std::uint8_t {
  up = 1,
  lagging = 2,
  suspect = 3,
  unreachable = 4,
  foreign_disk = 5,
  data_loss = 6,
  refuses_leader = 7
};
/// A sequencer's part in Raft, for status.
enum class RaftRole : std::uint8_t { follower = 1, candidate = 2, leader = 3 };

/// "LogLog\r\n" read as a little-endian integer. The first message shows by it that the peer speaks
/// this protocol.
inline constexpr std::uint64_t hello_magic = 0x0A0D676F4C676F4CULL;
/// Protocol versions that this build speaks (W7), in wire/protocol_versions.cpp.
extern const std::uint8_t protocol_lowest;
extern const std::uint8_t protocol_highest;
/// Records that are replicated or kept have this version until a cluster is raised (T7).
inline constexpr std::uint8_t record_version_first = 1;
/// Highest version of records that this build reads (T7), in wire/protocol_versions.cpp.
extern const std::uint8_t record_version_highest;
/// The version in which Hello is sent for ever, so that any two versions understand each other's.
inline constexpr std::uint8_t hello_version = 1;

/// Message numbers on the wire; never reused.
enum class MessageType : std::uint8_t {
#define LOGLOG_MESSAGE(number, Name, direction, since) Name = number,
#include "proto-spec/messages.def"
};

#define LOGLOG_RECORD(Name) \
  struct Name {             \
    bool operator==(const Name&) const = default;
#define LOGLOG_END_RECORD \
  }                       \
  ;
#define LOGLOG_FIELD(type, name) type name{};
#define LOGLOG_FIELD_SINCE(version, type, name) type name{};
#define LOGLOG_TAIL(name) Bytes name{};
#define LOGLOG_MESSAGE(number, Name, direction, since)     \
  struct Name {                                            \
    static constexpr MessageType type = MessageType::Name; \
    static constexpr std::uint8_t since_version = since;   \
    bool operator==(const Name&) const = default;
#define LOGLOG_END_MESSAGE LOGLOG_END_RECORD
#include "proto-spec/messages.def"

/// The protocol version of a visitor of fields; a visitor without a `version` sees all fields.
template <class F>
constexpr std::uint8_t version_spoken(const F& f) {
  if constexpr (requires { f.version; }) return f.version;
  else return 255;
}
/// The record version of a visitor that is at the fields of a record; 0: the visitor is at a
/// message.
template <class F>
constexpr std::uint8_t record_version_of(const F& f) {
  if constexpr (requires { f.record; }) return f.record;
  else return 0;
}

/// for_each_field(m, f) calls `f(name, field)` for each field of a message or record in wire order,
/// and `f.tail(name, bytes)` for a tail.
#define LOGLOG_RECORD(Name) \
  template <class F>        \
  void for_each_field([[maybe_unused]] Name& m, [[maybe_unused]] F& f) {
#define LOGLOG_END_RECORD }
#define LOGLOG_FIELD(type, name) f(#name, m.name);
#define LOGLOG_FIELD_SINCE(since, type, name) \
  if (version_spoken(f) >= (since)) f(#name, m.name);
#define LOGLOG_RECORD_FIELD_SINCE(since_record, since, type, name) \
  if (version_spoken(f) >= (since) || record_version_of(f) >= (since_record)) f(#name, m.name);
#define LOGLOG_TAIL(name) f.tail(#name, m.name);
#define LOGLOG_MESSAGE(number, Name, direction, since) LOGLOG_RECORD(Name)
#define LOGLOG_END_MESSAGE LOGLOG_END_RECORD
#include "proto-spec/messages.def"

/// The variant behind Message; use Message.
using MessageVariant = std::variant<std::monostate
#define LOGLOG_MESSAGE(number, Name, direction, since) , Name
#include "proto-spec/messages.def"
                                    >;

/// Any message; std::monostate: none. It is a class whose special members are compiled once, in
/// messages.cpp. A mere variant would instantiate them in every source file, at several times the
/// compile time of the rest.
class Message : public MessageVariant {
 public:
  Message() noexcept;
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  Message(Name m) noexcept; /* NOLINT(google-explicit-constructor): every message is a Message */
#include "proto-spec/messages.def"
  Message(const Message&);
  Message(Message&&) noexcept;
  Message& operator=(const Message&);
  Message& operator=(Message&&) noexcept;
  ~Message();
  bool operator==(const Message&) const;
};

/// The number of the message held; 0 for std::monostate.
MessageType type_of(const Message& m);
/// Name of a message number; "" for a number that no message has.
std::string_view name_of(MessageType t);
/// Lower-case words that status, pages and figures use. "" for a value that this build does not
/// know.
std::string_view name_of(ReplicaState s);
std::string_view name_of(NodeCondition c);
std::string_view name_of(Health h);
std::string_view name_of(Severity s);

/// The quorums of a log (C2).
inline Quorum quorum_of(const LogInfo& l) { return {l.members.size(), l.options.write_quorum}; }

/// Combines lambdas into a visitor for std::visit.
template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

}  // namespace loglog
