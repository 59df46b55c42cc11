#include "sequencer/app/sequencer.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "proto-spec/http/mhd_http_server.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sequencer/app/sequencer_pages.h"
#include "sequencer/io/uv_sequencer_driver.h"

namespace loglog::sequencer {

struct Sequencer::Running {
  transport::Loop loop;
  std::unique_ptr<RaftStorage> storage;
  std::unique_ptr<SequencerDriver> driver;
  std::string address;
  std::thread thread;
  http::LoopGate gate{[this](std::function<void()> work) { loop.post(std::move(work)); }};
  std::unique_ptr<http::Server> server;  // goes first: its pages ask the loop

  Result<void> start(const SequencerOptions& o, const transport::EventLog& log);
  Result<void> start_http(const std::string& where, const transport::EventLog& log);
  /// On the loop's thread, or once that has ended.
  void end();
  /// On the loop's thread. Asked a second time it stops at once.
  void begin_stop();
  bool stopping = false;
};

Result<void> SequencerOptions::validate() const {
  const auto bad = [](std::string what) { return fail(Errc::bad_configuration, std::move(what)); };
  if (id == 0) return bad("--id 0: sequencer ids begin with 1");
  if (cluster_name.empty() || cluster_name.size() > log_name_max)
    return bad(fmt::format("--cluster-name \"{}\": give 1 to {} characters", cluster_name, log_name_max));
  if (auto address = transport::split_address(listen); !address) return std::unexpected(address.error());
  if (!http.empty())
    if (auto address = transport::split_tcp_address(http); !address) return std::unexpected(address.error());
  if (data.empty()) return bad("--data: name a directory");
  const auto n = sequencers.size();
  if (n != 1 && n != 3 && n != 5) return bad(fmt::format("--sequencers names {}; give 1, 3 or 5", n));
  std::set<std::uint32_t> ids;
  for (const auto& s : sequencers) {
    if (s.id == SequencerId{} || !ids.insert(s.id.value).second)
      return bad(fmt::format("--sequencers: id {} is 0 or stands twice", s.id.value));
    if (auto address = transport::split_address(s.address); !address) return std::unexpected(address.error());
  }
  if (!ids.contains(id)) return bad(fmt::format("--sequencers does not name this one, id {}", id));
  ids.clear();
  for (const auto& s : storage) {
    if (s.id == NodeId{} || !ids.insert(s.id.value).second) return bad(fmt::format("--storage: id {} is 0 or stands twice", s.id.value));
    if (auto address = transport::split_address(s.address); !address) return std::unexpected(address.error());
  }
  if (storage.empty()) return bad("--storage names no node; give 1=HOST:PORT,…");
  if (heartbeat_ms == 0 || election_timeout_ms < 3 * heartbeat_ms)
    return bad(fmt::format("--election-timeout-ms {}: at least three times --heartbeat-ms {}", election_timeout_ms, heartbeat_ms));
  return {};
}

Result<void> Sequencer::Running::start(const SequencerOptions& o, const transport::EventLog& log) {
  if (auto ok = o.validate(); !ok) return ok;
  auto opened = RaftStorage::open(o.data, SequencerId{o.id}, o.cluster_name);
  if (!opened) return std::unexpected(opened.error());
  storage = std::move(*opened);
  Options core;
  core.id = SequencerId{o.id};
  core.cluster_name = o.cluster_name;
  core.sequencers = o.sequencers;
  core.storage = o.storage;
  core.election_timeout_min = std::chrono::milliseconds(o.election_timeout_ms);
  core.heartbeat_interval = std::chrono::milliseconds(o.heartbeat_ms);
  std::random_device entropy;
  const std::uint64_t seed = (std::uint64_t{entropy()} << 32) | entropy();
  driver = std::make_unique<SequencerDriver>(loop, *storage, std::move(core), seed, log, [log](const Error& why) {
    log(transport::LogLevel::alarm, why.message());
    std::_Exit(exit_code_of(why.code));
  });
  if (auto ok = driver->start(o.listen); !ok) return ok;
  address = driver->address();
  return start_http(o.http, log);
}

Result<void> Sequencer::Running::start_http(const std::string& where, const transport::EventLog& log) {
  if (where.empty()) return {};
  const auto parts = transport::split_tcp_address(where);
  if (!parts) return std::unexpected(parts.error());
  auto started = http::Server::start(parts->first, parts->second, pages_of(*driver, gate), {},
                                     [log](const std::string& what) { log(transport::LogLevel::debug, what); });
  if (!started) return std::unexpected(started.error());
  server = std::move(*started);
  driver->keep_history();
  log(transport::LogLevel::info, fmt::format("serves HTTP on {}", server->address()));
  return {};
}

void Sequencer::Running::end() {
  gate.close();
  driver.reset();
}

void Sequencer::Running::begin_stop() {
  if (std::exchange(stopping, true) || !driver) return loop.stop();
  driver->resign([this] { loop.stop(); });
}

Sequencer::Sequencer(SequencerOptions options) : options_(std::move(options)) {}
Sequencer::~Sequencer() { stop(); }

Result<void> Sequencer::start() {
  const transport::EventLog log(fmt::format("sequencer {}", options_.id), options_.log_level);
  running_ = std::make_unique<Running>();
  told_ = false;
  if (auto ok = running_->start(options_, log); !ok) {
    running_.reset();
    return ok;
  }
  running_->thread = std::thread([r = running_.get()] {
    r->loop.run();
    r->end();
  });
  return {};
}

void Sequencer::begin_stop() {
  if (!running_ || std::exchange(told_, true)) return;
  running_->loop.post([r = running_.get()] { r->begin_stop(); });
}

void Sequencer::stop() {
  if (!running_) return;
  begin_stop();
  if (running_->thread.joinable()) running_->thread.join();
  running_.reset();
}

const std::string& Sequencer::address() const { return running_->address; }

const std::string& Sequencer::http_address() const {
  static const std::string none;
  return running_->server ? running_->server->address() : none;
}

void Sequencer::take(const SequencerOptions& again, const transport::EventLog& log) {
  SequencerOptions rest = again;
  rest.log_level = options_.log_level;
  if (rest != options_) log(transport::LogLevel::warning, "SIGHUP: other options than the log level changed too; they need a restart");
  options_.log_level = again.log_level;
  log.set_lowest(again.log_level);
  log(transport::LogLevel::info, "SIGHUP: the options were read again");
}

int Sequencer::run_until_signal(const std::function<std::optional<SequencerOptions>()>& reread) {
  running_ = std::make_unique<Running>();
  const transport::EventLog log(fmt::format("sequencer {}", options_.id), options_.log_level);
  // Before anybody can know that it serves.
  running_->loop.on_stop_signal([this] { running_->begin_stop(); });
  running_->loop.on_hangup([&] {
    if (const auto again = reread ? reread() : std::nullopt) take(*again, log);
    else log(transport::LogLevel::warning, "SIGHUP: the options stay as they are");
  });
  if (auto ok = running_->start(options_, log); !ok) {
    fmt::print(stderr, "loglog-sequencer: {}\n", ok.error().message());
    running_.reset();
    return exit_code_of(ok.error().code);
  }
  running_->loop.run();
  running_->end();
  log(transport::LogLevel::info, "stopped");
  running_.reset();
  return 0;
}

}  // namespace loglog::sequencer
