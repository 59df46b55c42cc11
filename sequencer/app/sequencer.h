// A sequencer in a process: `loglog-sequencer`, `loglog sequencer`, or embedded in an application.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace CLI {
class App;
}
namespace loglog::server {
class Host;
}

namespace loglog::sequencer {

struct SequencerOptions {
  std::uint32_t id = 0;
  std::string cluster_name;
  std::string listen;  ///< HOST:PORT; port 0 takes a free one (a single sequencer only)
  std::string data;
  std::vector<SequencerInfo> sequencers;  ///< 1, 3 or 5, this one included
  std::vector<StorageInfo> storage;
  std::uint32_t election_timeout_ms = 1000;
  std::uint32_t heartbeat_ms = 100;
  std::string http = {};  ///< HOST:PORT of the status page, /metrics, /healthz and /readyz; port 0
                          ///< takes a free one; empty: not served
  transport::LogLevel log_level = transport::LogLevel::info;
  /// An empty `data` is a new voter's, and nobody is asked whether it was lost: only where the
  /// others' directories are lost for good.
  bool trust_empty = false;

  bool operator==(const SequencerOptions&) const = default;
  /// bad_configuration with the value, the limit and what to do.
  Result<void> validate() const;
};

/// Runs in a thread of its own between start() and stop() or destruction. A failing disk ends the
/// whole process. One that leads hands over before it stops, for at most 2 s; where there is no
/// other sequencer it stops once what it has ordered is answered.
class Sequencer {
 public:
  explicit Sequencer(SequencerOptions options);
  ~Sequencer();
  /// Returns once it listens, or with why not.
  Result<void> start();
  /// Asks it to stop and does not wait; stop() does. For several that stop together, so that they
  /// do not hand over to one another.
  void begin_stop();
  void stop();
  const std::string& address() const;
  /// HOST:PORT of its pages as they are served, or empty; after start().
  const std::string& http_address() const;
  /// Runs on the calling thread until SIGINT or SIGTERM instead; the process's exit code. A second
  /// signal ends it at once. At SIGHUP it asks `reread` for its options again (nullopt: they are no
  /// good, as was said): the log level changes at once, of others it says that they need a restart.
  int run_until_signal(const std::function<std::optional<SequencerOptions>()>& reread = {});

 private:
  SequencerOptions options_;
  std::unique_ptr<server::Host> host_;  // while it runs
};

/// The whole command, with its options.
int sequencer_main(int argc, char** argv);
/// Its options, for a manual page or completions; not to be parsed.
std::shared_ptr<CLI::App> sequencer_command();

}  // namespace loglog::sequencer
