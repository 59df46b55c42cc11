// What all logs of a node share: output, disk tickets, timers, transfers between peers, identity,
// promise, metadata.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <map>
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
#include "storage-node/core/transfers.h"

namespace loglog::storage {

class Node {
 public:
  using Done = std::function<void(DiskDone&&)>;

  Node(Options o, std::uint64_t seed)
      : options(std::move(o)), random(seed), staging(options), flow(options), giving(options) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const Options options;
  Random random;
  Time now{};
  Output out;
  Staging staging;
  PageFlow flow;
  Transfers transfers{*this};
  Giving giving;
  Figures figures;
  Identity identity;
  ClusterMetadata metadata;
  bool data_loss = false;          ///< T4
  std::uint64_t cached_bytes = 0;  ///< tail caches of all logs
  std::uint64_t fetched_bytes =
      0;  ///< runs that peers are asked for or gave, and that are not written yet

  void event(Event::Level level, std::string text) {
    out.events.push_back({level, std::move(text)});
  }
  template <class M>
  void send(ConnectionId to, RequestId request, M&& m) {
    if (to == ConnectionId{}) return;
    figures.sent(std::as_const(m));
    out.sends.push_back({to, request, Message{std::forward<M>(m)}});
  }
  void fail_request(ConnectionId to, RequestId request, Errc error, std::string detail = {}) {
    send(to, request, Failed{error, std::move(detail)});
  }

  void disk(DiskOperation operation, Done done);
  void disk_done(DiskDone&& done);
  /// Operations of all logs that were asked for and are not done.
  std::size_t disk_under_way() const { return under_way_.size(); }
  /// Some are of this log. Looks at all that are under way.
  bool works_on(LogId log) const;

  /// The log wants its tick at `when` at the latest.
  void wake_at(LogId log, Time when);
  /// Logs whose time has come.
  std::vector<LogId> take_due();
  Time next_wake() const;

 private:
  std::uint64_t next_ticket_ = 0;
  struct UnderWay {
    LogId log;
    Done done;
  };
  std::unordered_map<Ticket, UnderWay> under_way_;
  std::map<LogId, Time> wakes_;
  std::set<std::pair<Time, LogId>> by_time_;
};

}  // namespace loglog::storage
