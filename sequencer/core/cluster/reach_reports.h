// What the sequencers reach (S8): the other sequencers' reports of the storage nodes that they
// reach and of their disks, and when this sequencer's own report is due. Answers whether another
// log's metadata fit. A part of SequencerState; SequencerMachine sends the reports.
#pragma once
#include <map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// `options` must outlive it.
class ReachReports {
 public:
  explicit ReachReports(const Options& options) : options_(options) {}

  void start(Time now) { due_ = now + options_.reach_every; }
  /// True if pings and the own report are due; they are then due again after a while.
  bool take_due(Time now);
  Time wake() const { return due_; }

  /// Another sequencer's report. `nodes_max`: the nodes that are registered.
  void heard(Time now, SequencerId from, Reaches&& report, std::size_t nodes_max);
  /// The own disk is nearly full, or has space again; the leader is to learn it at once.
  void space_is_low(Time now, bool low);
  bool space_is_low() const { return space_is_low_; }

  /// The nodes that the sequencer has lately said to reach; nullptr: it has said nothing lately.
  const std::vector<NodeId>* lately(Time now, SequencerId id) const;
  /// Sequencers whose reports are recent, ascending.
  std::vector<SequencerId> heard_lately(Time now) const;
  /// True if another log may be made: this sequencer's disk has space, and so have enough others
  /// for a majority to take the entry.
  bool metadata_may_grow(Time now) const;

 private:
  struct Report {
    std::vector<NodeId> storage;
    bool space_is_low = false;
    Time at{};
  };
  bool is_recent(Time now, const Report& r) const { return now - r.at <= 3 * options_.reach_every; }

  const Options& options_;
  std::map<SequencerId, Report> reports_;  // of the other sequencers
  bool space_is_low_ = false;              // of the own disk
  Time due_ = never;
};

}  // namespace loglog::sequencer
