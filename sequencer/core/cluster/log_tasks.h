// The making and the deletion of logs on storage nodes (T5): the members that have done it, the
// clients that wait for it, and the time after which a creation is given up. Owned by
// SequencerMachine while it leads; the machine sends, proposes and answers. Knows no connections.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/log/producer_table.h"
#include "sequencer/core/metadata.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// `options` must outlive it.
class LogTasks {
 public:
  explicit LogTasks(const Options& options) : options_(options) {}

  // Making a log

  /// The creation is under way. Returns the members that have not joined yet.
  std::vector<Member> make(Time now, const LogInfo& l);
  bool is_making(LogId log) const { return making_.contains(log); }
  std::vector<LogId> making() const;
  /// The client waits for the log. `made_it`: its own request made the log; otherwise it asked for
  /// a log of the same name (T6).
  void wait(LogId log, const Client& c, bool made_it);
  std::size_t waiting(LogId log, bool made_it) const;
  /// The member has made the log. True: all members have, so the log is to be opened.
  bool joined(NodeId from, const LogInfo& l);
  /// The node has another disk, which must join all logs anew (C1).
  void disk_replaced(NodeId node);
  /// Creations that some member holds up for too long, so their logs are to be deleted.
  /// `last_joined`: when the node last made a log, because a busy node has longer.
  std::vector<LogId> expired(Time now, const MetadataState& metadata,
                             const std::function<Time(NodeId)>& last_joined);
  /// The end of the creation, opened or to be deleted, was proposed, or could not be.
  void making_proposed(LogId log, bool proposed) { making_.at(log).proposed = proposed; }
  Time wake() const;
  /// How a creation ended.
  struct Made {
    std::vector<Client> clients;
    std::vector<Client> others;      ///< asked for a log of the same name
    std::optional<NodeId> given_up;  ///< the member that the creation waited for in vain
  };
  /// The creation is over; nullopt: none was under way.
  std::optional<Made> end_making(LogId log);

  // T6

  /// The creation was given up, at this version of the metadata.
  void remember_given_up(ChangeId creation, RaftIndex version);
  /// The version at which this creation was given up: a repeat of it is not late.
  std::optional<RaftIndex> given_up_at(ChangeId creation) const;

  // Deleting a log

  /// The deletion is under way. Returns the members that have not dropped the log yet.
  std::vector<Member> drop(const LogInfo& l);
  std::vector<LogId> dropping() const;
  /// The member has dropped the log. True: all members have, so the log may leave the metadata.
  bool dropped(NodeId from, const LogInfo& l);
  void drop_proposed(LogId log, bool proposed) { dropping_.at(log).proposed = proposed; }
  void end_dropping(LogId log) { dropping_.erase(log); }

  /// The lead is lost: all clients that wait, and nothing is under way any more.
  std::vector<Client> take_clients();

 private:
  struct Task {
    std::set<NodeId> done;
    Made waiting;
    Time begun{};
    Time deadline = never;
    bool proposed = false;

    std::vector<Member> missing(const LogInfo& l) const;
  };
  static std::vector<LogId> logs_of(const std::map<LogId, Task>& tasks);
  std::optional<std::pair<NodeId, Time>> awaited_longest(
      const Task& t, const LogInfo& l, const std::function<Time(NodeId)>& last_joined) const;

  const Options& options_;
  std::map<LogId, Task> making_;
  std::map<LogId, Task> dropping_;
  std::map<ChangeId, RaftIndex> given_up_;
};

}  // namespace loglog::sequencer
