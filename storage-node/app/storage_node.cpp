// Wires a node: options to core, data directory to engine, driver to host (proto-spec/server),
// which owns the thread, the loop and the pages.
#include "storage-node/app/storage_node.h"

#include <random>
#include <utility>

#include "proto-spec/server/host.h"
#include "proto-spec/transport/address.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "storage-node/app/storage_pages.h"
#include "storage-node/io/uring_segment_file.h"
#include "storage-node/io/uv_storage_driver.h"

namespace loglog::storage {

Result<void> NodeOptions::validate() const {
  if (id == 0) return fail(Errc::bad_configuration, "--id 0: node ids begin with 1");
  if (cluster_name.empty() || cluster_name.size() > log_name_max)
    return fail(
        Errc::bad_configuration,
        fmt::format("--cluster-name \"{}\": give 1 to {} characters", cluster_name, log_name_max));
  if (auto address = transport::split_address(listen); !address)
    return std::unexpected(address.error());
  if (!http.empty())
    if (auto address = transport::split_tcp_address(http); !address)
      return std::unexpected(address.error());
  if (data.empty()) return fail(Errc::bad_configuration, "--data: name a directory");
  // Two of the largest runs, so that a large run finds room while another run waits.
  if (staging_bytes < 2ull * run_size_max)
    return fail(Errc::bad_configuration,
                fmt::format("--staging-bytes {}: at least {} (two of the largest runs)",
                            staging_bytes, 2ull * run_size_max));
  return {};
}

namespace {

/// io_uring is tried by making a ring, because containers may forbid it. A demand for io_uring that
/// cannot be met is an error and not a silent fallback.
Result<std::unique_ptr<FileEngine>> choose_engine(IoEngine wanted, SegmentDirectory& directory,
                                                  transport::Loop& loop) {
  const auto post = [&loop](std::function<void()> work) { loop.post(std::move(work)); };
  const auto watch = [&loop](int descriptor, std::function<void()> work) {
    return loop.watch(descriptor, std::move(work));
  };
  if (wanted != IoEngine::threads)
    if (auto engine = make_uring_engine(directory, watch, post)) return engine;
  if (wanted == IoEngine::uring)
    return fail(Errc::bad_configuration,
                "--io-engine uring: this machine forbids io_uring; use auto or threads");
  return make_thread_engine(directory, post);
}

/// The part of a node that the host runs on its loop.
class StorageService final : public server::Service {
 public:
  explicit StorageService(NodeOptions options) : options_(std::move(options)) {}

  Result<std::string> start(transport::Loop& loop, const transport::EventLog& log) override;
  http::Pages pages(http::LoopGate& gate) override { return pages_of(*driver_, gate); }
  void begin_stop(std::function<void()> stopped) override {
    driver_->begin_stop(std::move(stopped));
  }

 private:
  // The driver uses the directory, so it is destroyed first.
  const NodeOptions options_;
  std::unique_ptr<SegmentDirectory> directory_;
  std::unique_ptr<StorageDriver> driver_;
};

/// Order of a start: valid options, the lock on the directory, the engine, then recovery and the
/// listening socket.
Result<std::string> StorageService::start(transport::Loop& loop, const transport::EventLog& log) {
  const NodeOptions& o = options_;
  if (auto ok = o.validate(); !ok) return std::unexpected(ok.error());
  auto opened = SegmentDirectory::open(o.data, o.direct_io, o.spare_bytes);
  if (!opened) return std::unexpected(opened.error());
  directory_ = std::move(*opened);
  auto engine = choose_engine(o.io_engine, *directory_, loop);
  if (!engine) return std::unexpected(engine.error());
  Options core;
  core.id = NodeId{o.id};
  core.cluster_name = o.cluster_name;
  core.staging.bytes_max = o.staging_bytes;
  core.verify_uploads = o.verify_uploads;
  // The seed makes ids of disks and processes unique, so it must come from real entropy.
  std::random_device entropy;
  const std::uint64_t seed = (std::uint64_t{entropy()} << 32) | entropy();
  driver_ = std::make_unique<StorageDriver>(loop, *directory_, std::move(*engine), std::move(core),
                                            seed, log, [log](const std::string& why) {
                                              log(transport::LogLevel::alarm, why);
                                              // K2: no destructor may run, because a destructor
                                              // could write or acknowledge after the failure.
                                              std::_Exit(exit_disk_failed);
                                            });
  if (auto ok = driver_->start(o.listen); !ok) return std::unexpected(ok.error());
  return driver_->address();
}

std::unique_ptr<server::Host> host_of(const NodeOptions& o) {
  return std::make_unique<server::Host>(std::make_unique<StorageService>(o),
                                        fmt::format("storage {}", o.id), o.log_level, o.http);
}

}  // namespace

StorageNode::StorageNode(NodeOptions options) : options_(std::move(options)) {}
StorageNode::~StorageNode() = default;

Result<void> StorageNode::start() {
  host_ = host_of(options_);
  auto ok = host_->start();
  if (!ok) host_.reset();
  return ok;
}

void StorageNode::begin_stop() {
  if (host_) host_->begin_stop();
}

void StorageNode::stop() { host_.reset(); }
const std::string& StorageNode::address() const { return host_->address(); }
const std::string& StorageNode::http_address() const { return host_->http_address(); }

int StorageNode::run_until_signal(const std::function<std::optional<NodeOptions>()>& reread) {
  return host_of(options_)->run_until_signal("loglog-storage", [&](const transport::EventLog& log) {
    server::apply_reloaded(options_, reread ? reread() : std::nullopt, log);
  });
}

}  // namespace loglog::storage
