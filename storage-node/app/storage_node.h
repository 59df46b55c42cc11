// A storage node as an object: for `loglog-storage`, for `loglog dev` and for applications that
// embed a node. Holds options and wiring; the protocol is in core/, the I/O in io/.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/vocabulary/result.h"

namespace CLI {
class App;
}
namespace loglog::server {
class Host;
}

namespace loglog::storage {

// automatic: io_uring if the machine allows it, otherwise threads.
enum class IoEngine : std::uint8_t { automatic, uring, threads };

// Options of a node; README.md explains each for operators. Compared at SIGHUP to find the options
// that have changed.
struct NodeOptions {
  /// Number of the node in its cluster, from 1.
  std::uint32_t id = 0;
  /// Peers of another cluster name are refused.
  std::string cluster_name;
  /// HOST:PORT; port 0 takes a free port.
  std::string listen;
  /// Directory of this node alone.
  std::string data;
  IoEngine io_engine = IoEngine::automatic;
  /// Limit in bytes on files of trimmed segments that are kept to be written again (K6). They are
  /// given up when space is short. 0: no file is kept.
  std::uint64_t spare_bytes = 512u << 20;
  /// Write groups past the page cache (O_DIRECT) if the file system can.
  bool direct_io = true;
  /// HOST:PORT of /metrics, /healthz and /readyz; port 0 takes a free port; empty: not served.
  std::string http = {};
  transport::LogLevel log_level = transport::LogLevel::info;
  /// Memory in bytes for uploads that are not durable yet.
  std::uint64_t staging_bytes = 256u << 20;
  /// Check payload checksums of uploads on arrival.
  bool verify_uploads = true;

  bool operator==(const NodeOptions&) const = default;
  /// Returns bad_configuration with the value, the limit and the remedy.
  Result<void> validate() const;
};

/// A node that runs in a thread of its own from start() to stop() or destruction. A disk that fails
/// ends the whole process with exit code 8 (K2), so an application that cannot accept that must run
/// the node as a process of its own.
class StorageNode {
 public:
  explicit StorageNode(NodeOptions options);
  ~StorageNode();
  /// Returns when the node listens, or with the reason why it cannot.
  Result<void> start();
  /// Asks the node to stop and returns at once. The node takes nothing more, and writes the runs
  /// that it was ordered, for at most 2 s.
  void begin_stop();
  /// Stops the node and waits until it has stopped.
  void stop();
  /// HOST:PORT on which the node listens. Valid after start().
  const std::string& address() const;
  /// HOST:PORT of the pages, or empty. Valid after start().
  const std::string& http_address() const;
  /// Runs the node on the calling thread until SIGINT or SIGTERM, and returns the exit code of the
  /// process. A second signal ends the process at once. At SIGHUP it calls `reread` for new
  /// options. The log level changes at once; changes of other options are logged as needing a
  /// restart. `reread` returns nullopt if the new options are invalid, and has logged the reason.
  int run_until_signal(const std::function<std::optional<NodeOptions>()>& reread = {});

 private:
  NodeOptions options_;
  /// Null unless the node runs.
  std::unique_ptr<server::Host> host_;
};

/// The main function of `loglog-storage`: parses options, runs the node, returns the exit code.
int storage_main(int argc, char** argv);
/// The command's options, for manual pages and completions. The result must not be parsed.
std::shared_ptr<CLI::App> storage_command();

}  // namespace loglog::storage
