// The state that all logs of a storage node share: the output of the current step, disk tickets,
// timers, transfers between peers, identity and metadata. No protocol rule lives here.
// StorageMachine owns the only Node; every LogReplica and its parts hold a reference to it. One
// thread.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "proto-spec/disk/segment.h"
#include "proto-spec/vocabulary/random.h"
#include "storage-node/core/figures.h"
#include "storage-node/core/giving.h"
#include "storage-node/core/output.h"
#include "storage-node/core/page_flow.h"
#include "storage-node/core/staging.h"
#include "storage-node/core/tail_cache.h"
#include "storage-node/core/transfers.h"

namespace loglog::storage {

class Node {
 public:
  /// Called once when the operation has ended. May request further operations.
  using Done = std::function<void(DiskDone&&)>;

  Node(Options o, std::uint64_t seed)
      : options(std::move(o)), random(seed), staging(options), flow(options), giving(options) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const Options options;
  Random random;
  /// Time of the current step. StorageMachine sets it before each step; the core reads no clock.
  Time now{};
  /// Effects of the current step. The driver performs them after the step and clears them.
  Output out;
  Staging staging;
  PageFlow flow;
  Transfers transfers{*this};
  Giving giving;
  Figures figures;
  Identity identity;
  ClusterMetadata metadata;
  /// T4: this disk has lost state that it answered for. The node serves reads alone: it seals
  /// nothing and acknowledges nothing until an empty disk replaces this disk (C1).
  bool data_loss = false;
  TailCaches tail_caches{options.tail_cache};
  /// Bytes of runs that peers are asked for, or that they gave and that are not written yet.
  std::uint64_t fetched_bytes = 0;

  void event(Event::Level level, std::string text) {
    out.events.push_back({level, std::move(text)});
  }
  /// Queues a message and counts it. A request from the node itself has no connection (zero); its
  /// answer is discarded.
  template <class M>
  void send(ConnectionId to, RequestId request, M&& m) {
    if (to == ConnectionId{}) return;
    figures.sent(std::as_const(m));
    out.sends.push_back({to, request, Message{std::forward<M>(m)}});
  }
  void fail_request(ConnectionId to, RequestId request, Errc error, std::string detail = {}) {
    send(to, request, Failed{error, std::move(detail)});
  }

  /// Requests a disk operation under a fresh ticket, and returns the ticket. `done` may be empty:
  /// the part that asked then knows the operation's end by its ticket.
  Ticket disk(DiskOperation operation, Done done = {});
  /// Runs the `done` of a finished operation. If there is none, returns the log of the operation,
  /// whose parts know the ticket. An unknown ticket is ignored.
  std::optional<LogId> disk_done(DiskDone& done);
  /// Disk operations of all logs that have been requested and have not ended.
  std::size_t disk_under_way() const { return under_way_.size(); }
  /// True if a disk operation of this log is in flight. Linear in disk_under_way().
  bool works_on(LogId log) const;

  /// The log wants its tick() at `when` at the latest. An earlier time that is already noted stays.
  void wake_at(LogId log, Time when);
  /// Removes and returns the logs whose time has come.
  std::vector<LogId> take_due();
  /// The earliest time at which a log, the staging memory or the transfers need a tick.
  Time next_wake() const;

 private:
  std::uint64_t next_ticket_ = 0;
  struct UnderWay {
    LogId log;
    Done done;
  };
  std::unordered_map<Ticket, UnderWay> under_way_;
  /// wakes_ and by_time_ hold the same pairs: by log, and in order of time.
  std::map<LogId, Time> wakes_;
  std::set<std::pair<Time, LogId>> by_time_;
};

}  // namespace loglog::storage
