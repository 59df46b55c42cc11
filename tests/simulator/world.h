// The simulated world: processes that host the production cores, the network between them, their disks, and virtual time.
#pragma once
#include <functional>
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
#include "tests/simulator/scheduler.h"
#include "tests/simulator/simulated_disk.h"

namespace loglog::simulator {

struct WorldOptions {
  std::uint64_t seed = 1;
  int sequencers = 3;
  int storage = 3;
  int clients = 2;
  Duration network_delay_min = 50us;
  Duration network_delay_max = 500us;
  Duration disk_delay_min = 100us;
  Duration disk_delay_max = 2ms;
  bool trace = false;
};

/// How many faults of each kind were injected.
struct FaultCounts {
  std::map<std::string, std::uint64_t> by_kind;
  void count(const std::string& kind, std::uint64_t n = 1) { by_kind[kind] += n; }
};

class World;

/// One process: an address, a life (incarnation), the connections it has.
class Process {
 public:
  Process(World& world, std::string address, std::string name) : world_(world), address_(std::move(address)), name_(std::move(name)) {}
  virtual ~Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& address() const { return address_; }
  const std::string& name() const { return name_; }
  bool alive() const { return alive_; }
  std::uint64_t life() const { return life_; }

  void start();
  void kill();
  void pause(Duration how_long);

  /// Runs `what` in this process's time: dropped when the process died meanwhile, late when it is paused.
  void deliver(std::uint64_t life, std::function<void()> what);

  virtual Hello hello() const = 0;
  virtual void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) = 0;
  virtual void on_connect_failed(std::uint64_t dial_key, ConnectionId id) = 0;
  virtual void on_disconnected(ConnectionId id) = 0;
  virtual void on_arrived(ConnectionId id, RequestId request, Message&& m) = 0;

  ConnectionId next_connection() { return ConnectionId{++connections_}; }

 protected:
  virtual void on_start() = 0;
  virtual void on_kill() = 0;
  void wake_at(Time t, std::function<void()> tick);

  World& world_;

 private:
  std::string address_;
  std::string name_;
  bool alive_ = false;
  std::uint64_t life_ = 0;
  std::uint64_t connections_ = 0;
  Time paused_until_{};
  Time wake_ = never;
};

/// Connections with FIFO delivery; messages cross as bytes, so that the codec runs too.
class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(World& world) : world_(world) {}

  /// Dials `address` from `from`; its own end has id `id`. Answers on_connected or on_connect_failed with `dial_key`.
  void dial(Process& from, const std::string& address, ConnectionId id, std::uint64_t dial_key);
  void send(Process& from, ConnectionId id, RequestId request, const Message& m);
  void close(Process& from, ConnectionId id);
  void process_died(Process& p);
  /// Breaks one open connection by chance; false: none is open.
  bool break_one(Random& random);
  /// Nothing from `a` reaches `b` until heal(). What was sent waits, as TCP would make it.
  void block(const std::string& a, const std::string& b) { blocked_.insert({a, b}); }
  void heal();

  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Looks at every message as it is sent.
  std::function<void(const Process& from, const Process& to, const Message&)> tap;

 private:
  struct End {
    Process* process = nullptr;
    std::uint64_t life = 0;
    ConnectionId id{};
    Time last_delivery{};                        // of what this end receives
    bool told = false;                           // on_connected was delivered
    std::vector<std::function<void()>> waiting;  // blocked by a partition, in order
  };
  struct Link {
    End ends[2];
    bool open = true;
    std::uint64_t dial_key = 0;  ///< of the dialling side, for the answer that it failed
  };
  using LinkPtr = std::shared_ptr<Link>;

  void deliver(const LinkPtr& link, int to, std::function<void()> what);
  void shut(const LinkPtr& link, int except);
  LinkPtr find(const Process& p, ConnectionId id);

  World& world_;
  std::map<std::pair<const Process*, std::uint64_t>, LinkPtr> links_;  // by (process, connection id)
  std::set<std::pair<std::string, std::string>> blocked_;
  std::vector<std::pair<LinkPtr, int>> stalled_;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
};

class StorageProcess final : public Process {
 public:
  StorageProcess(World& world, NodeId id, std::string address);
  void power_cut();
  SimulatedDisk disk;
  storage::StorageMachine* machine() { return machine_.get(); }

  Hello hello() const override { return machine_->hello(); }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override;
  void on_kill() override;
  void perform();
  void next_on_strand(LogId log);

  NodeId id_;
  std::unique_ptr<storage::StorageMachine> machine_;
  std::map<LogId, std::vector<storage::DiskRequest>> strands_;  // front is under way
};

class SequencerProcess final : public Process {
 public:
  SequencerProcess(World& world, sequencer::Options options, std::string address);
  sequencer::SequencerMachine* machine() { return machine_.get(); }

  Hello hello() const override { return machine_->hello(); }
  void on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) override;
  void on_connect_failed(std::uint64_t dial_key, ConnectionId id) override;
  void on_disconnected(ConnectionId id) override;
  void on_arrived(ConnectionId id, RequestId request, Message&& m) override;

 private:
  void on_start() override;
  void on_kill() override;
  void perform();
  void save_next();
  void dial(const std::string& address);
  void redial(const std::string& address, Duration delay);
  std::uint64_t wall_ms() const;

  sequencer::Options options_;
  sequencer::RaftDisk disk_;
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

  Hello hello() const override { return machine_->hello(); }
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
