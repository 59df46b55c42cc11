// Runs a StorageMachine on a libuv loop: sockets, disk strands, the timer.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/posix_descriptors.h"
#include "proto-spec/transport/sparing_log.h"
#include "proto-spec/transport/uv_connection.h"
#include "storage-node/core/storage_machine.h"
#include "storage-node/io/file_engine.h"
#include "storage-node/io/io_figures.h"
#include "storage-node/io/posix_segment_directory.h"

namespace loglog::storage {

/// Belongs to its loop's thread.
class StorageDriver {
 public:
  /// `fatal` is called when the disk fails (K2); nothing is performed after it.
  StorageDriver(transport::Loop& loop, SegmentDirectory& directory,
                std::unique_ptr<FileEngine> engine, Options options, std::uint64_t seed,
                transport::EventLog log, std::function<void(const std::string&)> fatal);
  ~StorageDriver();

  /// K1, the core's start, and the listening socket.
  Result<void> start(const std::string& listen_address);
  const std::string& address() const { return listener_->address(); }
  std::expected<std::string, std::string> readiness() const {
    return machine_.readiness(loop_.now());
  }
  /// Takes nothing more and finishes what it has taken (StorageMachine::begin_stop); `then` is
  /// called once, when the driver may go.
  void begin_stop(std::function<void()> then);
  NodeReport report() const {
    return {machine_.report(), figures_, loop_.traffic(), admissions_->figures()};
  }

 private:
  void accepted(const transport::Incoming& incoming);
  void adopt(ConnectionId id, const transport::Connection::Ptr& connection, NodeId dialled);
  void perform();
  void perform_if_large();
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
  transport::SparingLog closed_log_{log_};  // why connections of others were closed
  std::function<void(const std::string&)> fatal_;
  bool dead_ = false;
  Time lack_told_ = Time{} - 1h;  // of descriptors or space
  std::function<void()> when_stopped_;
  std::unique_ptr<transport::Listener> listener_;
  std::shared_ptr<transport::Admissions> admissions_ =
      std::make_shared<transport::Admissions>(transport::descriptor_limit());
  std::map<ConnectionId, transport::Connection::Ptr> connections_;
  std::uint64_t ids_ = 0;
  std::size_t sized_ = 0;  // sends of the machine's output that are counted in output_bytes_
  std::size_t output_bytes_ = 0;
  std::map<LogId, std::deque<DiskRequest>> strands_;  // front is under way
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace loglog::storage
