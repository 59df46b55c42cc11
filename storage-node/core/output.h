// The interface between the storage node's core and its driver: effects that the core requests, and
// results that the driver hands back. The core decides and does nothing itself; the driver performs
// and decides nothing. Drivers are io/uv_storage_driver.h and the simulator.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto-spec/session/net.h"
#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::storage {

// ---- Disk. Operations of one log run strictly one after the other, in the order given: the log's
// strand. Operations of different logs, and node-wide operations (log 0), may overlap. Each
// operation is answered by one DiskDone. Files: <data>/logs/<log id>/<first offset>.seg
// (proto-spec/disk/segment.h), with `promise` and `info` beside them. Positions and sizes are in
// bytes.

/// Create the folder of a log, or re-create it empty, with its files `info` (encoded LogInfo) and
/// `promise`. Durable together with the parent folder before DiskDone.
struct MakeLog {
  LogId log;
  Bytes info;
};
/// Turn the prepared `next` file into a segment file. It is durable with its directory entry before
/// DiskDone. The operation takes no space (K5), because the core requests it only after a
/// PrepareNext. If the directory needs a block for the name and the disk is full, the driver
/// repeats the operation every second and calls StorageMachine::opening_waits().
struct OpenSegment {
  LogId log;
  Offset first;
  /// 4096 bytes.
  Bytes header;
};
/// Prepare the `next` file with at least `size` bytes, header included. It is full of written
/// zeros, or has its space reserved only, or is the file of a trimmed segment with its old bytes
/// (K6). Runs beside the log's strand, but never together with an OpenSegment of the log.
struct PrepareNext {
  LogId log;
  std::uint64_t size;
  /// Only reserve the space. The caller expects large groups, for which zeros cost too much.
  bool reserve_only = false;
};
/// Reserve space for the open segment up to a file size of `size`; the new bytes read as zeros.
/// Runs beside the log's strand, because groups are written below the size that the file had
/// before.
struct GrowSegment {
  LogId log;
  Offset first;
  std::uint64_t size;
  /// Only reserve the space; write no zeros.
  bool reserve_only = false;
};
/// Cut a segment file that will never be written again to its length. Not durable by itself; the
/// next sync of the log covers it.
struct CloseSegment {
  LogId log;
  Offset first;
  /// Bytes of frames, without the header.
  std::uint64_t length;
};
/// Group commit: write `buffers` one after the other at `position`, then the marks slot at
/// `marks_position` unless `marks` is empty, then call fdatasync once if `sync`.
struct WriteGroup {
  LogId log;
  /// Names the segment file.
  Offset first;
  /// File position of the first byte of `buffers`.
  std::uint64_t position;
  std::vector<Bytes> buffers;
  std::uint64_t marks_position = 0;
  Bytes marks;
  bool sync = true;
};
/// Cut the log. The file `first` becomes the last file and keeps `length` bytes of frames (0 is
/// allowed). The driver unlinks the files after it and overwrites the rest of the file with zeros,
/// but keeps the file's size. Durable before DiskDone. With `everything`, the driver unlinks all
/// segment files.
struct TruncateLog {
  LogId log;
  bool everything = false;
  Offset first;
  /// Bytes of frames that stay in that file.
  std::uint64_t length = 0;
};
/// Unlink these segment files and sync the folder.
struct UnlinkSegments {
  LogId log;
  std::vector<Offset> firsts;
  /// The files were trimmed: the log will never write their offsets again, so a PrepareNext may use
  /// the files (K6). The operation then runs beside the strand, because removing large files takes
  /// long.
  bool trimmed = false;
};
/// Remove the log's folder with all its files, durably. The log's id is durable in the tombstones
/// before (T5).
struct DropLog {
  LogId log;
};
/// Read bytes of frames at a file position, off the driver's loop. DiskDone has the bytes in
/// `data`; they are fewer at the end of the file. Runs beside the strand: the core reads only bytes
/// whose write has ended.
struct ReadSegment {
  LogId log;
  Offset first;
  std::uint64_t position;
  std::uint32_t length;
};
/// Overwrite a damaged range with good bytes from a peer (K4), and fdatasync.
struct RepairSegment {
  LogId log;
  Offset first;
  std::uint64_t position;
  Bytes data;
};
/// Write a 512-byte slot of a promise file (log 0: the node-wide promise) at slot counter % 2, and
/// fdatasync.
struct SavePromise {
  LogId log;
  std::uint64_t counter;
  Bytes slot;
};
/// Replace a small file of the node atomically: write, fsync, rename, fsync of the folder. `name`
/// is "identity" or "metadata".
struct SaveFile {
  std::string name;
  Bytes data;
};

/// Write a slot of the node's tombstones at slot counter % 2, and fdatasync.
struct SaveTombstones {
  std::uint64_t counter;
  Bytes slot;
};

using DiskOperation = std::variant<MakeLog, OpenSegment, PrepareNext, GrowSegment, CloseSegment,
                                   WriteGroup, TruncateLog, UnlinkSegments, DropLog, ReadSegment,
                                   RepairSegment, SavePromise, SaveFile, SaveTombstones>;

/// Names a disk operation. The core chooses it; unique within a process.
using Ticket = Strong<struct TicketTag, std::uint64_t>;

struct DiskRequest {
  Ticket ticket;
  DiskOperation operation;
};

/// True if the operation may fail: a read, or a request for space that changes nothing before it
/// has the space (K5). DiskDone then says no_space or io_error. Any other failure ends the process
/// (K2), and the core hears of nothing more.
inline bool may_fail(const DiskOperation& op) {
  if (const auto* file = std::get_if<SaveFile>(&op))
    // The leader has the metadata; the file is only a copy.
    return file->name == "metadata";
  return std::holds_alternative<ReadSegment>(op) || std::holds_alternative<PrepareNext>(op) ||
         std::holds_alternative<GrowSegment>(op) || std::holds_alternative<MakeLog>(op);
}
/// The log whose strand the operation belongs to; log 0: the node's own strand.
inline LogId strand_of(const DiskOperation& op) {
  return std::visit(
      [](const auto& o) {
        if constexpr (requires { o.log; }) return o.log;
        else return LogId{};
      },
      op);
}
/// True if the operation neither waits for the log's strand nor delays it.
inline bool beside_strand(const DiskOperation& op) {
  if (const auto* unlink = std::get_if<UnlinkSegments>(&op)) return unlink->trimmed;
  return std::holds_alternative<ReadSegment>(op) || std::holds_alternative<PrepareNext>(op) ||
         std::holds_alternative<GrowSegment>(op);
}

// The end of an operation, delivered by StorageMachine::disk_done().
struct DiskDone {
  Ticket ticket;
  Errc error = Errc::ok;
  /// The bytes of a ReadSegment.
  Bytes data;
  /// Reason of an error, for people.
  std::string detail;
};

// ---- Network and log

using net::Arrived;
using net::CloseConnection;
using net::Event;
using net::Send;

/// Open a connection to another storage node. Answered by Connected with `dialled` set, or by
/// ConnectFailed.
struct ConnectPeer {
  NodeId node;
  std::string address;
};

/// The effects of one step. The driver performs them in this order: events, disk, sends, connects,
/// closes. The object is reused; clear() keeps its capacity.
struct Output {
  std::vector<Event> events;
  std::vector<DiskRequest> disk;
  std::vector<Send> sends;
  std::vector<ConnectPeer> connects;
  std::vector<CloseConnection> closes;
  /// The latest time of the next tick(); never: no tick is needed.
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

// ---- Input, beside DiskDone and tick

/// Space on the file system of the data folder.
struct DiskSpace {
  /// Available to the user that the node runs as.
  std::uint64_t free_bytes = 0;
  /// 0: unknown.
  std::uint64_t size_bytes = 0;
};

/// A connection is up: both hellos have come, and version, cluster and role are acceptable.
struct Connected {
  ConnectionId connection;
  Hello peer;
  /// Set if the connection answers a ConnectPeer.
  NodeId dialled{};
};
// A ConnectPeer has failed.
struct ConnectFailed {
  NodeId node;
};
// A connection has closed. Nothing more comes from it, and nothing can be sent to it.
struct Disconnected {
  ConnectionId connection;
};
/// Messages to a connection have left the process. `bytes` counts the frames of pages, copies and
/// runs in them, and nothing else.
struct Written {
  ConnectionId to;
  std::uint64_t bytes = 0;
};

}  // namespace loglog::storage
