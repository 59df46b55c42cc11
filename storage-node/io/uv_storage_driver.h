// Drives a StorageMachine on a libuv loop: accepts and dials connections, performs the core's
// Output in the order that output.h states, keeps the strands of disk operations, and sets the
// timer. Decides nothing about the protocol. StorageNode (app/) owns it; engines perform the disk
// operations.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "proto-spec/transport/connection_table.h"
#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/sparing_log.h"
#include "storage-node/core/storage_machine.h"
#include "storage-node/io/file_engine.h"
#include "storage-node/io/io_figures.h"
#include "storage-node/io/posix_segment_directory.h"

namespace loglog::storage {

/// Not thread-safe: all calls and callbacks are on the loop's thread. `directory` and `loop` must
/// outlive it.
class StorageDriver : private transport::ConnectionOwner {
 public:
  /// `fatal` is called once, when the disk fails (K2); the driver performs nothing after it.
  StorageDriver(transport::Loop& loop, SegmentDirectory& directory,
                std::unique_ptr<FileEngine> engine, Options options, std::uint64_t seed,
                transport::EventLog log, std::function<void(const std::string&)> fatal);
  ~StorageDriver() override;

  /// Recovers the data directory (K1), starts the core and listens on HOST:PORT. Blocks the loop
  /// until done. An error leaves the driver unusable.
  Result<void> start(const std::string& listen_address);
  const std::string& address() const { return links_.address(); }
  /// StorageMachine::readiness() at the present time.
  std::expected<std::string, std::string> readiness() const {
    return machine_.readiness(loop_.now());
  }
  /// Stops orderly (StorageMachine::begin_stop). `then` runs once, when the driver may be
  /// destroyed; a second call does nothing.
  void begin_stop(std::function<void()> then);
  /// Figures of the core, the disk and the network.
  NodeReport report() const {
    return {machine_.report(), figures_, loop_.traffic(), links_.admissions()};
  }

 private:
  void on_connected(const transport::Link& link, const Hello& peer) override;
  void on_message(ConnectionId from, RequestId request, Message&& m) override;
  void on_disconnected(const transport::Link& link, const Error& why) override;
  void on_written(ConnectionId to, std::uint64_t bytes) override;
  void perform();
  void request(DiskRequest r);
  void begin_strand(LogId log);
  bool must_wait(const DiskOperation& what, const FileEngine::Outcome& outcome);
  static Duration pause_after(const FileEngine::Outcome& outcome);
  void count(const DiskOperation& what, const FileEngine::Outcome& outcome);
  void disk_done(Ticket ticket, const DiskOperation& what, FileEngine::Outcome outcome);
  void dial(const ConnectPeer& peer);
  void look_at_space();

  transport::Loop& loop_;
  SegmentDirectory& directory_;
  std::unique_ptr<FileEngine> engine_;
  StorageMachine machine_;
  IoFigures figures_;
  transport::EventLog log_;
  /// Logs why connections were closed, at a limited rate.
  transport::SparingLog closed_log_{log_};
  std::function<void(const std::string&)> fatal_;
  /// K2: the disk has failed. No effect is performed and no result is delivered any more.
  bool dead_ = false;
  /// When a lack of descriptors or space was last logged.
  Time lack_told_ = Time{} - 1h;
  /// The `then` of begin_stop(); empty: the driver is not stopping.
  std::function<void()> when_stopped_;
  /// Of a dialled link, Link::dialled is the id of the node.
  transport::ConnectionTable links_{loop_, *this};
  /// The operations of each log in order; the front is in flight. A strand without operations is
  /// erased.
  std::map<LogId, std::deque<DiskRequest>> strands_;
  /// Callbacks that outlive the driver see false here and do nothing.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace loglog::storage
