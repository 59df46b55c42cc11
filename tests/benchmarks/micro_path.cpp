// Rows of loglog-micro for the path of an append through the production cores: a client, a
// sequencer and three storage nodes in a single thread.
// Messages are encoded and decoded as on a socket and handed over in memory; disks answer at once.
// The figures therefore hold the work of cores and codec, without drivers, kernel and disk.
#include <fmt/format.h>

#include <array>
#include <deque>
#include <map>
#include <memory>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/wire/codec.h"
#include "sdk/core/client_machine.h"
#include "sequencer/core/sequencer_machine.h"
#include "storage-node/core/storage_machine.h"
#include "tests/benchmarks/measure.h"

namespace loglog::benchmarks {
namespace {

constexpr std::size_t nodes = 3;
constexpr std::uint64_t unix_ms = 1'700'000'000'000;

// The data directory of a new node.
class EmptyDisk final : public storage::StartupDisk {
 public:
  Result<std::vector<LogId>> logs() override { return std::vector<LogId>{}; }
  Result<LogFiles> files_of(LogId) override { return LogFiles{}; }
  Result<std::vector<Offset>> segments_of(LogId) override { return std::vector<Offset>{}; }
  Result<Bytes> read(LogId, Offset, std::uint64_t, std::uint32_t) override {
    return fail(Errc::io_error, "an empty disk");
  }
  Result<std::uint64_t> file_size(LogId, Offset) override { return 0; }
  Result<Bytes> file(const std::string&) override { return Bytes{}; }
};

// An end of a connection: the bytes that wait to be received here, and the peer end at which bytes
// sent from here arrive.
struct End {
  ConnectionId id{};
  std::size_t place = 0;  // index of the owner
  End* peer = nullptr;
  MessageDecoder decoder;
  std::deque<Encoded> waiting;
};
struct Arrival {
  ConnectionId from;
  RequestId request;
  Message message;
};

/// The five cores with their connections. A turn of a core takes everything that arrived and then
/// performs the core's output, as drivers do.
class Circuit {
 public:
  enum Part : std::size_t { sdk, sequencer, storage, codec, parts };
  static constexpr std::size_t client_place = 0, sequencer_place = 1, first_node = 2;

  Circuit();
  /// Appends `runs` runs of `entries` entries each, and waits until all are acknowledged.
  void append(std::uint32_t runs, std::uint32_t entries, const Bytes& payload);
  /// Returns the cost since the last call, by part, and resets it.
  std::array<Cost, parts> take_cost() { return std::exchange(cost_, {}); }

 private:
  // The measured work, by part. Each part is a function that is never inlined, so that
  // instructions.py finds its cost by name.
  [[gnu::noinline]] void in_sdk_append(std::uint32_t entries, const Bytes& payload);
  [[gnu::noinline]] void in_sdk(std::vector<Arrival>& arrivals);
  [[gnu::noinline]] void in_sequencer(std::vector<Arrival>& arrivals);
  [[gnu::noinline]] void in_storage(std::size_t node, std::vector<Arrival>& arrivals);
  [[gnu::noinline]] static Encoded in_codec_encode(RequestId request, const Message& m) {
    return encode(request, m);
  }
  [[gnu::noinline]] static void in_codec_decode(End& end, std::vector<Arrival>& arrivals);

  void connect_client(const client::Connect& c);
  bool turn();
  bool turn_client();
  bool turn_sequencer();
  bool turn_node(std::size_t node);
  std::vector<Arrival>& receive(std::size_t place);
  template <class Send>
  void send(std::size_t place, const Send& s);
  void pass(Duration d);
  template <class Done>
  void until(Done done);

  Time now_{1s};
  std::array<Cost, parts> cost_{};
  client::ClientMachine client_;
  sequencer::SequencerMachine sequencer_;
  std::array<std::unique_ptr<storage::StorageMachine>, nodes> storage_;
  std::array<std::vector<storage::DiskRequest>, nodes> disk_;
  std::vector<sequencer::SaveRaft> saves_;
  std::deque<End> ends_;
  std::array<std::map<ConnectionId, End*>, first_node + nodes> at_;
  std::array<std::deque<End*>, first_node + nodes> due_;
  std::array<Time, first_node + nodes> wake_;
  std::vector<Arrival> arrivals_;
  std::uint64_t connections_ = 1u << 20;  // above the ids that the client gives
  std::uint64_t tokens_ = 0;
  std::uint64_t acknowledged_ = 0;
  LogId log_{};
};

client::Options client_options() {
  client::Options o;
  o.addresses = {"sequencer:1"};
  return o;
}
sequencer::Options sequencer_options() {
  sequencer::Options o;
  o.id = SequencerId{1};
  o.cluster_name = "micro";
  o.sequencers = {{SequencerId{1}, "sequencer:1"}};
  for (std::uint32_t i = 1; i <= nodes; ++i)
    o.storage.push_back({NodeId{i}, DiskId{}, fmt::format("{}:1", i)});
  return o;
}

Circuit::Circuit() : client_(client_options(), 42), sequencer_(sequencer_options(), {}, 43) {
  wake_.fill(never);
  sequencer_.start(now_, unix_ms);
  EmptyDisk empty;
  for (std::size_t i = 0; i < nodes; ++i) {
    storage::Options o;
    o.id = NodeId{static_cast<std::uint32_t>(i + 1)};
    o.cluster_name = "micro";
    storage_[i] = std::make_unique<storage::StorageMachine>(o, 44 + i);
    check(storage_[i]->start(now_, empty).has_value(), "a node does not start on an empty disk");
  }
  until([this] { return sequencer_.leading_term() != Term{}; });
  for (std::size_t i = 0; i < nodes; ++i) {
    const ConnectionId here{++connections_}, there{++connections_};
    End& a = ends_.emplace_back(End{here, sequencer_place, nullptr, MessageDecoder(), {}});
    End& b = ends_.emplace_back(End{there, first_node + i, &a, MessageDecoder(), {}});
    a.peer = &b;
    at_[a.place][here] = &a;
    at_[b.place][there] = &b;
    sequencer_.connected(now_, {here, storage_[i]->hello()});
    storage_[i]->connected(now_, {there, sequencer_.hello(), {}});
  }
  pass(1s);
  client_.create_log(now_, client::Token{++tokens_}, "log", {}, now_ + 60s);
  until([this] { return log_ != LogId{}; });
  // The first append opens connections and the log; its cost does not count.
  append(1, 1, Bytes::copy_of("x"));
  take_cost();
}

void Circuit::append(std::uint32_t runs, std::uint32_t entries, const Bytes& payload) {
  const std::uint64_t goal = acknowledged_ + std::uint64_t{runs} * entries;
  for (std::uint32_t r = 0; r < runs; ++r) {
    {
      const Metered metered(cost_[sdk]);
      in_sdk_append(entries, payload);
    }
    turn_client();
  }
  until([&] { return acknowledged_ == goal; });
  now_ += 100us;
}

// The measured parts.
void Circuit::in_sdk_append(std::uint32_t entries, const Bytes& payload) {
  for (std::uint32_t i = 0; i < entries; ++i)
    client_.append(now_, client::Token{++tokens_}, log_, payload, false, now_ + 60s);
}
void Circuit::in_sdk(std::vector<Arrival>& arrivals) {
  for (Arrival& a : arrivals) client_.arrived(now_, {a.from, a.request, std::move(a.message)});
  if (now_ >= wake_[client_place]) client_.tick(now_);
  client_.output();
}
void Circuit::in_sequencer(std::vector<Arrival>& arrivals) {
  for (Arrival& a : arrivals) sequencer_.arrived(now_, {a.from, a.request, std::move(a.message)});
  for (const auto& s : saves_) sequencer_.save_done(now_, {s.ticket});
  if (now_ >= wake_[sequencer_place]) sequencer_.tick(now_, unix_ms);
  sequencer_.output();
}
void Circuit::in_storage(std::size_t node, std::vector<Arrival>& arrivals) {
  storage::StorageMachine& m = *storage_[node];
  for (Arrival& a : arrivals) m.arrived(now_, {a.from, a.request, std::move(a.message)});
  for (const auto& d : disk_[node]) m.disk_done(now_, {d.ticket, Errc::ok, {}, {}});
  if (now_ >= wake_[first_node + node]) m.tick(now_);
}
void Circuit::in_codec_decode(End& end, std::vector<Arrival>& arrivals) {
  for (;;) {
    auto next = end.decoder.next();
    check(next.has_value(), "a message that was encoded is refused");
    if (!*next) return;
    arrivals.push_back({end.id, (*next)->request, std::move((*next)->message)});
  }
}

// The drivers' work, which is not measured: a turn takes everything that arrived, then performs the
// core's output.
std::vector<Arrival>& Circuit::receive(std::size_t place) {
  arrivals_.clear();
  for (; !due_[place].empty(); due_[place].pop_front()) {
    End& end = *due_[place].front();
    for (; !end.waiting.empty(); end.waiting.pop_front()) {
      for (ByteSpan left :
           {ByteSpan(end.waiting.front().head), ByteSpan(end.waiting.front().tail)}) {
        while (!left.empty()) {
          const auto room = end.decoder.writable();
          const std::size_t n = std::min(room.size(), left.size());
          std::memcpy(room.data(), left.data(), n);  // the kernel's part of receiving
          left = left.subspan(n);
          const Metered metered(cost_[codec]);
          end.decoder.filled(n);
          in_codec_decode(end, arrivals_);
        }
      }
    }
  }
  return arrivals_;
}

template <class Send>
void Circuit::send(std::size_t place, const Send& s) {
  const auto found = at_[place].find(s.to);
  if (found == at_[place].end()) return;
  End* to = found->second->peer;
  Encoded bytes;
  {
    const Metered metered(cost_[codec]);
    bytes = in_codec_encode(s.request, s.message);
  }
  if (to->waiting.empty()) due_[to->place].push_back(to);
  to->waiting.push_back(std::move(bytes));
}

void Circuit::connect_client(const client::Connect& c) {
  const std::size_t place = c.address == "sequencer:1"
                                ? sequencer_place
                                : first_node + static_cast<std::size_t>(c.address[0] - '1');
  const ConnectionId there{++connections_};
  End& a = ends_.emplace_back(End{c.connection, client_place, nullptr, MessageDecoder(), {}});
  End& b = ends_.emplace_back(End{there, place, &a, MessageDecoder(), {}});
  a.peer = &b;
  at_[client_place][a.id] = &a;
  at_[place][there] = &b;
  if (place == sequencer_place) sequencer_.connected(now_, {there, client_.hello()});
  else storage_[place - first_node]->connected(now_, {there, client_.hello(), {}});
  client_.connected(
      now_, {c.connection, place == sequencer_place ? sequencer_.hello()
                                                    : storage_[place - first_node]->hello()});
}

bool Circuit::turn_client() {
  auto& arrivals = receive(client_place);
  {
    const Metered metered(cost_[sdk]);
    in_sdk(arrivals);
  }
  client::Output& o = client_.output();
  const bool busy = !o.connects.empty() || !o.sends.empty() || !o.completed.empty();
  for (const client::Completed& c : o.completed) {
    if (std::holds_alternative<client::Appended>(c.result)) ++acknowledged_;
    else if (const auto* made = std::get_if<client::LogDescription>(&c.result))
      log_ = made->info.id;
    else check(false, "a call of the client failed");
  }
  std::vector<client::Connect> connects;
  connects.swap(o.connects);
  for (const auto& s : o.sends) send(client_place, s);
  wake_[client_place] = o.wake;
  o.clear();
  for (const auto& c : connects) connect_client(c);
  return busy;
}

bool Circuit::turn_sequencer() {
  auto& arrivals = receive(sequencer_place);
  {
    const Metered metered(cost_[sequencer]);
    in_sequencer(arrivals);
  }
  saves_.clear();
  sequencer::Output& o = sequencer_.output();
  const bool busy = !o.saves.empty() || !o.sends.empty();
  saves_.swap(o.saves);
  for (const auto& s : o.sends) send(sequencer_place, s);
  wake_[sequencer_place] = o.wake;
  o.clear();
  return busy;
}

bool Circuit::turn_node(std::size_t node) {
  auto& arrivals = receive(first_node + node);
  {
    const Metered metered(cost_[storage]);
    in_storage(node, arrivals);
  }
  disk_[node].clear();
  storage::Output& o = storage_[node]->output();
  const bool busy = !o.disk.empty() || !o.sends.empty();
  disk_[node].swap(o.disk);
  for (const auto& s : o.sends) send(first_node + node, s);
  // Copies between nodes would mean that a message was lost.
  check(o.connects.empty(), "a node wants to copy from another where nothing is lost");
  wake_[first_node + node] = o.wake;
  o.clear();
  return busy;
}

bool Circuit::turn() {
  bool busy = turn_client();
  busy |= turn_sequencer();
  for (std::size_t i = 0; i < nodes; ++i) busy |= turn_node(i);
  return busy;
}
void Circuit::pass(Duration d) {
  for (const Time end = now_ + d; now_ < end; now_ += 1ms) turn();
}
/// Runs turns until `done()`; virtual time moves only when nothing happens.
template <class Done>
void Circuit::until(Done done) {
  const Time limit = now_ + 60s;
  while (!done()) {
    check(now_ < limit, "the path of an append stands still");
    if (!turn()) now_ += 1ms;
  }
}

struct Shape {
  std::uint32_t size, entries, runs;
};

}  // namespace

void path_rows(Table& table) {
  // Costs are of a run; the three storage nodes are added together.
  for (const Shape& s :
       {Shape{128, 1, 1}, {1024, 1, 1}, {1024, 16, 1}, {1024, 64, 4}, {65'536, 1, 4}}) {
    table.heading(
        fmt::format("Path of a run of {} × {} B, {} in flight", s.entries, s.size, s.runs),
        "part, a run");
    std::unique_ptr<Circuit> circuit;
    const Bytes payload = Bytes::copy_of(std::string(s.size, 'x'));
    table.rows({"SDK core", "sequencer core", "3 storage cores", "codec, all ends"},
               [&](std::uint64_t times) {
                 if (!circuit) circuit = std::make_unique<Circuit>();
                 for (std::uint64_t i = 0; i < times; ++i)
                   circuit->append(s.runs, s.entries, payload);
                 const auto cost = circuit->take_cost();
                 std::vector<Cost> of_runs;
                 for (const Cost& c : cost) of_runs.push_back(c / s.runs);
                 return of_runs;
               });
  }
}

int count_instructions(std::uint64_t appends, std::uint32_t size, std::uint32_t entries_per_run) {
  Circuit circuit;
  const Bytes payload = Bytes::copy_of(std::string(size, 'x'));
  std::uint64_t done = 0;
  for (; done < appends; done += entries_per_run) circuit.append(1, entries_per_run, payload);
  fmt::print("{} appends of {} B\n", done, size);
  return 0;
}

}  // namespace loglog::benchmarks
