// Fuzzes a whole storage node (StorageMachine): clients, sequencers and other nodes send valid
// messages with absurd numbers, and disk operations end in any order that a driver may choose.
// Four promises are checked: the node never crashes, its promise (T3) and its committed offset (D5)
// never go back, its staging is bounded (D6), and no step asks for unbounded work.
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "proto-spec/disk/frame.h"
#include "storage-node/core/storage_machine.h"
#include "tests/fuzz/sequence.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr std::size_t steps_max = 400;
constexpr std::size_t disk_operations_max = 20'000;
constexpr std::uint64_t staging_max = 1u << 20;
constexpr LogId log_id{7};
constexpr InstanceId instance{99};

/// The directory of a new node: every listing is empty.
struct EmptyDisk final : StartupDisk {
  Result<std::vector<LogId>> logs() override { return std::vector<LogId>{}; }
  Result<LogFiles> files_of(LogId) override { return LogFiles{}; }
  Result<std::vector<Offset>> segments_of(LogId) override { return std::vector<Offset>{}; }
  Result<Bytes> read(LogId, Offset, std::uint64_t, std::uint32_t) override { return Bytes{}; }
  Result<std::uint64_t> file_size(LogId, Offset) override { return std::uint64_t{0}; }
  Result<Bytes> file(const std::string&) override { return Bytes{}; }
};

/// The bytes that the node wrote, so that later reads return them. Only written bytes take memory,
/// because the fuzzer writes at absurd positions.
class WrittenBytes {
 public:
  void write(LogId log, Offset file, std::uint64_t at, ByteSpan data) {
    auto& bytes = files_[{log, file}];
    for (std::size_t i = 0; i < data.size(); ++i) bytes[at + i] = data[i];
  }
  Bytes read(LogId log, Offset file, std::uint64_t at, std::uint32_t length) {
    const auto& bytes = files_[{log, file}];
    const std::uint64_t end = bytes.empty() ? 0 : bytes.rbegin()->first + 1;
    Bytes out = Bytes::allocate(at >= end ? 0 : std::min<std::uint64_t>(length, end - at));
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto b = bytes.find(at + i);
      out.mutable_data()[i] = b == bytes.end() ? std::byte{0} : b->second;
    }
    return out;
  }

 private:
  std::map<std::pair<LogId, Offset>, std::map<std::uint64_t, std::byte>> files_;
};

LogInfo log_info() {
  return {log_id,
          "orders",
          LogState::open,
          {2, 2, segment_size_min, Durability::sync, {}},
          {{NodeId{1}, {}}, {NodeId{2}, {}}},
          {},
          {},
          {}};
}

/// The input decides each step. With `prompt_` set every disk operation ends at once; otherwise the
/// input decides which operation ends, and when.
class Story {
 public:
  explicit Story(fuzz::Input in) : in_(in) {
    const std::uint8_t kind = in_.byte();
    prompt_ = (kind & 1) != 0;
    Options o;
    o.id = NodeId{1};
    o.cluster_name = "test";
    o.staging.bytes_max = staging_max;
    o.staging.bytes_per_producer_max = staging_max / 4;
    machine_ = std::make_unique<StorageMachine>(o, 7);
  }

  void run() {
    EmptyDisk disk;
    fuzz::require(machine_->start(now_, disk).has_value(), "an empty disk is a new node");
    perform();
    finish_all();
    leader_ = connect(Role::sequencer, 1);
    connect(Role::client, 0);
    connect(Role::storage, 2);
    if (prompt_) set_up();
    for (std::size_t step = 0; step < steps_max && !in_.empty(); ++step) this->step();
    finish_all();
    pass(1s);
    finish_all();
  }

 private:
  /// Connects a peer that names the right cluster. `dialled` is the node id that the node under
  /// test dialled, or zero for an incoming connection.
  ConnectionId connect(Role role, std::uint32_t id, NodeId dialled = {}) {
    auto [c, h] = peers_.connect(role, id);
    h.cluster = ClusterId{5};
    h.cluster_name = "test";
    machine_->connected(now_, {c, h, dialled});
    perform();
    return c;
  }
  /// Takes the log through the steps of a new term (spec/04): metadata, seal, join, reconcile and
  /// term start. The random messages can then refer to an open log.
  void set_up() {
    ClusterMetadata m{RaftIndex{9}, ClusterId{5}, "test",
                      Term{3},      {},           {{NodeId{1}, {}, "a:1"}, {NodeId{2}, {}, "b:1"}},
                      {log_info()}};
    say(leader_, Metadata{m, SequencerId{1}});
    say(leader_, Seal{{}, Term{3}, instance, RaftIndex{9}});
    say(leader_, Join{Term{3}, log_info()});
    say(leader_, Reconcile{log_id, Term{3}, RaftIndex{9}, {}, {}, {}, {}, false, {}, {}, {}, {}});
    order({{{}, make_segment_start_image({})}, {{}, make_term_start_image({})}});
  }
  /// Orders items at the log's current end, as a leader does, so that D2 accepts the order.
  void order(std::vector<OrderItem> items) {
    const LogCore* l = machine_->log(log_id);
    if (l == nullptr) return;
    say(leader_, Order{log_id, Term{3}, RaftIndex{9}, l->written.end, l->written.last_term,
                       l->durable.end, std::move(items)});
  }
  /// A whole and correct run of a producer. The input decides whether it is uploaded, ordered, both
  /// or neither.
  void honest_run() {
    const std::uint8_t how = in_.byte();
    const ProducerId producer{1u + (how >> 6)};
    const std::uint32_t count = 1 + (how & 3);
    std::vector<std::byte> payload(in_.byte());
    Bytes frames = Bytes::allocate(count * (payload.size() + frame_overhead));
    for (std::uint32_t i = 0; i < count; ++i)
      write_frame_image(frames.mutable_data() + i * (payload.size() + frame_overhead),
                        FrameKind::entry, producer, next_[producer] + i, payload);
    const Reference run{producer, next_[producer], count, static_cast<std::uint32_t>(frames.size()),
                        digest_of(frames)};
    next_[producer] = next_[producer] + count;
    heard_.message(Upload{log_id, run, frames});
    if ((how & 4) == 0) say(some_peer(), Upload{log_id, run, frames});
    if ((how & 8) == 0) order({{run, {}}});
    if ((how & 16) == 0 && machine_->log(log_id) != nullptr)
      say(leader_, Watermark{log_id, Term{3}, machine_->log(log_id)->durable.end});
  }

  void step() {
    switch (in_.below(14)) {
      case 0:
        return pass(Duration(1ms) * (1 + in_.byte()));
      case 1:
        return pass(3s);
      case 2:
        return finish_one(in_.byte());
      case 3:
        return finish_all();
      case 4: {
        connect(static_cast<Role>(1 + in_.below(3)), static_cast<std::uint32_t>(in_.below(4)));
        return;
      }
      case 5:
        return disconnect();
      case 6:
      case 7:
        return honest_run();
      case 8:
        return answer_dial();
      default:
        return say_something();
    }
  }
  ConnectionId some_peer() { return peers_.pick(in_).value_or(ConnectionId{}); }
  void say_something() {
    if (const auto c = peers_.pick(in_))
      say(*c, fuzz::any_message(in_, heard_, peers_.find(*c)->role, Role::storage));
  }
  /// Delivers a message if the peer's role may send it; the driver drops other messages before the
  /// core.
  void say(ConnectionId from, Message m) {
    const fuzz::Peers::Peer* p = peers_.find(from);
    if (p == nullptr || !may_send(p->role, Role::storage, type_of(m))) return;
    machine_->arrived(now_,
                      {from, RequestId{static_cast<std::uint32_t>(in_.below(16))}, std::move(m)});
    perform();
    if (prompt_) finish_all();
  }
  void disconnect() {
    const auto c = peers_.pick(in_);
    if (!c) return;
    peers_.erase(*c);
    machine_->disconnected(now_, {*c});
    perform();
  }
  /// Ends an outgoing connection attempt of the node, either by failure or by a connection.
  void answer_dial() {
    if (dialled_.empty()) return;
    const NodeId node = *dialled_.begin();
    dialled_.erase(dialled_.begin());
    if (in_.below(3) == 0) {
      machine_->connect_failed(now_, {node});
      perform();
    } else {
      connect(Role::storage, node.value, node);
    }
  }
  void pass(Duration d) {
    fuzz::pass_time(now_, d, [this] {
      machine_->tick(now_);
      perform();
      if (prompt_) finish_all();
      return true;
    });
  }

  /// Finishes a disk operation that may end now: the oldest of a log's strand, or any operation
  /// that runs beside the strands. `which` picks among them.
  void finish_one(std::size_t which) {
    std::vector<std::size_t> may;
    std::set<LogId> busy;
    for (std::size_t i = 0; i < disk_.size(); ++i) {
      const bool beside = beside_strand(disk_[i].operation);
      const LogId strand = strand_of(disk_[i].operation);
      if (beside || strand == LogId{} || busy.insert(strand).second) may.push_back(i);
    }
    if (may.empty()) return;
    const std::size_t i = may[which % may.size()];
    const DiskRequest r = std::move(disk_[i]);
    disk_.erase(disk_.begin() + static_cast<std::ptrdiff_t>(i));
    machine_->disk_done(now_, done(r));
    perform();
  }
  void finish_all() {
    for (std::size_t n = 0; n < disk_operations_max && !disk_.empty(); ++n) finish_one(0);
  }
  /// Builds the result of a disk operation. Operations that may fail (K5) fail in one of sixteen
  /// cases with `no_space` or `io_error`.
  DiskDone done(const DiskRequest& r) {
    DiskDone d{r.ticket, Errc::ok, {}, {}};
    if (const auto* read = std::get_if<ReadSegment>(&r.operation))
      d.data = bytes_.read(read->log, read->first, read->position, read->length);
    if (const auto* w = std::get_if<WriteGroup>(&r.operation)) {
      std::uint64_t at = w->position;
      for (const Bytes& b : w->buffers) {
        bytes_.write(w->log, w->first, at, b);
        at += b.size();
      }
    }
    if (may_fail(r.operation) && in_.below(16) == 15)
      d.error = in_.below(2) == 0 ? Errc::no_space : Errc::io_error;
    return d;
  }

  void perform() {
    Output& o = machine_->output();
    fuzz::hear_step(heard_, o.sends);
    fuzz::require(disk_.size() + o.disk.size() <= disk_operations_max,
                  "too many disk operations are under way");
    for (DiskRequest& d : o.disk) disk_.push_back(std::move(d));
    for (const ConnectPeer& c : o.connects) dialled_.insert(c.node);
    for (const CloseConnection& c : o.closes) {
      peers_.erase(c.connection);
      closed_.push_back(c.connection);
    }
    o.clear();
    for (const ConnectionId c : std::exchange(closed_, {})) {
      machine_->disconnected(now_, {c});
      perform();
    }
    judge();
  }
  /// Checks the promises after each step; see the head of the file.
  void judge() {
    const Report r = machine_->report();
    fuzz::require(r.promise >= promise_, "the promise went back");
    promise_ = r.promise;
    fuzz::require(r.staged_bytes <= staging_max + run_size_max, "staging has no bound");
    if (const LogCore* l = machine_->log(log_id); l != nullptr && !l->dropped) {
      fuzz::require(l->committed >= committed_, "what is committed went back");
      committed_ = l->committed;
    }
    (void)machine_->readiness(now_);
  }

  fuzz::Input in_;
  fuzz::Heard heard_;
  std::unique_ptr<StorageMachine> machine_;
  Time now_{};
  bool prompt_ = true;  // every disk operation ends at once
  ConnectionId leader_{};
  fuzz::Peers peers_;
  std::deque<DiskRequest> disk_;
  std::set<NodeId> dialled_;
  std::vector<ConnectionId> closed_;
  std::map<ProducerId, Sequence> next_{{ProducerId{1}, Sequence{1}},
                                       {ProducerId{2}, Sequence{1}},
                                       {ProducerId{3}, Sequence{1}},
                                       {ProducerId{4}, Sequence{1}}};
  WrittenBytes bytes_;
  Term promise_{};
  Offset committed_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Story(fuzz::Input(data, size)).run();
  return 0;
}
