// What every server has: a loop, a thread, its pages over HTTP, and a way to stop. What it serves
// is the Service.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "proto-spec/http/loop_gate.h"
#include "proto-spec/http/mhd_http_server.h"
#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/uv_loop.h"

namespace loglog::server {

/// All but start() and pages() is called on the loop's thread, the destructor perhaps once that has
/// ended.
class Service {
 public:
  virtual ~Service() = default;
  /// Before the loop runs. HOST:PORT once it listens, or why not.
  virtual Result<std::string> start(transport::Loop& loop, const transport::EventLog& log) = 0;
  /// After start(), where pages are wanted. They ask the service through the gate alone.
  virtual http::Pages pages(http::LoopGate& gate) = 0;
  /// Takes nothing new, ends what it has taken, and calls `stopped`.
  virtual void begin_stop(std::function<void()> stopped) = 0;
};

/// One life of a server.
class Host {
 public:
  /// `http`: HOST:PORT of its pages; empty: none are served.
  Host(std::unique_ptr<Service> service, const std::string& name, transport::LogLevel level,
       std::string http);
  /// Stops it and waits.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Runs it in a thread of its own. Returns once it listens, or with why not; then it is of no
  /// more use.
  Result<void> start();
  /// Asks it to stop and does not wait.
  void begin_stop();
  /// Runs it on the calling thread instead, until SIGINT or SIGTERM; the exit code of a process
  /// named `program`. A second signal ends it at once. SIGHUP calls `on_hangup`.
  int run_until_signal(const std::string& program,
                       std::function<void(const transport::EventLog&)> on_hangup);

  const std::string& address() const { return address_; }
  /// HOST:PORT of its pages as they are served, or empty.
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
  bool told_ = false;      // to stop, by its owner
  bool stopping_ = false;  // on the loop's thread
  transport::Loop loop_;
  std::unique_ptr<Service> service_;
  std::thread thread_;
  http::LoopGate gate_{[this](std::function<void()> work) { loop_.post(std::move(work)); }};
  std::unique_ptr<http::Server> pages_;  // goes first: they ask the loop
};

/// What SIGHUP does with the options as they were read again: the log level changes at once, of
/// others it says that they need a restart. nullopt: they are no good, as was said.
template <class Options>
void take_again(Options& now, const std::optional<Options>& again, const transport::EventLog& log) {
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
