// The frame around every server: its event loop, its thread, its HTTP pages, SIGHUP and the way to
// stop. The role itself (storage node, sequencer) is a Service. The server programs, `loglog dev`
// and embedded nodes create a Host each.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "proto-spec/http/loop_gate.h"
#include "proto-spec/http/mhd_http_server.h"
#include "proto-spec/server/posix_free_memory.h"
#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/uv_loop.h"

namespace loglog::server {

/// A server's role. All members but start() and pages() are called on the loop's thread; so is the
/// destructor, unless the loop has ended already.
class Service {
 public:
  virtual ~Service() = default;
  /// Called before the loop runs. Returns HOST:PORT once the service listens, otherwise the reason.
  virtual Result<std::string> start(transport::Loop& loop, const transport::EventLog& log) = 0;
  /// The service's HTTP pages; called after start() if pages are wanted. Pages run on other
  /// threads, so they reach the service's state only through the gate.
  virtual http::Pages pages(http::LoopGate& gate) = 0;
  /// Refuses new work, finishes the work that it has accepted, then calls `stopped` (spec/04,
  /// handing over at a stop).
  virtual void begin_stop(std::function<void()> stopped) = 0;
};

/// A single run of a server, from its start to its end; not restartable. Call start() or
/// run_until_signal(), not both.
class Host {
 public:
  /// `name` stands in each log line. `http`: HOST:PORT for the pages; empty: no pages are served.
  Host(std::unique_ptr<Service> service, const std::string& name, transport::LogLevel level,
       std::string http);
  /// Stops the server and waits for its thread.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Runs the server in a thread of its own. Returns once it listens, otherwise the reason; after
  /// an error the Host is of no more use.
  Result<void> start();
  /// Asks the server to stop and returns at once. A second call does nothing. Owner's thread only.
  void begin_stop();
  /// Runs the server on the calling thread until SIGINT or SIGTERM, and returns the process's exit
  /// code. `program` stands before errors on stderr. A second signal skips the orderly stop. SIGHUP
  /// calls `on_hangup`.
  int run_until_signal(const std::string& program,
                       std::function<void(const transport::EventLog&)> on_hangup);

  /// HOST:PORT or "local:NAME" as served; valid after start().
  const std::string& address() const { return address_; }
  /// HOST:PORT of the pages as served, with the port that was taken; empty without pages.
  const std::string& http_address() const { return http_address_; }

 private:
  Result<void> set_up();
  Result<void> start_http();
  void end();
  void stop_or_leave();
  void look_at_memory();

  const transport::EventLog log_;
  const std::string http_;
  std::string address_;
  std::string http_address_;
  bool told_ = false;      // the owner has asked for a stop; owner's thread
  bool stopping_ = false;  // the stop has begun; loop's thread
  transport::Loop loop_;
  std::unique_ptr<Service> service_;
  std::thread thread_;
  FreeMemoryWatch memory_;
  http::LoopGate gate_{[this](std::function<void()> work) { loop_.post(std::move(work)); }};
  // Declared last, so destroyed first: the page threads post to the loop and wait at the gate.
  std::unique_ptr<http::Server> pages_;
};

/// Applies options that SIGHUP made the program read again. Only the log level changes at once; for
/// other changes a log line says that they need a restart. `again` is nullopt if the new options
/// are invalid; their reader has reported the reason.
template <class Options>
void apply_reloaded(Options& now, const std::optional<Options>& again,
                    const transport::EventLog& log) {
  if (!again) return log(transport::LogLevel::warning, "SIGHUP: the options stay as they are");
  Options rest = *again;
  rest.log_level = now.log_level;
  if (rest != now)
    log(transport::LogLevel::warning,
        "SIGHUP: other options than the log level changed too; they need a restart");
  now.log_level = again->log_level;
  log.set_lowest(again->log_level);
  log(transport::LogLevel::info, "SIGHUP: the options were read again");
}

}  // namespace loglog::server
