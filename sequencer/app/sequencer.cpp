// Wiring of a sequencer: options to core options, storage, driver, pages. The thread, the signals
// and the HTTP server are proto-spec/server/host.h.
#include "sequencer/app/sequencer.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "proto-spec/server/host.h"
#include "proto-spec/transport/address.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sequencer/app/sequencer_pages.h"
#include "sequencer/io/uv_sequencer_driver.h"

namespace loglog::sequencer {

Result<void> SequencerOptions::validate() const {
  const auto bad = [](std::string what) { return fail(Errc::bad_configuration, std::move(what)); };
  if (id == 0) return bad("--id 0: sequencer ids begin with 1");
  if (cluster_name.empty() || cluster_name.size() > log_name_max)
    return bad(
        fmt::format("--cluster-name \"{}\": give 1 to {} characters", cluster_name, log_name_max));
  if (auto address = transport::split_address(listen); !address)
    return std::unexpected(address.error());
  if (!http.empty())
    if (auto address = transport::split_tcp_address(http); !address)
      return std::unexpected(address.error());
  if (data.empty()) return bad("--data: name a directory");
  const auto n = sequencers.size();
  if (n != 1 && n != 3 && n != 5)
    return bad(fmt::format("--sequencers names {}; give 1, 3 or 5", n));
  std::set<std::uint32_t> ids;
  for (const auto& s : sequencers) {
    if (s.id == SequencerId{} || !ids.insert(s.id.value).second)
      return bad(fmt::format("--sequencers: id {} is 0 or stands twice", s.id.value));
    if (auto address = transport::split_address(s.address); !address)
      return std::unexpected(address.error());
  }
  if (!ids.contains(id)) return bad(fmt::format("--sequencers does not name this one, id {}", id));
  ids.clear();
  for (const auto& s : storage) {
    if (s.id == NodeId{} || !ids.insert(s.id.value).second)
      return bad(fmt::format("--storage: id {} is 0 or stands twice", s.id.value));
    if (auto address = transport::split_address(s.address); !address)
      return std::unexpected(address.error());
  }
  if (storage.empty()) return bad("--storage names no node; give 1=HOST:PORT,…");
  if (heartbeat_ms == 0 || election_timeout_ms < 3 * heartbeat_ms)
    return bad(fmt::format("--election-timeout-ms {}: at least three times --heartbeat-ms {}",
                           election_timeout_ms, heartbeat_ms));
  return {};
}

namespace {

/// Host calls these functions on the loop's thread. The driver goes before the storage that it
/// uses.
class SequencerService final : public server::Service {
 public:
  explicit SequencerService(SequencerOptions options) : options_(std::move(options)) {}

  Result<std::string> start(transport::Loop& loop, const transport::EventLog& log) override;
  http::Pages pages(http::LoopGate& gate) override {
    driver_->keep_history();
    return pages_of(*driver_, gate);
  }
  void begin_stop(std::function<void()> stopped) override { driver_->resign(std::move(stopped)); }

 private:
  const SequencerOptions options_;
  std::unique_ptr<RaftStorage> storage_;
  std::unique_ptr<SequencerDriver> driver_;
};

Result<std::string> SequencerService::start(transport::Loop& loop, const transport::EventLog& log) {
  const SequencerOptions& o = options_;
  if (auto ok = o.validate(); !ok) return std::unexpected(ok.error());
  auto opened = RaftStorage::open(o.data, SequencerId{o.id}, o.cluster_name);
  if (!opened) return std::unexpected(opened.error());
  storage_ = std::move(*opened);
  if (const std::string& loss = storage_->loss(); !loss.empty()) {
    // Alone it has nobody to ask; with others, it is brought up to date by their leader (C3).
    if (o.sequencers.size() == 1) return fail(Errc::raft_damaged, loss);
    log(transport::LogLevel::alarm, loss +
                                        "; this sequencer neither votes nor stands for election "
                                        "before a leader has brought it up to date (C3)");
  }
  Options core;
  core.id = SequencerId{o.id};
  core.cluster_name = o.cluster_name;
  core.sequencers = o.sequencers;
  core.storage = o.storage;
  core.trust_empty = o.trust_empty;
  core.elections.timeout_min = std::chrono::milliseconds(o.election_timeout_ms);
  core.elections.heartbeat_interval = std::chrono::milliseconds(o.heartbeat_ms);
  std::random_device entropy;
  const std::uint64_t seed = (std::uint64_t{entropy()} << 32) | entropy();
  driver_ = std::make_unique<SequencerDriver>(loop, *storage_, std::move(core), seed, log,
                                              [log](const Error& why) {
                                                log(transport::LogLevel::alarm, why.message());
                                                std::_Exit(exit_code_of(why.code));
                                              });
  if (auto ok = driver_->start(o.listen); !ok) return std::unexpected(ok.error());
  return driver_->address();
}

/// The name in log lines tells several servers of a process apart.
std::unique_ptr<server::Host> host_of(const SequencerOptions& o) {
  return std::make_unique<server::Host>(std::make_unique<SequencerService>(o),
                                        fmt::format("sequencer {}", o.id), o.log_level, o.http);
}

}  // namespace

Sequencer::Sequencer(SequencerOptions options) : options_(std::move(options)) {}
Sequencer::~Sequencer() = default;

Result<void> Sequencer::start() {
  host_ = host_of(options_);
  auto ok = host_->start();
  if (!ok) host_.reset();
  return ok;
}

void Sequencer::begin_stop() {
  if (host_) host_->begin_stop();
}

void Sequencer::stop() { host_.reset(); }
const std::string& Sequencer::address() const { return host_->address(); }
const std::string& Sequencer::http_address() const { return host_->http_address(); }

int Sequencer::run_until_signal(const std::function<std::optional<SequencerOptions>()>& reread) {
  return host_of(options_)->run_until_signal(
      "loglog-sequencer", [&](const transport::EventLog& log) {
        server::apply_reloaded(options_, reread ? reread() : std::nullopt, log);
      });
}

}  // namespace loglog::sequencer
