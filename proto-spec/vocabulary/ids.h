// Numbers of the protocol as distinct types, so that a Term is never passed as an Offset by
// accident. Every message, record and core uses them.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace loglog {

/// A number with a type of its own: ordered, hashable, converted explicitly in both directions.
/// Arithmetic exists only for the operators declared below.
template <class Tag, class Rep>
struct Strong {
  using rep = Rep;
  Rep value{};

  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
};

/// A leader's reign over a log. 0 = none. Only a committed BeginTerm mints a term (T1).
using Term = Strong<struct TermTag, std::uint32_t>;
/// Byte position in a log. An entry's id is the offset of its frame. Segment headers do not count.
using Offset = Strong<struct OffsetTag, std::uint64_t>;
/// Number of an entry within its producer and log: starts at 1, grows by 1. 0 = none.
using Sequence = Strong<struct SequenceTag, std::uint64_t>;
/// A writing session of an SDK client on a log: random, never stored, never reused. 0 = the
/// leader's own frames.
using ProducerId = Strong<struct ProducerIdTag, std::uint64_t>;
/// A log. The metadata give an id once and never reuse it (T5). 0 = no log; in `Seal`, all logs of
/// the node.
using LogId = Strong<struct LogIdTag, std::uint64_t>;
/// A storage node, as the operator numbers it. 0 = none.
using NodeId = Strong<struct NodeIdTag, std::uint32_t>;
/// A sequencer, as the operator numbers it. 0 = none.
using SequencerId = Strong<struct SequencerIdTag, std::uint32_t>;
/// Random identity of a data directory. With the node id it makes a member of a replica set (T4).
using DiskId = Strong<struct DiskIdTag, std::uint64_t>;
/// Random identity of a cluster. 0 = the node has adopted none yet.
using ClusterId = Strong<struct ClusterIdTag, std::uint64_t>;
/// Random id of a process, drawn at each start.
using BootId = Strong<struct BootIdTag, std::uint64_t>;
/// Random id of a leader's reign. A node binds a term to the first instance that seals with it
/// (T1).
using InstanceId = Strong<struct InstanceIdTag, std::uint64_t>;
/// XXH3-64 over bytes 0-31 of a run's prefixes, with term zero (D3, F4).
using RunDigest = Strong<struct RunDigestTag, std::uint64_t>;
/// Running XXH3-64 over stamped prefixes, from the log's first frame on (F4, compared by D4). 0 =
/// empty log.
using Chain = Strong<struct ChainTag, std::uint64_t>;
/// Raft term of the sequencers; unrelated to a log's Term.
using RaftTerm = Strong<struct RaftTermTag, std::uint64_t>;
/// Position in the sequencers' Raft log; the first is 1. Also used as the version of the metadata.
using RaftIndex = Strong<struct RaftIndexTag, std::uint64_t>;
/// Number of a record in a storage node's journal: starts at 1, grows by 1 (J5). 0 = none.
using RecordNumber = Strong<struct RecordNumberTag, std::uint64_t>;
/// Orders the writers of a log that has a single writer at a time: the higher token belongs to the
/// newer writer (F2). 0 = the writer names no token.
using FenceToken = Strong<struct FenceTokenTag, std::uint64_t>;
/// Random id of a request to change the metadata, the same in each repeat of the request (T6). 0 =
/// none.
using ChangeId = Strong<struct ChangeIdTag, std::uint64_t>;
/// A connection, numbered by the driver that owns it; never reused within a process. 0 = none.
using ConnectionId = Strong<struct ConnectionIdTag, std::uint64_t>;
/// Pairs an answer with its request on a connection. 0 = the sender expects no answer.
using RequestId = Strong<struct RequestIdTag, std::uint32_t>;

/// The absent offset, for example the previous term start of a log's first term.
inline constexpr Offset no_offset{std::numeric_limits<std::uint64_t>::max()};

constexpr Offset operator+(Offset o, std::uint64_t bytes) { return Offset{o.value + bytes}; }
constexpr std::uint64_t operator-(Offset a, Offset b) { return a.value - b.value; }
constexpr Offset& operator+=(Offset& o, std::uint64_t bytes) {
  o.value += bytes;
  return o;
}
constexpr Sequence operator+(Sequence s, std::uint64_t n) { return Sequence{s.value + n}; }
constexpr std::uint64_t operator-(Sequence a, Sequence b) { return a.value - b.value; }
constexpr Term operator+(Term t, std::uint32_t n) { return Term{t.value + n}; }
constexpr FenceToken operator+(FenceToken t, std::uint64_t n) { return FenceToken{t.value + n}; }
constexpr RaftTerm operator+(RaftTerm t, std::uint64_t n) { return RaftTerm{t.value + n}; }
constexpr RaftIndex operator+(RaftIndex i, std::uint64_t n) { return RaftIndex{i.value + n}; }
constexpr RaftIndex operator-(RaftIndex i, std::uint64_t n) { return RaftIndex{i.value - n}; }
constexpr RecordNumber operator+(RecordNumber r, std::uint64_t n) {
  return RecordNumber{r.value + n};
}
constexpr RecordNumber operator-(RecordNumber r, std::uint64_t n) {
  return RecordNumber{r.value - n};
}

}  // namespace loglog

template <class Tag, class Rep>
struct std::hash<loglog::Strong<Tag, Rep>> {
  std::size_t operator()(loglog::Strong<Tag, Rep> s) const noexcept {
    return std::hash<Rep>{}(s.value);
  }
};
