// What the storage node's core asks its driver to do, and what the driver tells it back. The core
// decides and does nothing itself; the driver performs and decides nothing. One driver is libuv
// with a file engine, the other is the simulator.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::storage {

// ---- Disk: operations on one log run strictly one after the other, in the order given (the log's
// strand);
//      operations of different logs, and node-wide ones (log 0), may overlap. Each one is answered
//      by one DiskDone. Files: <data>/logs/<log id>/<first offset>.seg (proto-spec/disk/segment.h),
//      `promise` and `info` beside them.

/// Create (or re-create empty) the directory of a log, with its `info` (encoded LogInfo) and
/// `promise` files; durable together with the parent directory.
struct MakeLog {
  LogId log;
  Bytes info;
};
/// The prepared `next` file becomes a segment file, durable with its directory entry before
/// DiskDone. It takes no space (K5): the core asks for it only after PrepareNext. If the directory
/// needs a block for the name and the disk is full, the driver tries again each second and says
/// StorageMachine::opening_waits().
struct OpenSegment {
  LogId log;
  Offset first;
  Bytes header;  ///< 4096 bytes
};
/// Make the `next` file ready, of at least `size` bytes (header included): full of zeros that are
/// written, with the space only reserved, or with the bytes of a segment that was trimmed (K6). Not
/// on the log's strand, and never under way together with an OpenSegment of the log.
struct PrepareNext {
  LogId log;
  std::uint64_t size;
  bool reserve_only = false;
};
/// Reserve space for the open segment up to `size` bytes of file; the bytes there are zeros. Not on
/// the log's strand: groups are written below the size that the file had.
struct GrowSegment {
  LogId log;
  Offset first;
  std::uint64_t size;
  bool reserve_only = false;  ///< no zeros are written
};
/// Cut a segment file to its length (it will never be written again); not durable by itself, the
/// next sync covers it.
struct CloseSegment {
  LogId log;
  Offset first;
  std::uint64_t length;  ///< bytes of frames
};
/// Group commit: write `buffers` one after the other at `position`, and the marks slot (if not
/// empty) at `marks_position`; then one fdatasync when `sync`.
struct WriteGroup {
  LogId log;
  Offset first;            ///< names the segment file
  std::uint64_t position;  ///< file position of the first byte
  std::vector<Bytes> buffers;
  std::uint64_t marks_position = 0;
  Bytes marks;
  bool sync = true;
};
/// Cut the log to end at `tail` (the last one kept is the file `first`, 0 bytes of frames allowed):
/// unlink the segments after it, overwrite everything past the tail in that file with zeros, keep
/// its size; durable before DiskDone. With `everything`: unlink all segments.
struct TruncateLog {
  LogId log;
  bool everything = false;
  Offset first;
  std::uint64_t length = 0;  ///< bytes of frames kept in that file
};
/// Unlink these segment files; sync the directory.
struct UnlinkSegments {
  LogId log;
  std::vector<Offset> firsts;
  /// All that they hold lies below what the log is still to get: a PrepareNext may use them again
  /// (K6). Not on the log's strand, since removing large files takes long.
  bool trimmed = false;
};
/// Remove the log's folder with all that is in it; durable. Its id stands in the tombstones before
/// (T5).
struct DropLog {
  LogId log;
};
/// Read bytes of frames at a file position; on the driver's side off the loop. Answered with `data`
/// (perhaps shorter at the end of the file). Not ordered with the strand: the core reads only what
/// was written.
struct ReadSegment {
  LogId log;
  Offset first;
  std::uint64_t position;
  std::uint32_t length;
};
/// Overwrite a damaged range with good bytes from a peer (K4) and fdatasync.
struct RepairSegment {
  LogId log;
  Offset first;
  std::uint64_t position;
  Bytes data;
};
/// Write one 512-byte slot of a promise file (log 0: node-wide) at slot index counter % 2, and
/// fdatasync.
struct SavePromise {
  LogId log;
  std::uint64_t counter;
  Bytes slot;
};
/// Replace a small file of the node atomically (write, fsync, rename, fsync directory): "identity"
/// or "metadata".
struct SaveFile {
  std::string name;
  Bytes data;
};

/// Write one slot of the node's tombstones at slot index counter % 2, and fdatasync.
struct SaveTombstones {
  std::uint64_t counter;
  Bytes slot;
};

using DiskOperation = std::variant<MakeLog, OpenSegment, PrepareNext, GrowSegment, CloseSegment,
                                   WriteGroup, TruncateLog, UnlinkSegments, DropLog, ReadSegment,
                                   RepairSegment, SavePromise, SaveFile, SaveTombstones>;

/// Chosen by the core; unique per process.
using Ticket = Strong<struct TicketTag, std::uint64_t>;

struct DiskRequest {
  Ticket ticket;
  DiskOperation operation;
};

/// Operations that may fail: reads, and what asks for space and changes nothing before it has it
/// (K5). They come back with no_space or io_error. Any other failure is fatal for the process (K2):
/// nothing further is delivered to the core.
inline bool may_fail(const DiskOperation& op) {
  if (const auto* file = std::get_if<SaveFile>(&op))
    return file->name == "metadata";  // a copy: the leader has it
  return std::holds_alternative<ReadSegment>(op) || std::holds_alternative<PrepareNext>(op) ||
         std::holds_alternative<GrowSegment>(op) || std::holds_alternative<MakeLog>(op);
}
/// The log whose strand an operation waits for; log 0: the node's own.
inline LogId strand_of(const DiskOperation& op) {
  return std::visit(
      [](const auto& o) {
        if constexpr (requires { o.log; }) return o.log;
        else return LogId{};
      },
      op);
}
/// Operations that do not wait for the log's strand, nor it for them.
inline bool beside_strand(const DiskOperation& op) {
  if (const auto* unlink = std::get_if<UnlinkSegments>(&op)) return unlink->trimmed;
  return std::holds_alternative<ReadSegment>(op) || std::holds_alternative<PrepareNext>(op) ||
         std::holds_alternative<GrowSegment>(op);
}

struct DiskDone {
  Ticket ticket;
  Errc error = Errc::ok;
  Bytes data;          ///< ReadSegment
  std::string detail;  ///< of an error, for people
};

// ---- Network

struct Send {
  ConnectionId to;
  RequestId request;
  Message message;
};
/// Open a connection to a peer storage node (copying only). Answered by Connected or ConnectFailed
/// with the same key.
struct ConnectPeer {
  NodeId node;
  std::string address;
};
/// Close a connection; `why` goes out as a Failed with request id 0 first when not ok.
struct CloseConnection {
  ConnectionId connection;
  Error why;
};

/// One readable line for people; kind is stable for tests and counters.
struct Event {
  enum class Level : std::uint8_t { debug, info, warning, alarm } level;
  std::string text;
};

/// What one step produced. Perform in this order: events, disk, sends, connects, closes. Reused:
/// clear() keeps capacity.
struct Output {
  std::vector<Event> events;
  std::vector<DiskRequest> disk;
  std::vector<Send> sends;
  std::vector<ConnectPeer> connects;
  std::vector<CloseConnection> closes;
  /// When tick() is wanted next at the latest; never: not at all.
  Time wake = never;

  void clear() {
    events.clear();
    disk.clear();
    sends.clear();
    connects.clear();
    closes.clear();
    wake = never;
  }
};

// ---- Input (beside DiskDone and tick)

/// Of the file system that the data directory lies on.
struct DiskSpace {
  std::uint64_t free_bytes = 0;  ///< for the user that the node runs as
  std::uint64_t size_bytes = 0;  ///< 0: not known
};

/// A connection is up and both hellos are exchanged and acceptable (version, cluster, role; session
/// layer).
struct Connected {
  ConnectionId connection;
  Hello peer;
  NodeId dialled{};  ///< set when it answers a ConnectPeer
};
struct ConnectFailed {
  NodeId node;
};
struct Disconnected {
  ConnectionId connection;
};
/// Messages that were sent there have left the process; `bytes` counts their tails only: frames of
/// pages, copies and runs.
struct Written {
  ConnectionId to;
  std::uint64_t bytes = 0;
};
struct Arrived {
  ConnectionId from;
  RequestId request;
  Message message;
};

}  // namespace loglog::storage
