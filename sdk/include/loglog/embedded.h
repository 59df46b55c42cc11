// A whole cluster inside this process: for development, for tests, and for applications that bring
// their own nodes.
//
//   auto cluster = loglog::EmbeddedCluster::start({.name = "app", .data = "/var/lib/app"});
//   auto client = loglog::Client::connect({.addresses = {cluster->address()}});
//
// Without `listen` the nodes and this process's clients exchange messages in memory: no port and no
// socket is open, so no other process can reach them. Link loglog::embedded. The nodes write
// warnings and alarms to stderr, a line for each.
#pragma once
#include <loglog/client.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace loglog {

/// Size, place and addresses of a cluster inside the process.
struct EmbeddedOptions {
  /// Name of the cluster, 1 to 255 bytes. A data directory belongs to a single cluster for ever.
  std::string name = "embedded";
  /// Directory that holds a folder for each node; required, created if missing.
  std::string data = {};
  /// HOST:PORT of the first sequencer (port 0 takes a free port); the other nodes take free ports
  /// of that host, which may differ at each start. Clients elsewhere connect to the same HOST, so
  /// it must not be a wildcard such as 0.0.0.0 for them. Empty: process-local, without ports.
  std::string listen = {};
  /// HOST:PORT where the first sequencer serves monitors (/metrics, /healthz, /readyz). Each
  /// further node takes the next port, sequencers first, then storage nodes; with port 0 each node
  /// takes a free port. Empty: no node serves them.
  std::string http = {};
  std::uint32_t sequencers = 1;  ///< 1, 3 or 5; the number that the data directory was made with
  std::uint32_t storage = 3;     ///< 1 to 9; never fewer than the data directory was used with
};

/// Nodes of a cluster that run in this process, each in a thread of its own until stop() or
/// destruction. If a node's disk fails, the whole process ends (K2). Not thread-safe. Move-only; a
/// cluster that was moved from may only be assigned or destroyed. In a child process after fork()
/// the cluster is the parent's: stop() and destruction do nothing, and no other member may be
/// called.
class EmbeddedCluster {
 public:
  /// Starts every node and returns once all of them listen; a leader serves a moment later
  /// (wait_ready). Blocks. Errors: bad_configuration for options that are out of range or do not
  /// fit the data directory, and those of a server's start, such as directory_in_use or
  /// address_in_use. After an error no node runs; folders that were made stay.
  static std::expected<EmbeddedCluster, CallError> start(EmbeddedOptions options);
  EmbeddedCluster(EmbeddedCluster&&) noexcept;             ///< takes over the nodes
  EmbeddedCluster& operator=(EmbeddedCluster&&) noexcept;  ///< stops its own nodes first
  ~EmbeddedCluster();                                      ///< as stop()

  /// Address of the first sequencer, for ClientOptions::addresses. The reference is valid as long
  /// as this object, and so is that of http_addresses().
  const std::string& address() const;
  /// HOST:PORT of each node's pages, sequencers first; empty without EmbeddedOptions::http.
  const std::vector<std::string>& http_addresses() const;
  /// Blocks until a leader serves and every storage node is up, for at most about `wait`, which
  /// must be below 100 years. Returns false if that did not happen in time, and after stop().
  bool wait_ready(std::chrono::milliseconds wait);
  /// Stops every node in order and blocks until their threads have ended. Acknowledged entries are
  /// on disk already. Close clients first, because their calls find no node afterwards and wait for
  /// their deadlines. May be called more than once. The data directory may then be started again.
  void stop();

 private:
  struct State;
  explicit EmbeddedCluster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loglog
