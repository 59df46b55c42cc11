// The state of a cluster, as operators see it. Part of <loglog/client.h>.
#pragma once
#include <loglog/entry.h>

#include <cstdint>
#include <string>
#include <vector>

namespace loglog {

/// State of the cluster, as `loglog status` shows it.
struct ClusterReport {
  /// healthy: all nodes and replicas work. degraded: appends and reads are served with less
  /// redundancy. not_serving: appends to some or all logs wait or are refused.
  enum class Health : std::uint8_t { healthy, degraded, not_serving };
  /// A condition that an operator has to end.
  struct Alarm {
    std::string id;         ///< kind, stable: see "What each alarm means" in sequencer/README.md
    bool critical = false;  ///< appends or reads fail, or data are at risk
    std::string what;       ///< the consequence first, then the cause
    std::string action;     ///< the remedy
  };
  /// A sequencer of the cluster.
  struct Sequencer {
    std::uint32_t id = 0;    ///< as the sequencer was started with
    std::string address;     ///< HOST:PORT
    std::string role;        ///< leader, follower, candidate, unreachable
    std::uint64_t term = 0;  ///< Raft term, unrelated to the terms of logs
    /// Highest protocol version that it speaks. 0: unknown, because sequencers of version 1 do not
    /// tell it.
    std::uint32_t protocol = 0;
  };
  /// A registered storage node.
  struct Storage {
    std::uint32_t id = 0;  ///< as the node was started with
    std::string address;   ///< HOST:PORT
    /// up, lagging, suspect, unreachable, foreign_disk, data_loss or refuses_leader, as on the
    /// status page.
    std::string state;
    std::uint64_t staged_bytes = 0;     ///< uploaded runs in memory that are not durable yet
    std::uint64_t disk_free_bytes = 0;  ///< of the file system of its data directory
    std::uint64_t disk_size_bytes = 0;  ///< of the same file system; 0: not reported yet
    /// Ids of storage nodes that hold the same logs and do not answer this node.
    std::vector<std::uint32_t> cannot_reach{};
  };
  /// The copy of a log on a storage node.
  struct Replica {
    std::uint32_t id = 0;     ///< of its storage node
    EntryOffset durable = 0;  ///< end of the bytes that survive a power cut on this node
    /// streaming, full (the disk has no space, so the node refuses uploads), lagging, suspect,
    /// unreachable, newcomer (on a replacement disk that is not a member yet).
    std::string state;
    /// Size of its files, including space that is reserved ahead. 0: not reported yet.
    std::uint64_t disk_bytes = 0;
  };
  /// A log and its replicas.
  struct LogReport {
    std::string name;                ///< the log's name
    EntryOffset first = 0;           ///< where the log begins after trims
    EntryOffset committed = 0;       ///< committed end
    std::uint32_t term = 0;          ///< the log's current term
    std::uint32_t write_quorum = 0;  ///< replicas that must hold an entry before it is acknowledged
    std::vector<Replica> replicas;   ///< in the order of the log's members
    /// open (takes appends), recovering, halted (its replicas contradict each other), creating,
    /// deleting.
    std::string state;
  };
  /// A producer. A client has a producer of its own for each log to which it appends.
  struct Writer {
    std::string address;  ///< of the client, as the leader sees it
    /// Name of the program (ClientOptions::name); empty: the client did not tell. Name and version
    /// may hold any bytes, because clients choose them.
    std::string name;
    std::string version;            ///< of its SDK
    std::string log;                ///< name of the log
    std::uint64_t producer = 0;     ///< Entry::producer of its entries
    std::uint64_t entries = 0;      ///< committed since this leader has known the producer
    std::uint64_t bytes = 0;        ///< of the frames of these entries
    double entries_per_second = 0;  ///< average of the last seconds
    double bytes_per_second = 0;    ///< average of the last seconds
  };
  std::string cluster;  ///< name of the cluster
  /// The cluster's version: of the records that are replicated and kept. 0: unknown, because the
  /// sequencer or this client is too old to tell it.
  std::uint32_t cluster_version = 0;
  /// Health, verdict and alarms come from the leader, as on the status page; without a leader, from
  /// another sequencer.
  Health health = Health::not_serving;
  /// A sentence without a full stop: the consequence for appends and reads, and the cause.
  std::string verdict;
  std::vector<Alarm> alarms;          ///< critical alarms first
  std::vector<Sequencer> sequencers;  ///< by id
  /// Only the leader reports the rest; without a leader these fields are empty.
  std::vector<Storage> storage;
  std::vector<LogReport> logs;      ///< empty if status() was called without logs
  std::uint32_t clients = 0;        ///< connected to the leader
  std::uint32_t writers_total = 0;  ///< producers whose connections are open
  std::vector<Writer> writers;      ///< the busiest first, at most 100
};

}  // namespace loglog
