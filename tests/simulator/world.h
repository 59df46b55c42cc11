// The simulated world: processes that host the production cores, the network between them, their
// disks, and virtual time.
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

struct WorldOptions {
  std::uint64_t seed = 1;
  int sequencers = 3;
  int storage = 3;
  bool leave_down = false;    ///< healing leaves a storage node and a sequencer down
  bool leave_deaf = false;    ///< healing leaves the leader deaf: what it says still arrives
  bool leave_parted = false;  ///< healing leaves a storage node that its peers do not hear
  bool leave_dark =
      false;  ///< at the end a storage node goes for good, and the power of all others
  int clients = 2;
  std::size_t quiet_clients = 1;  ///< the last ones: no weather reaches them
  Duration network_delay_min = 50us;
  Duration network_delay_max = 500us;
  /// What the links between storage nodes carry, each way of a node, bytes a second; 0: any amount
  /// at once.
  std::uint64_t peer_bytes_per_second = 0;
  bool greedy =
      false;  ///< storage nodes ask their peers for all that they lack at once, against P1
  Duration disk_delay_min = 100us;
  Duration disk_delay_max = 2ms;
  /// Each process's clock starts anywhere and runs up to this much too fast or too slow, in
  /// millionths.
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
  Retention retention;  ///< of the logs that clients write, on `retention_quorum` copies
  std::uint8_t retention_quorum = 2;
  bool stalled_readers = false;
  bool damages_raft_logs = false;
  bool clocks_agree = true;       ///< no plan's fault sets one
  bool most_clocks_agree = true;  ///< … of a majority of sequencers
  Bugs bugs;
  bool trace = false;
};

/// How many faults of each kind were injected.
struct FaultCounts {
  std::map<std::string, std::uint64_t> by_kind;
  void count(const std::string& kind, std::uint64_t n = 1) { by_kind[kind] += n; }
};

/// Of a storage node whose readers may take nothing; a short run reaches it.
inline constexpr std::uint64_t reachable_pages_in_flight = 256u << 10;

class World;

/// What a wall clock that nothing has set shows then, Unix milliseconds.
std::uint64_t wall_ms_at(Time t);

/// One process: an address, a life (incarnation), the connections it has.
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
  /// Asks it to stop by itself, as SIGTERM does; `then` is called when it has, not where it dies of
  /// something else meanwhile.
  void stop(std::function<void()> then);
  bool stopping() const { return when_stopped_ != nullptr; }
  void pause(Duration how_long);
  bool paused() const;
  /// For so long everything it does takes `cost` each.
  void slow_down(Duration how_long, Duration cost);
  /// Its own monotonic clock: another start and another rate in every life.
  Time now() const;
  /// Its wall clock, Unix milliseconds; jumps when told to.
  std::uint64_t wall_ms() const;
  void jump_wall_clock(std::int64_t ms) { wall_offset_ms_ += ms; }

  /// Runs `what` in this process's time: dropped when the process died meanwhile, late when it is
  /// paused.
  void deliver(std::uint64_t life, std::function<void()> what);

  virtual Hello hello() const = 0;
  virtual void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) = 0;
  virtual void on_connect_failed(std::uint64_t dial_key, ConnectionId id) = 0;
  virtual void on_disconnected(ConnectionId id) = 0;
  virtual void on_arrived(ConnectionId id, RequestId request, Message&& m) = 0;

  ConnectionId next_connection() { return ConnectionId{++connections_}; }
  /// Its connections stand, and nothing that is sent to it leaves the sender's queue.
  bool takes_nothing = false;
  /// Rolling upgrade: this process says that it speaks the next protocol version too.
  bool upgraded = false;

 protected:
  Hello spoken(Hello h) const {
    if (upgraded) ++h.highest_version;
    return h;
  }
  virtual void on_start() = 0;
  virtual void on_kill() = 0;
  virtual void on_stop() { stopped(); }
  /// Where it was asked to stop, it has.
  void stopped();
  /// `t` by its own clock.
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

/// Connections with FIFO delivery; messages cross as bytes, so that the codec runs too. TCP neither
/// loses, repeats nor reorders what crosses one connection; what a peer can see instead is a
/// connection that breaks in mid-stream with a prefix delivered, one of which the other side hears
/// much later, and a byte changed on the way.
class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(World& world) : world_(world) {}
  ~SimulatedNetwork();
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;

  /// Dials `address` from `from`; its own end has id `id`. Answers on_connected or
  /// on_connect_failed with `dial_key`.
  void dial(Process& from, const std::string& address, ConnectionId id, std::uint64_t dial_key);
  void send(Process& from, ConnectionId id, RequestId request, const Message& m);
  void close(Process& from, ConnectionId id);
  void process_died(Process& p);
  /// The other end of this connection is a process that takes nothing.
  bool ends_at_a_stalled_one(const Process& from, ConnectionId id);

  /// Breaks one open connection by chance, some of what is under way still comes; false: none is
  /// open.
  bool break_one(Random& random);
  /// One end loses its connection and may dial anew; the other end gets what was sent to it up to
  /// `late` after, and only then hears of the break.
  bool break_late(Random& random, Duration late);
  /// Changes one byte of a message to be sent soon.
  void corrupt_next() { ++to_corrupt_; }
  /// Breaks every open connection between the two.
  void break_between(const Process& a, const Process& b);
  /// Nothing from `a` reaches `b` until heal(). What was sent waits, as TCP would make it.
  void block(const std::string& a, const std::string& b) {
    if (!calm_) blocked_.insert({a, b});
  }
  /// These two hear each other again; what waited comes.
  void unblock(const Process& a, const Process& b);
  bool partitioned() const { return !blocked_.empty(); }
  void heal();
  /// Heals for good: no trap lies any more, nothing is held; a fault that comes later was scheduled
  /// before, and does nothing.
  void calm_down();
  bool calm() const { return calm_; }
  /// Nothing reaches `p` from now on, for good; what it says still arrives.
  void deafen(const Process& p) { deaf_.insert(p.address()); }
  /// Neither of the two hears the other from now on, for good.
  void part(const Process& a, const Process& b);

  /// Most bytes that one connection between storage nodes ever held: sent, and not yet there.
  std::uint64_t peer_queue_most() const { return peer_queue_most_; }
  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Of all that was sent, in order: two runs that are the same have the same.
  std::uint64_t fingerprint() const { return fingerprint_; }
  /// Looks at every message as it is sent.
  std::function<void(const Process& from, const Process& to, const Message&)> tap;
  /// A message that a trap is shown as it is sent, and what may become of it there.
  struct Caught {
    const Process& from;
    const Process& to;
    const Message& message;
    /// It is lost with its connection.
    std::function<void()> lose;
    /// The sender's end breaks and may be dialled anew; the receiver gets the message when what is
    /// returned is called, and then hears of the break.
    std::function<std::function<void()>()> hold;
  };
  /// True: that was what it waited for, and it goes.
  using Trap = std::function<bool(Caught&)>;
  /// Until everything is healed. What it blocks stops this message too.
  void lay(Trap trap) {
    if (!calm_) traps_.push_back(std::move(trap));
  }
  /// A trap that only looks, until it answers false.
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
    Time last_delivery{};      // of what this end receives
    Time deaf_from = never;    // the connection broke: what would come later does not
    std::uint64_t queued = 0;  // bytes on their way to this end
    bool told = false;         // on_connected was delivered
    bool held = false;         // nothing comes for now
    std::vector<std::function<void()>> waiting{};  // held or blocked by a partition, in order
    Role role{};
  };
  struct Link {
    End ends[2];
    bool open = true;
    std::uint8_t version = hello_version;  ///< that was agreed on
    std::uint64_t dial_key = 0;            ///< of the dialling side, for the answer that it failed
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
  std::map<std::pair<const Process*, std::uint64_t>, LinkPtr>
      links_;  // by (process, connection id)
  std::set<std::pair<std::string, std::string>> blocked_;
  std::set<std::string> deaf_;
  std::set<std::pair<std::string, std::string>> parted_;
  bool calm_ = false;
  std::list<Trap> traps_;
  std::vector<std::pair<LinkPtr, int>> held_;  // by a trap
  std::vector<std::pair<LinkPtr, int>> stalled_;
  std::map<std::string, Time> out_free_,
      in_free_;  // when a node's link is done with what was sent, each way
  std::uint64_t peer_queue_most_ = 0;
  std::uint64_t to_corrupt_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t fingerprint_ = 0;
};

class StorageProcess final : public Process {
 public:
  StorageProcess(World& world, NodeId id, std::string address);
  void power_cut();
  /// The node-wide promise is being saved.
  bool saves_promise() const;
  /// A power cut that tears the promise's slot: its first bytes are new, the rest is old.
  void power_cut_in_promise();
  /// What is lost, or the old disk back. Only while the process is down.
  void lose_disk(Loss what);
  void return_disk();
  bool disk_is_away() const { return away_.has_value(); }
  SimulatedDisk disk;
  int disk_slowness = 1;  ///< each operation takes so many times as long
  NodeId id() const { return id_; }
  Duration log_disk_slower_by{};  ///< added to what each operation on a log's files takes
  storage::StorageMachine* machine() { return machine_.get(); }

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
  void perform();
  Duration disk_delay();
  void next_on_strand(LogId log);
  void finished(LogId log);
  void disk_failed(LogId log);

  NodeId id_;
  std::unique_ptr<storage::StorageMachine> machine_;
  std::map<LogId, std::vector<storage::DiskRequest>> strands_;  // front is under way
  std::optional<SimulatedDisk> away_;  // the disk as it was, which is to come back
  Loss lost_{};
};

class SequencerProcess final : public Process {
 public:
  SequencerProcess(World& world, sequencer::Options options, std::string address);
  sequencer::SequencerMachine* machine() { return machine_.get(); }
  bool fail_next_save = false;
  Duration saves_slower_by{};  ///< added to what each save takes
  /// A few saves more find space in the reserve; then they wait.
  bool disk_is_full = false;
  /// The disk has space, which the process learns by asking for it once a second.
  void empty_disk();
  /// It begins anew with an empty disk. Only while the process is down.
  void lose_disk() { disk_ = older_disk_ = {}; }
  /// Records of its raft.log that its mark covers are bad: what it had a while ago is what can be
  /// read (C3). False: that is all it has.
  bool damage_log();
  /// Its next start cannot read raft.log.
  void make_log_unreadable() { unreadable_ = true; }
  /// Keeps what is on its disk now; puts back what was kept, and keeps what was there. The latter
  /// only while the process is down.
  void back_up() { backup_ = disk_; }
  void swap_backup() { std::swap(disk_, backup_); }
  /// What it would find if it began anew now.
  const sequencer::RaftDisk& disk() const { return disk_; }

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
  void dial(const std::string& address);
  void redial(const std::string& address, Duration delay);
  void saved(const sequencer::SaveRaft& save);
  bool has_space();

  sequencer::Options options_;
  sequencer::RaftDisk disk_;
  sequencer::RaftDisk
      older_disk_;  // as it was up to a second ago (Bug::forgets_raft_saves, damage)
  sequencer::RaftDisk
      backup_;  // the older directory, or the newest while the older one is in its place
  bool unreadable_ = false;
  Time older_at_{};
  int reserve_ = reserve_saves;
  static constexpr int reserve_saves = 8;
  static constexpr Duration space_asked_every = 1s;
  std::unique_ptr<sequencer::SequencerMachine> machine_;
  std::vector<sequencer::SaveRaft> saves_;        // front is under way
  std::map<std::uint64_t, std::string> dialled_;  // connection id → address
};

class ClientProcess final : public Process {
 public:
  ClientProcess(World& world, client::Options options, std::string name);
  client::ClientMachine& machine() { return *machine_; }
  /// Runs `call` on the machine, then performs what it asks for.
  void call(const std::function<void(client::ClientMachine&)>& call);
  std::function<void(const client::Completed&)> on_completed;

  /// The application in this process begins anew.
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

class World {
 public:
  explicit World(const WorldOptions& options);

  void start_all();
  void stop_at_violation(const std::string& what);
  bool violated() const { return violation_.has_value(); }
  const std::optional<std::string>& violation() const { return violation_; }
  void trace(const std::string& who, const std::string& what);
  bool has(Bug b) const { return options.bugs.contains(b); }
  /// A process ended itself because its disk failed (K2): whoever makes the weather starts it
  /// again.
  std::function<void(Process&)> on_disk_failure;

  Duration network_delay();
  Duration disk_delay();
  Process* find(const std::string& address);
  const std::vector<Process*>& storage_as_processes() const { return storage_processes_; }
  const std::vector<Process*>& sequencers_as_processes() const { return sequencer_processes_; }
  const std::vector<Process*>& clients_as_processes() const { return client_processes_; }

  const WorldOptions options;
  Scheduler scheduler;
  Random random;
  SimulatedNetwork network;
  FaultCounts faults;
  /// With leave_parted, the storage node that its peers do not hear; else null.
  const Process* parted = nullptr;
  /// With leave_down, the storage node that is to stay down; null: any.
  const Process* gone_for_good = nullptr;
  /// All sequencers run on directories that are older than what they had.
  bool old_directories = false;
  /// A replica has lost what it held, and counts as down until the next term.
  bool tails_were_lost = false;
  /// Clients that a fault hindered themselves: how long their own appends take says nothing of
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
