// The simulated world: processes that host the production cores, the network between them, their
// disks, and virtual time. The processes are drivers like `io/` in the product: they perform a
// core's `Output` and decide nothing. run.cpp builds a world; the weather and the workload act on
// it. Everything runs in a single thread.
#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/random.h"
#include "sdk/core/client_machine.h"
#include "sequencer/core/sequencer_machine.h"
#include "storage-node/core/storage_machine.h"
#include "tests/simulator/bugs.h"
#include "tests/simulator/scheduler.h"
#include "tests/simulator/simulated_disk.h"

namespace loglog::simulator {

/// The fixed conditions of a run; `run` fills them from a plan. Comments that name an Options type
/// copy that option's meaning.
struct WorldOptions {
  std::uint64_t seed = 1;
  int sequencers = 3;
  int storage = 3;
  bool leave_down = false;    ///< healing leaves a storage node and a sequencer down
  bool leave_deaf = false;    ///< healing leaves the leader deaf: its messages still arrive
  bool leave_parted = false;  ///< healing leaves a storage node that no peer hears
  /// Near the end a storage node goes for good, and all others lose power.
  bool leave_dark = false;
  int clients = 2;
  std::size_t quiet_clients = 1;  ///< the last clients, which no weather reaches
  Duration network_delay_min = 50us;
  Duration network_delay_max = 500us;
  /// Bytes per second that a storage node's links to its peers carry, each way; 0: unlimited.
  std::uint64_t peer_bytes_per_second = 0;
  /// Storage nodes ask their peers at once for everything that they lack, against P1.
  bool greedy = false;
  std::uint64_t entry_bytes_most = 0;  ///< of the entries that clients append
  Duration disk_delay_min = 100us;
  Duration disk_delay_max = 2ms;
  /// Each process's clock starts at a random time. Its rate is wrong by up to this many millionths,
  /// fast or slow.
  std::int64_t clock_drift_ppm_max = 0;
  std::size_t producers_max = 65'536;  ///< sequencer::Options
  std::uint64_t staging_bytes_max = 256u << 20;
  std::uint64_t idle_file_bytes = 1u << 20;  ///< storage::Options
  std::uint32_t reference_window = 65'536;   ///< sequencer::Options
  std::uint64_t snapshot_every = 1024;       ///< sequencer::Options
  std::size_t unwritten_per_producer = 64;   ///< sequencer::Options
  bool rest = false;                         ///< sequencer::Options
  bool eager = false;                        ///< client::Options
  bool observed = false;                     ///< client::Options
  /// Of the logs that clients write, judged on `retention_quorum` durable copies.
  Retention retention;
  std::uint8_t retention_quorum = 2;
  bool stalled_readers = false;
  bool damages_raft_logs = false;
  bool raises = false;            ///< the plan raises the cluster, so its directories are watched
  bool clocks_agree = true;       ///< no fault of the plan sets a clock wrong
  bool most_clocks_agree = true;  ///< no fault sets the clocks of a majority of sequencers wrong
  Bugs bugs;
  bool trace = false;
};

/// How many faults of each kind were injected.
struct FaultCounts {
  std::map<std::string, std::uint64_t> by_kind;
  void count(const std::string& kind, std::uint64_t n = 1) { by_kind[kind] += n; }
};

/// The page budget of storage nodes with stalled readers, bytes; small, so that a short run reaches
/// it.
inline constexpr std::uint64_t reachable_pages_in_flight = 256u << 10;

class World;

/// The reading at `t` of a wall clock that was never set, in Unix milliseconds.
std::uint64_t wall_ms_at(Time t);

/// A process: an address, a life (incarnation) that every start counts up, clocks of its own, and
/// its connections. Work of an earlier life is dropped.
class Process {
 public:
  Process(World& world, std::string address, std::string name)
      : world_(world), address_(std::move(address)), name_(std::move(name)) {}
  virtual ~Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& address() const { return address_; }
  const std::string& name() const { return name_; }
  bool alive() const { return alive_; }
  std::uint64_t life() const { return life_; }

  void start();
  void kill();
  /// Asks the process to stop by itself, as SIGTERM does. `then` is called once it has stopped, but
  /// not if it dies for another reason.
  void stop(std::function<void()> then);
  bool stopping() const { return when_stopped_ != nullptr; }
  void pause(Duration how_long);
  bool paused() const;
  /// For `how_long` each event of the process takes `cost`.
  void slow_down(Duration how_long, Duration cost);
  /// The process's own monotonic clock: another start and another rate in every life.
  Time now() const;
  /// The process's wall clock in Unix milliseconds; it jumps when told to.
  std::uint64_t wall_ms() const;
  void jump_wall_clock(std::int64_t ms) { wall_offset_ms_ += ms; }

  /// Runs `what` in the process's time: dropped if that life is over, delayed if the process is
  /// paused or slow.
  void deliver(std::uint64_t life, std::function<void()> what);

  virtual Hello hello() const = 0;
  virtual void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) = 0;
  virtual void on_connect_failed(std::uint64_t dial_key, ConnectionId id) = 0;
  virtual void on_disconnected(ConnectionId id) = 0;
  virtual void on_arrived(ConnectionId id, RequestId request, Message&& m) = 0;

  ConnectionId next_connection() { return ConnectionId{++connections_}; }
  /// The process's connections stand, but bytes sent to it never leave the sender's queue.
  bool takes_nothing = false;
  /// Rolling upgrade: the process says that it speaks the next protocol version as well.
  bool upgraded = false;
  /// The process runs the program that reads the next version of records (T7) and says so.
  bool reads_next = false;
  /// T7: the version of records that the process's directory names.
  virtual std::uint8_t named_version() const { return record_version_first; }

 protected:
  Hello spoken(Hello h) const {
    if (upgraded) ++h.highest_version;
    if (reads_next) h.highest_version = RaiseClusterVersion::since_version;
    return h;
  }
  /// The highest version of records that the process's program reads.
  std::uint8_t record_version() const {
    return static_cast<std::uint8_t>(record_version_first + (reads_next ? 1 : 0));
  }
  /// An older program found a directory of a later version and ended with exit code 5. The operator
  /// starts the newer program.
  void refuse_records();
  virtual void on_start() = 0;
  virtual void on_kill() = 0;
  virtual void on_stop() { stopped(); }
  /// If the process was asked to stop, it has stopped now.
  void stopped();
  /// Calls `tick` at `t` by the process's own clock, unless an earlier wake replaces it.
  void wake_at(Time t, std::function<void()> tick);

  World& world_;

 private:
  std::string address_;
  std::string name_;
  bool alive_ = false;
  std::uint64_t life_ = 0;
  std::uint64_t connections_ = 0;
  Time paused_until_{};
  Time slow_until_{};
  Time busy_until_{};
  Duration slow_cost_{};
  Time wake_ = never;  // by the world's clock
  Time born_{};
  Time clock_at_birth_{};
  std::int64_t drift_ppm_ = 0;
  std::int64_t wall_offset_ms_ = 0;
  std::function<void()> when_stopped_;
};

/// Connections with FIFO delivery. Messages cross as bytes, so that the codec is tested too. TCP
/// neither loses, repeats nor reorders the bytes of a connection. A peer can see three faults
/// instead: a break in mid-stream after a prefix, a break that the other side hears of much later,
/// and a changed byte.
/// Deterministic: all delays and choices come from seeded generators.
class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(World& world) : world_(world) {}
  ~SimulatedNetwork();
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;

  /// Dials `address` from `from`, whose end gets the id `id`. Answers with on_connected or
  /// on_connect_failed, both with `dial_key`.
  void dial(Process& from, const std::string& address, ConnectionId id, std::uint64_t dial_key);
  void send(Process& from, ConnectionId id, RequestId request, const Message& m);
  void close(Process& from, ConnectionId id);
  void process_died(Process& p);
  /// True if the other end of the connection is a process that takes nothing.
  bool ends_at_a_stalled_one(const Process& from, ConnectionId id);

  /// Breaks a random open connection; a prefix of the bytes under way still arrives. Returns false
  /// if none is open.
  bool break_one(Random& random);
  /// A random connection breaks for a single end, which may dial anew. The other end still receives
  /// earlier messages for up to `late`, and only then hears of the break.
  bool break_late(Random& random, Duration late);
  /// Changes a byte of the next message sent.
  void corrupt_next() { ++to_corrupt_; }
  /// Breaks every open connection between the two processes.
  void break_between(const Process& a, const Process& b);
  /// Blocks messages from `a` to `b` until heal(). They wait, as in a TCP send queue.
  void block(const std::string& a, const std::string& b) {
    if (!calm_) blocked_.insert({a, b});
  }
  /// Lets the two processes hear each other again; waiting messages arrive.
  void unblock(const Process& a, const Process& b);
  bool partitioned() const { return !blocked_.empty(); }
  void heal();
  /// Heals for good: removes traps and releases held messages. Faults that were scheduled earlier
  /// do nothing from now on.
  void calm_down();
  bool calm() const { return calm_; }
  /// Nothing reaches `p` any more, for good; its own messages still arrive.
  void deafen(const Process& p) { deaf_.insert(p.address()); }
  /// The two processes never hear each other again.
  void part(const Process& a, const Process& b);

  /// The most bytes that any connection between storage nodes ever held: sent and not delivered.
  std::uint64_t peer_queue_most() const { return peer_queue_most_; }
  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Hash of all messages and their times. Equal runs have equal fingerprints.
  std::uint64_t fingerprint() const { return fingerprint_; }
  /// Sees every message when it is sent.
  std::function<void(const Process& from, const Process& to, const Message&)> tap;
  /// A message that is being sent, as a trap sees it, and the trap's two ways to interfere.
  struct Caught {
    const Process& from;
    const Process& to;
    const Message& message;
    /// The message is lost together with its connection.
    std::function<void()> lose;
    /// The sender's end breaks and may dial anew. The receiver gets the message, and then hears of
    /// the break, when the returned function is called.
    std::function<std::function<void()>()> hold;
  };
  /// Returns true to be removed.
  using Trap = std::function<bool(Caught&)>;
  /// Traps live until they return true or the weather heals. A block that a trap sets applies to
  /// this message too.
  void lay(Trap trap) {
    if (!calm_) traps_.push_back(std::move(trap));
  }
  /// A trap that only looks; it returns false to be removed.
  using Watcher = std::function<bool(const Process& from, const Process& to, const Message&)>;
  void watch(Watcher w) {
    lay([w = std::move(w)](Caught& c) { return !w(c.from, c.to, c.message); });
  }

 private:
  struct End {
    End() = default;
    End(Process* p, std::uint64_t in_life, ConnectionId own) : process(p), life(in_life), id(own) {}
    Process* process = nullptr;
    std::uint64_t life = 0;
    ConnectionId id{};
    Time last_delivery{};      // of the last message to this end, so that order is kept
    Time deaf_from = never;    // the connection broke: messages that would arrive later are dropped
    std::uint64_t queued = 0;  // bytes on their way to this end
    bool told = false;         // on_connected was delivered
    bool held = false;         // a trap holds all messages to this end
    std::vector<std::function<void()>> waiting{};  // messages that are held or blocked, in order
    Role role{};
  };
  /// Protocol state of a connection; both ends share it.
  struct Link {
    End ends[2];
    bool open = true;
    std::uint8_t version = hello_version;  ///< the version that both ends agreed on
    std::uint64_t dial_key = 0;            ///< the dialling side's key, for on_connect_failed
  };
  using LinkPtr = std::shared_ptr<Link>;

  bool is_blocked(const std::string& from, const std::string& to) const {
    return deaf_.contains(to) || blocked_.contains({from, to}) || parted_.contains({from, to});
  }
  void deliver(const LinkPtr& link, int to, std::function<void()> what);
  Time carried(const LinkPtr& link, int to, std::uint64_t bytes);
  void release(const LinkPtr& link, int to);
  void release_all();
  void shut(const LinkPtr& link, int except);
  void end_one(const LinkPtr& link, int end, Time when, bool tell);
  void arrive(const LinkPtr& link, int to, const std::string& from, const Bytes& whole,
              bool damaged);
  void spring(const LinkPtr& link, int to, const Message& m);
  void hear_at_last(const LinkPtr& link, int receiver);
  LinkPtr find(const Process& p, ConnectionId id);
  LinkPtr any(Random& random);

  World& world_;
  /// By (process, connection id).
  std::map<std::pair<const Process*, std::uint64_t>, LinkPtr> links_;
  std::set<std::pair<std::string, std::string>> blocked_;
  std::set<std::string> deaf_;
  std::set<std::pair<std::string, std::string>> parted_;
  bool calm_ = false;
  std::list<Trap> traps_;
  std::vector<std::pair<LinkPtr, int>> held_;  // ends that a trap holds
  std::vector<std::pair<LinkPtr, int>> stalled_;
  /// Per node and direction: when its link has carried everything that was sent.
  std::map<std::string, Time> out_free_, in_free_;
  std::uint64_t peer_queue_most_ = 0;
  std::uint64_t to_corrupt_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t fingerprint_ = 0;
};

/// A storage node: hosts the production core, performs its Output on the simulated disk and
/// network.
class StorageProcess final : public Process {
 public:
  StorageProcess(World& world, NodeId id, std::string address);
  void power_cut();
  /// True while the node-wide promise is being saved (T3).
  bool saves_promise() const;
  /// A power cut that tears the promise's slot: its first bytes are new, the rest is old.
  void power_cut_in_promise();
  /// Takes a part of the disk away, or puts the old disk back. Only while the process is down.
  void lose_disk(Loss what);
  void return_disk();
  bool disk_is_away() const { return away_.has_value(); }
  SimulatedDisk disk;
  int disk_slowness = 1;  ///< factor on the time of each disk operation
  NodeId id() const { return id_; }
  Duration log_disk_slower_by{};  ///< added to the time of each operation on a log's files
  storage::StorageMachine* machine() { return machine_.get(); }
  std::uint8_t named_version() const override { return disk.named_version(); }

  Hello hello() const override { return spoken(machine_->hello()); }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override;
  void on_kill() override;
  void on_stop() override;
  void start_failed();
  void check_records();
  void perform();
  Duration disk_delay();
  void next_on_strand(LogId log);
  void finished(LogId log);
  void disk_failed(LogId log);

  NodeId id_;
  std::unique_ptr<storage::StorageMachine> machine_;
  /// The first request of each strand is under way.
  std::map<LogId, std::vector<storage::DiskRequest>> strands_;
  std::optional<SimulatedDisk> away_;  // the disk before its loss, which may come back
  Loss lost_{};
};

/// A sequencer: hosts the production core; its saves take time and may fail.
class SequencerProcess final : public Process {
 public:
  SequencerProcess(World& world, sequencer::Options options, std::string address);
  sequencer::SequencerMachine* machine() { return machine_.get(); }
  bool fail_next_save = false;
  Duration saves_slower_by{};  ///< added to the time of each save
  /// The disk is full: a few more saves fit into the reserve, then they wait.
  bool disk_is_full = false;
  /// The disk has space again. The process learns it by asking, once a second.
  void empty_disk();
  /// The next start finds an empty disk. Only while the process is down.
  void lose_disk() { disk_ = older_disk_ = {}; }
  /// Records below the mark of its raft.log go bad, so that the next start reads the state of a
  /// while ago (C3). Returns false if there is no older state.
  bool damage_log();
  /// The next start cannot read raft.log.
  void make_log_unreadable() { unreadable_ = true; }
  /// `back_up` keeps a copy of the directory. `swap_backup` exchanges the directory and the copy,
  /// only while the process is down.
  void back_up() { backup_ = disk_; }
  void swap_backup() { std::swap(disk_, backup_); }
  /// The state that a start would find now.
  const sequencer::RaftDisk& disk() const { return disk_; }
  std::uint8_t named_version() const override { return disk_.record_version; }

  Hello hello() const override { return spoken(machine_->hello()); }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override;
  void on_kill() override;
  void on_stop() override;
  void perform();
  void save_next();
  void save_late();
  void saved(const sequencer::SaveRaft& save);
  void check_records();
  bool has_space();

  sequencer::Options options_;
  sequencer::RaftDisk disk_;
  /// The state up to a second ago (Bug::forgets_raft_saves, damage_log).
  sequencer::RaftDisk older_disk_;
  /// The older directory; the newest directory while the older is in its place.
  sequencer::RaftDisk backup_;
  bool unreadable_ = false;
  Time older_at_{};
  int reserve_ = reserve_saves;
  static constexpr int reserve_saves = 8;
  static constexpr Duration space_asked_every = 1s;
  std::unique_ptr<sequencer::SequencerMachine> machine_;
  std::vector<sequencer::SaveRaft> saves_;  // the first save is under way
};

/// A client: hosts the production core of the SDK; the workload calls it through `call`.
class ClientProcess final : public Process {
 public:
  ClientProcess(World& world, client::Options options, std::string name);
  client::ClientMachine& machine() { return *machine_; }
  /// Runs `call` on the core and performs its Output. Does nothing if the process is down.
  void call(const std::function<void(client::ClientMachine&)>& call);
  std::function<void(const client::Completed&)> on_completed;

  /// Called when the process starts again: its application begins anew.
  std::function<void()> on_restarted;

  Hello hello() const override { return spoken(machine_->hello()); }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override;
  void on_kill() override { machine_.reset(); }
  void perform();

  client::Options options_;
  std::unique_ptr<client::ClientMachine> machine_;
  bool performing_ = false;
};

/// Owns everything that is simulated. Tests and faults read and change it directly.
class World {
 public:
  explicit World(const WorldOptions& options);

  void start_all();
  /// Records the first violation; the run stops after the current event.
  void stop_at_violation(const std::string& what);
  /// A sequencer has newer metadata than any sequencer before. Checks that a loss has a cause.
  void learn(const ClusterMetadata& m);
  /// The cluster's version has risen (T7).
  bool is_raised() const {
    return newest_metadata && newest_metadata->record_version > record_version_first;
  }
  /// The trim point that the newest metadata name for the log; offset 0 if they do not know the
  /// log.
  Offset trimmed_to(LogId log) const;
  /// Called when the first sequencer has the metadata of a raised cluster.
  std::function<void()> on_raised;
  bool violated() const { return violation_.has_value(); }
  const std::optional<std::string>& violation() const { return violation_; }
  /// Prints a line with the simulated time if the run is traced.
  void trace(const std::string& who, const std::string& what);
  bool has(Bug b) const { return options.bugs.contains(b); }
  /// A process ended itself because its disk failed (K2); the weather starts it again.
  std::function<void(Process&)> on_disk_failure;

  Duration network_delay();
  Duration disk_delay();
  /// The process with that address, or nullptr.
  Process* find(const std::string& address);
  const std::vector<Process*>& storage_as_processes() const { return storage_processes_; }
  const std::vector<Process*>& sequencers_as_processes() const { return sequencer_processes_; }
  const std::vector<Process*>& clients_as_processes() const { return client_processes_; }

  const WorldOptions options;
  Scheduler scheduler;
  Random random;
  SimulatedNetwork network;
  FaultCounts faults;
  /// With leave_parted: the storage node that no peer hears; else null.
  const Process* parted = nullptr;
  /// With leave_down: the storage node that must stay down; null if any may.
  const Process* gone_for_good = nullptr;
  /// All sequencers run on directories that are older than their newest.
  bool old_directories = false;
  /// The newest metadata that any sequencer had; of the older directories, since they are used.
  std::optional<ClusterMetadata> newest_metadata;
  /// A replica has lost acknowledged bytes, and counts as down until the next term (T4).
  bool tails_were_lost = false;
  /// Clients that a fault hindered themselves. The duration of their appends proves nothing about
  /// others.
  std::set<const Process*> hindered;
  Duration slowest_append{};
  std::vector<std::unique_ptr<StorageProcess>> storage;
  std::vector<std::unique_ptr<SequencerProcess>> sequencers;
  std::vector<std::unique_ptr<ClientProcess>> clients;

 private:
  std::optional<std::string> violation_;
  std::vector<Process*> storage_processes_;
  std::vector<Process*> sequencer_processes_;
  std::vector<Process*> client_processes_;
};

}  // namespace loglog::simulator
