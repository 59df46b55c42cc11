#include "storage-node/app/storage_node.h"

#include <random>
#include <thread>
#include <utility>

#include "proto-spec/http/mhd_http_server.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "storage-node/app/storage_pages.h"
#include "storage-node/io/uring_segment_file.h"
#include "storage-node/io/uv_storage_driver.h"

namespace loglog::storage {

struct StorageNode::Running {
  transport::Loop loop;
  std::unique_ptr<SegmentDirectory> directory;
  std::unique_ptr<StorageDriver> driver;
  std::string address;
  std::thread thread;
  http::LoopGate gate{[this](std::function<void()> work) { loop.post(std::move(work)); }};
  std::unique_ptr<http::Server> server;  // goes first: its pages ask the loop

  Result<void> start(const NodeOptions& o, const transport::EventLog& log);
  Result<void> start_http(const std::string& where, const transport::EventLog& log);
  /// On the loop's thread, or once that has ended.
  void end();
  /// On the loop's thread. Asked a second time it stops at once.
  void begin_stop();
  bool stopping = false;
};

Result<void> NodeOptions::validate() const {
  if (id == 0) return fail(Errc::bad_configuration, "--id 0: node ids begin with 1");
  if (cluster_name.empty() || cluster_name.size() > log_name_max)
    return fail(Errc::bad_configuration, fmt::format("--cluster-name \"{}\": give 1 to {} characters", cluster_name, log_name_max));
  if (auto address = transport::split_address(listen); !address) return std::unexpected(address.error());
  if (!http.empty())
    if (auto address = transport::split_tcp_address(http); !address) return std::unexpected(address.error());
  if (data.empty()) return fail(Errc::bad_configuration, "--data: name a directory");
  if (staging_bytes < 2ull * run_size_max)
    return fail(Errc::bad_configuration,
                fmt::format("--staging-bytes {}: at least {} (two of the largest runs)", staging_bytes, 2ull * run_size_max));
  return {};
}

namespace {

Result<std::unique_ptr<FileEngine>> choose_engine(IoEngine wanted, SegmentDirectory& directory, transport::Loop& loop) {
  const auto post = [&loop](std::function<void()> work) { loop.post(std::move(work)); };
  const auto watch = [&loop](int descriptor, std::function<void()> work) { return loop.watch(descriptor, std::move(work)); };
  if (wanted != IoEngine::threads)
    if (auto engine = make_uring_engine(directory, watch, post)) return engine;
  if (wanted == IoEngine::uring)
    return fail(Errc::bad_configuration, "--io-engine uring: this machine forbids io_uring; use auto or threads");
  return make_thread_engine(directory, post);
}

}  // namespace

Result<void> StorageNode::Running::start(const NodeOptions& o, const transport::EventLog& log) {
  if (auto ok = o.validate(); !ok) return ok;
  auto opened = SegmentDirectory::open(o.data, o.direct_io);
  if (!opened) return std::unexpected(opened.error());
  directory = std::move(*opened);
  auto engine = choose_engine(o.io_engine, *directory, loop);
  if (!engine) return std::unexpected(engine.error());
  Options core;
  core.id = NodeId{o.id};
  core.cluster_name = o.cluster_name;
  core.staging_bytes_max = o.staging_bytes;
  core.verify_uploads = o.verify_uploads;
  std::random_device entropy;
  const std::uint64_t seed = (std::uint64_t{entropy()} << 32) | entropy();
  driver = std::make_unique<StorageDriver>(loop, *directory, std::move(*engine), std::move(core), seed, log, [log](const std::string& why) {
    log(transport::LogLevel::alarm, why);
    std::_Exit(exit_disk_failed);
  });
  if (auto ok = driver->start(o.listen); !ok) return ok;
  address = driver->address();
  return start_http(o.http, log);
}

Result<void> StorageNode::Running::start_http(const std::string& where, const transport::EventLog& log) {
  if (where.empty()) return {};
  const auto parts = transport::split_tcp_address(where);
  if (!parts) return std::unexpected(parts.error());
  auto started = http::Server::start(parts->first, parts->second, pages_of(*driver, gate), {},
                                     [log](const std::string& what) { log(transport::LogLevel::debug, what); });
  if (!started) return std::unexpected(started.error());
  server = std::move(*started);
  log(transport::LogLevel::info, fmt::format("serves HTTP on {}", server->address()));
  return {};
}

void StorageNode::Running::end() {
  gate.close();
  driver.reset();
}

void StorageNode::Running::begin_stop() {
  if (std::exchange(stopping, true) || !driver) return loop.stop();
  driver->begin_stop([this] { loop.stop(); });
}

StorageNode::StorageNode(NodeOptions options) : options_(std::move(options)) {}
StorageNode::~StorageNode() { stop(); }

Result<void> StorageNode::start() {
  const transport::EventLog log(fmt::format("storage {}", options_.id), options_.log_level);
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

void StorageNode::begin_stop() {
  if (!running_ || std::exchange(told_, true)) return;
  running_->loop.post([r = running_.get()] { r->begin_stop(); });
}

void StorageNode::stop() {
  if (!running_) return;
  begin_stop();
  if (running_->thread.joinable()) running_->thread.join();
  running_.reset();
}

const std::string& StorageNode::address() const { return running_->address; }

const std::string& StorageNode::http_address() const {
  static const std::string none;
  return running_->server ? running_->server->address() : none;
}

void StorageNode::take(const NodeOptions& again, const transport::EventLog& log) {
  NodeOptions rest = again;
  rest.log_level = options_.log_level;
  if (rest != options_) log(transport::LogLevel::warning, "SIGHUP: other options than the log level changed too; they need a restart");
  options_.log_level = again.log_level;
  log.set_lowest(again.log_level);
  log(transport::LogLevel::info, "SIGHUP: the options were read again");
}

int StorageNode::run_until_signal(const std::function<std::optional<NodeOptions>()>& reread) {
  running_ = std::make_unique<Running>();
  const transport::EventLog log(fmt::format("storage {}", options_.id), options_.log_level);
  // Before anybody can know that it serves.
  running_->loop.on_stop_signal([this] { running_->begin_stop(); });
  running_->loop.on_hangup([&] {
    if (const auto again = reread ? reread() : std::nullopt) take(*again, log);
    else log(transport::LogLevel::warning, "SIGHUP: the options stay as they are");
  });
  if (auto ok = running_->start(options_, log); !ok) {
    fmt::print(stderr, "loglog-storage: {}\n", ok.error().message());
    running_.reset();
    return exit_code_of(ok.error().code);
  }
  running_->loop.run();
  running_->end();
  log(transport::LogLevel::info, "stopped");
  running_.reset();
  return 0;
}

}  // namespace loglog::storage
