// A storage node in a process: `loglog-storage`, `loglog storage`, or embedded in an application.
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

enum class IoEngine : std::uint8_t { automatic, uring, threads };

struct NodeOptions {
  std::uint32_t id = 0;
  std::string cluster_name;
  std::string listen;  ///< HOST:PORT; port 0 takes a free one
  std::string data;
  IoEngine io_engine = IoEngine::automatic;
  /// Bytes of trimmed segments' files that are kept to be written again (K6); they are given up
  /// where space is short. 0: none are kept.
  std::uint64_t spare_bytes = 512u << 20;
  bool direct_io =
      true;  ///< groups are written past the page cache (O_DIRECT) where the file system can
  std::string http = {};  ///< HOST:PORT of /metrics, /healthz and /readyz; port 0 takes a free one;
                          ///< empty: not served
  transport::LogLevel log_level = transport::LogLevel::info;
  std::uint64_t staging_bytes = 256u << 20;
  bool verify_uploads = true;

  bool operator==(const NodeOptions&) const = default;
  /// bad_configuration with the value, the limit and what to do.
  Result<void> validate() const;
};

/// Runs in a thread of its own between start() and stop() or destruction. To stop it takes nothing
/// more and finishes what it was ordered to write, for at most 2 s. A failing disk ends the whole
/// process (K2), with exit code 8: an application that cannot have that runs the node as a process.
class StorageNode {
 public:
  explicit StorageNode(NodeOptions options);
  ~StorageNode();
  /// Returns once it listens, or with why not.
  Result<void> start();
  /// Asks it to stop and does not wait; stop() does.
  void begin_stop();
  void stop();
  /// HOST:PORT as it listens; after start().
  const std::string& address() const;
  /// HOST:PORT of its pages as they are served, or empty; after start().
  const std::string& http_address() const;
  /// Runs on the calling thread until SIGINT or SIGTERM instead; the process's exit code. A second
  /// signal ends it at once. At SIGHUP it asks `reread` for its options again (nullopt: they are no
  /// good, as was said): the log level changes at once, of others it says that they need a restart.
  int run_until_signal(const std::function<std::optional<NodeOptions>()>& reread = {});

 private:
  NodeOptions options_;
  std::unique_ptr<server::Host> host_;  // while it runs
};

/// The whole command, with its options.
int storage_main(int argc, char** argv);
/// Its options, for a manual page or completions; not to be parsed.
std::shared_ptr<CLI::App> storage_command();

}  // namespace loglog::storage
