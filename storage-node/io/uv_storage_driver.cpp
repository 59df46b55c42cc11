// Runs on the loop's thread. Callbacks gather effects in the machine's output; perform() carries
// them out at the end of each loop turn, so that the events of a turn share disk submissions and
// messages.
#include "storage-node/io/uv_storage_driver.h"

#include <fmt/format.h>

#include <utility>

namespace loglog::storage {
namespace {

/// Pause before an operation that found no descriptor is begun again. Connections that close return
/// descriptors.
constexpr Duration begun_again = 50ms;
/// Pause before an operation that found no space is begun again. Trims and operators free space.
constexpr Duration space_tried_again = 1s;
/// Interval of the alarm about such operations.
constexpr Duration lack_told_again = 10s;

/// Interval at which free space is measured; enough for an alert that looks hours ahead.
constexpr Duration space_every = 5s;

transport::LogLevel level_of(Event::Level l) {
  return static_cast<transport::LogLevel>(static_cast<std::uint8_t>(l));
}

}  // namespace

StorageDriver::StorageDriver(transport::Loop& loop, SegmentDirectory& directory,
                             std::unique_ptr<FileEngine> engine, Options options,
                             std::uint64_t seed, transport::EventLog log,
                             std::function<void(const std::string&)> fatal)
    : loop_(loop),
      directory_(directory),
      engine_(std::move(engine)),
      machine_(std::move(options), seed),
      log_(std::move(log)),
      fatal_(std::move(fatal)) {}

/// Callbacks of the engine and the loop may still come; they see *alive_.
StorageDriver::~StorageDriver() {
  *alive_ = false;
  links_.close_all();
}

Result<void> StorageDriver::start(const std::string& listen_address) {
  if (auto ok = directory_.make_durable(); !ok) return ok;
  if (auto ok = machine_.start(loop_.now(), directory_); !ok) return ok;
  // A fresh identity must be durable before any peer sees it (T4). Therefore the disk operations
  // that the start requested are performed here, blocking and in their order.
  while (!machine_.ready() && !machine_.output().disk.empty()) {
    const std::vector<DiskRequest> first = std::exchange(machine_.output().disk, {});
    for (const DiskRequest& d : first) {
      FileEngine::Outcome done = directory_.perform(d.operation);
      if (done.error != Errc::ok) return fail(done.error, done.detail);
      machine_.disk_done(loop_.now(),
                         {d.ticket, done.error, std::move(done.data), std::move(done.detail)});
    }
  }
  if (auto ok = links_.listen(listen_address, [this] { return machine_.hello(); }); !ok) return ok;
  log_(transport::LogLevel::info,
       fmt::format("serves on {}, files by {}, {} the page cache", links_.address(),
                   engine_->name(), directory_.is_direct() ? "past" : "through"));
  loop_.on_turn_end([this, alive = alive_] {
    if (*alive) perform();
  });
  look_at_space();
  return {};
}

void StorageDriver::look_at_space() {
  machine_.disk_space(directory_.space());
  loop_.after(space_every, [this, alive = alive_] {
    if (*alive) look_at_space();
  });
}

void StorageDriver::begin_stop(std::function<void()> then) {
  if (when_stopped_) return;
  when_stopped_ = std::move(then);
  links_.stop_listening();
  machine_.begin_stop(loop_.now());
}

void StorageDriver::dial(const ConnectPeer& peer) {
  links_.dial(links_.next_id(), peer.address, machine_.hello(), {{Role::storage}, peer.node.value},
              peer.node.value);
}

void StorageDriver::on_connected(const transport::Link& link, const Hello& peer) {
  machine_.connected(loop_.now(), {link.id, peer, NodeId{link.dialled}});
}

void StorageDriver::on_message(ConnectionId from, RequestId request, Message&& m) {
  machine_.arrived(loop_.now(), {from, request, std::move(m)});
  if (links_.outgrown(machine_.pending().sends)) perform();
}

/// A failure before the hello is a failed dial, or nothing: the machine has not heard of the
/// connection.
void StorageDriver::on_disconnected(const transport::Link& link, const Error& why) {
  if (link.connected) machine_.disconnected(loop_.now(), {link.id});
  else if (link.dialled != 0) machine_.connect_failed(loop_.now(), {NodeId{link.dialled}});
  if (why.code != Errc::connection_lost)
    closed_log_(loop_.now(), transport::LogLevel::warning,
                fmt::format("closed a connection: {}", why.message()));
}

/// The turn's end may have passed, so the loop is woken if there is something to perform.
void StorageDriver::on_written(ConnectionId to, std::uint64_t bytes) {
  machine_.written(loop_.now(), {to, bytes});
  if (!machine_.pending().sends.empty() || !machine_.pending().disk.empty()) loop_.post([] {});
}

/// Performs the output in the order that output.h states: events, disk, sends, connects, closes.
void StorageDriver::perform() {
  if (dead_) return;
  Output& o = machine_.output();
  for (const Event& e : o.events) log_(level_of(e.level), e.text);
  for (DiskRequest& d : o.disk) request(std::move(d));
  engine_->submit();
  links_.send(o.sends);
  for (const ConnectPeer& c : o.connects) dial(c);
  for (const CloseConnection& c : o.closes) links_.close(c.connection, c.why);
  const Time wake = o.wake;
  o.clear();
  if (when_stopped_ && machine_.may_stop()) std::exchange(when_stopped_, {})();
  loop_.set_wake(wake, [this, alive = alive_] {
    if (*alive) machine_.tick(loop_.now());
  });
}

/// Begins an operation beside the strands, or appends it to its strand.
void StorageDriver::request(DiskRequest r) {
  if (beside_strand(r.operation)) {
    engine_->start(r.operation, [this, alive = alive_, r](FileEngine::Outcome o) {
      if (!*alive) return;
      if (!must_wait(r.operation, o)) return disk_done(r.ticket, r.operation, std::move(o));
      loop_.after(pause_after(o), [this, alive, r] {
        if (!*alive || dead_) return;
        request(r);
        engine_->submit();
      });
    });
    return;
  }
  const LogId log = strand_of(r.operation);
  auto& queue = strands_[log];
  queue.push_back(std::move(r));
  if (queue.size() == 1) begin_strand(log);
}

/// Begins the front of a strand. Its end begins the next operation before the core hears of it, so
/// that the disk does not wait for the core.
void StorageDriver::begin_strand(LogId log) {
  engine_->start(strands_[log].front().operation,
                 [this, alive = alive_, log](FileEngine::Outcome o) {
                   if (!*alive) return;
                   if (must_wait(strands_[log].front().operation, o)) {
                     loop_.after(pause_after(o), [this, alive, log] {
                       if (!*alive || dead_) return;
                       begin_strand(log);
                       engine_->submit();
                     });
                     return;
                   }
                   auto& queue = strands_[log];
                   const DiskRequest done = std::move(queue.front());
                   queue.pop_front();
                   if (queue.empty()) strands_.erase(log);
                   else begin_strand(log);
                   disk_done(done.ticket, done.operation, std::move(o));
                 });
}

/// True if the operation must be repeated later, with the operations behind it on its strand: the
/// disk is well and nothing was changed (K5, K7). Lack of descriptors delays every operation. Lack
/// of space delays the operations that have no other answer to a full disk. The tombstones have
/// their space, unless the disk was full when the file was made; so has the identity. The name of a
/// segment file needs a block if the directory has no room for it.
bool StorageDriver::must_wait(const DiskOperation& what, const FileEngine::Outcome& outcome) {
  const bool descriptors = outcome.error == Errc::too_many;
  if (!descriptors && may_fail(what)) return false;
  const auto* opens = std::get_if<OpenSegment>(&what);
  const bool space = outcome.error == Errc::no_space &&
                     (opens != nullptr || std::holds_alternative<SaveTombstones>(what) ||
                      std::holds_alternative<SaveFile>(what));
  if (!descriptors && !space) return false;
  if (descriptors) ++figures_.descriptor_waits;
  if (space && opens != nullptr) {
    machine_.opening_waits(loop_.now(), opens->log);
    // Another turn performs the core's output.
    loop_.post([] {});
  }
  if (loop_.now() - lack_told_ >= lack_told_again) {
    lack_told_ = loop_.now();
    log_(transport::LogLevel::alarm,
         fmt::format(
             "{}; the operation waits: {}", outcome.detail,
             descriptors
                 ? "raise the limit of descriptors (LimitNOFILE, ulimit -n) or close connections"
                 : "free space or trim logs"));
  }
  return true;
}

Duration StorageDriver::pause_after(const FileEngine::Outcome& outcome) {
  return outcome.error == Errc::too_many ? begun_again : space_tried_again;
}

/// Failed operations and group sizes, for monitors.
void StorageDriver::count(const DiskOperation& what, const FileEngine::Outcome& outcome) {
  if (outcome.error != Errc::ok) ++figures_.disk_errors;
  if (outcome.sync_took) figures_.sync.count(*outcome.sync_took);
  if (const auto* group = std::get_if<WriteGroup>(&what);
      group != nullptr && !group->buffers.empty()) {
    std::uint64_t bytes = 0;
    for (const Bytes& b : group->buffers) bytes += b.size();
    figures_.group.count(bytes);
  }
}

void StorageDriver::disk_done(Ticket ticket, const DiskOperation& what,
                              FileEngine::Outcome outcome) {
  if (dead_) return;
  if (outcome.error != Errc::ok && !may_fail(what)) {
    // K2: no retry, no acknowledgement.
    dead_ = true;
    return fatal_(fmt::format("{}; the process ends and recovers from the disk at its next start",
                              outcome.detail));
  }
  count(what, outcome);
  if (outcome.error != Errc::ok) log_(transport::LogLevel::debug, outcome.detail);
  machine_.disk_done(loop_.now(),
                     {ticket, outcome.error, std::move(outcome.data), std::move(outcome.detail)});
}

}  // namespace loglog::storage
