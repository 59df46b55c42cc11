// A whole cluster inside this process: for development, for tests, and for applications that bring
// their own nodes.
//
//   auto cluster = loglog::EmbeddedCluster::start({.name = "app", .data = "/var/lib/app"});
//   auto client = loglog::Client::connect({.addresses = {cluster->address()}});
//
// Without `listen` the parts and this process's clients hand one another what they say in memory:
// no port, no socket, nothing for others to reach. Link loglog::embedded.
#pragma once
#include <loglog/client.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace loglog {

struct EmbeddedOptions {
  std::string name =
      "embedded";           ///< cluster name; a data directory belongs to one cluster for ever
  std::string data = {};    ///< directory that holds a folder for each node; made where missing
  std::string listen = {};  ///< HOST:PORT of the first sequencer (port 0 takes a free one); the
                            ///< other nodes take free ports of that host. Empty: process-local
  std::string http =
      {};  ///< HOST:PORT where the first sequencer answers monitors (/metrics, /healthz, /readyz);
           ///< each further node takes the port after it, sequencers first, then storage nodes.
           ///< Port 0 takes free ones. Empty: none does
  std::uint32_t sequencers = 1;  ///< 1, 3 or 5; as many as the data directory was made with
  std::uint32_t storage = 3;     ///< 1 to 9; never fewer than it was used with
};

/// Each node runs in a thread of its own until stop() or destruction. A disk that fails ends the
/// whole process (K2). Not thread-safe. Move-only.
class EmbeddedCluster {
 public:
  /// Returns once every node listens and takes connections; serving begins a moment later
  /// (wait_ready).
  static std::expected<EmbeddedCluster, CallError> start(EmbeddedOptions options);
  EmbeddedCluster(EmbeddedCluster&&) noexcept;
  EmbeddedCluster& operator=(EmbeddedCluster&&) noexcept;
  ~EmbeddedCluster();

  /// For ClientOptions::addresses.
  const std::string& address() const;
  /// HOST:PORT of each node's pages, sequencers first; none without EmbeddedOptions::http.
  const std::vector<std::string>& http_addresses() const;
  /// True once a leader serves and every storage node is up; false when `wait` has passed before
  /// that.
  bool wait_ready(std::chrono::milliseconds wait);
  /// Stops every node in order; what was acknowledged is on disk already.
  void stop();

 private:
  struct State;
  explicit EmbeddedCluster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loglog
