// A sequencer in a process: for `loglog-sequencer`, `loglog sequencer` and applications that embed
// it. Options and lifetime only; the work is done by io/uv_sequencer_driver.h.
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

/// The options of a sequencer; the README explains each flag.
struct SequencerOptions {
  // From 1; belongs to the data directory for ever.
  std::uint32_t id = 0;
  std::string cluster_name;
  std::string listen;  ///< HOST:PORT; port 0 takes a free port (a single sequencer only)
  std::string data;
  std::vector<SequencerInfo> sequencers;  ///< 1, 3 or 5, this sequencer included
  std::vector<StorageInfo> storage;
  std::uint32_t election_timeout_ms = 1000;
  std::uint32_t heartbeat_ms = 100;
  /// HOST:PORT of the status page, /metrics, /healthz and /readyz. Port 0 takes a free port; empty:
  /// no pages.
  std::string http = {};
  transport::LogLevel log_level = transport::LogLevel::info;
  /// An empty `data` counts as a new voter's without asking the others (C3). Only for a cluster
  /// whose other directories are lost for good.
  bool trust_empty = false;

  bool operator==(const SequencerOptions&) const = default;
  /// bad_configuration if a value is invalid; the text names the value, the limit and the cure.
  Result<void> validate() const;
};

/// Runs in a thread of its own between start() and stop() or destruction. Its functions are for a
/// single thread. A failing disk ends the whole process. A leader hands over before it stops, for
/// at most 2 s; a sequencer without others stops once its ordered runs are answered.
class Sequencer {
 public:
  explicit Sequencer(SequencerOptions options);
  ~Sequencer();
  /// Returns once it listens, or with the reason why it cannot.
  Result<void> start();
  /// Asks it to stop and does not wait; stop() waits. Sequencers that stop together are all asked
  /// first, so that they do not hand over to each other.
  void begin_stop();
  /// Stops it and waits until its thread has ended.
  void stop();
  /// HOST:PORT that it listens on; only between start() and stop().
  const std::string& address() const;
  /// HOST:PORT of its pages as they are served, or empty; only between start() and stop().
  const std::string& http_address() const;
  /// Runs on the calling thread until SIGINT or SIGTERM, and returns the process's exit code. A
  /// second signal ends it at once. At SIGHUP it calls `reread` for its options. nullopt: the new
  /// options are invalid, and the reason has been logged. The log level changes at once; of other
  /// options it logs that they need a restart.
  int run_until_signal(const std::function<std::optional<SequencerOptions>()>& reread = {});

 private:
  SequencerOptions options_;
  std::unique_ptr<server::Host> host_;  // while it runs
};

/// The whole command `loglog-sequencer`, with its options; returns the exit code.
int sequencer_main(int argc, char** argv);
/// The command's options for a manual page or completions; not to be parsed.
std::shared_ptr<CLI::App> sequencer_command();

}  // namespace loglog::sequencer
