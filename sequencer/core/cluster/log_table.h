// The logs of the cluster while this sequencer leads: which have a term, which requests wait for a
// log, which logs have something to send at the end of the step, whose timers are due, and which
// terms begin in the background. Owned by LeaderLogs, which makes the terms. Decides nothing about
// the content of a log.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/log/log_term.h"
#include "sequencer/core/metadata.h"

namespace loglog::sequencer {

/// A term begins when its log is first needed. Other logs follow in the background, a bounded
/// number at a time, so that thousands of idle logs cost little at a failover.
class LogTable {
 public:
  /// A request for a log that is being recovered.
  struct Waiting {
    Client client;
    Message request;
    Time deadline;
  };

  // Terms

  /// nullptr: the log has no term.
  LogTerm* running(LogId log);
  const LogTerm* running(LogId log) const;
  /// True if clients waited for the log's next term (S7). Asked once for each term.
  bool take_wish(LogId log) { return std::exchange(logs_[log].asked_for, false); }
  /// The log's term from now on, in place of an older term if there is any. `background`: it takes
  /// one of the places for recoveries that nobody waits for.
  LogTerm& begin(LogId log, std::unique_ptr<LogTerm> term, bool background);
  /// Calls `f` with each term and marks its log for the end of the step.
  template <class F>
  void each(F f) {
    for (auto& [log, slot] : logs_) {
      if (!slot.term) continue;
      f(*slot.term);
      touch(log, slot);
    }
  }
  template <class F>
  void each(F f) const {
    for (const auto& [log, slot] : logs_)
      if (slot.term) f(std::as_const(*slot.term));
  }
  /// A producer of some log waits for the answer to an ordered run.
  bool owes_answers() const;
  /// All terms end. Requests that wait for a log go on waiting, so its next term is wanted (S7).
  void end_terms(Errc why);

  // Background recovery

  /// The log gets a term when there is a place.
  void recover(LogId log) { to_recover_.insert(log); }
  /// Something has changed, so that further logs may begin.
  void look_again() { look_again_ = true; }
  /// True if take_recoverable() has something to look at. Asked at each step.
  bool looks_again() const { return look_again_; }
  /// The logs to begin now. Only logs whose quorums are ready nodes take a place, because
  /// others would block the rest.
  std::vector<LogId> take_recoverable(const MetadataState& metadata,
                                      const std::function<bool(NodeId)>& ready);

  // Clients

  /// False: too many requests wait for this log.
  bool wait(LogId log, Waiting w);
  std::vector<Waiting> take_waiting(LogId log) { return std::exchange(logs_[log].waiting, {}); }
  /// The connection is told when a term of the log opens (S7).
  void add_opener(LogId log, ConnectionId c);
  const std::set<ConnectionId>& openers(LogId log) { return logs_[log].openers; }
  std::set<ConnectionId> openers_of_all() const;
  /// The connection is closed. Terms that miss a run of its producer look again (V1).
  void client_gone(Time now, ConnectionId c);

  // The step

  /// Marks the log for the end of the step, so that its orders go out together.
  void touch(LogId log);
  /// The log's term start is committed. Requests that wait for it are taken up at the end of the
  /// step.
  void opened(LogId log) { opened_.push_back(log); }
  /// The logs that have opened in this step.
  std::vector<LogId> take_opened();
  bool any_opened() const { return !opened_.empty(); }
  /// Sends everything that a log has gathered: the log at `place` in the list of touched logs.
  /// nullopt: the list ends here. nullptr: the log has no term any more.
  std::optional<std::pair<LogId, LogTerm*>> flush(Time now, std::size_t place);
  /// After flush(), and after its requests were answered.
  void set_timer(LogId log);
  void all_flushed() { dirty_.clear(); }
  /// True if nothing is left to do at the end of the step.
  bool is_settled() const { return dirty_.empty() && opened_.empty(); }

  /// The next log whose timer is due; nullopt: none is.
  std::optional<LogId> take_due(Time now);
  /// The clients whose requests have waited too long.
  std::vector<Client> take_overdue(LogId log, Time now);
  Time wake() const { return timers_.empty() ? never : timers_.begin()->first; }

  /// The log is deleted; its term ends with `why`. Returns the clients that wait for it.
  std::vector<Client> forget(LogId log, Errc why);
  void erase(LogId log) { logs_.erase(log); }
  /// The lead is lost: the clients that wait, log by log. Call end_terms() first.
  std::vector<Client> clear();

 private:
  // A log of the metadata. `term` is null until the log is needed.
  struct Slot {
    std::unique_ptr<LogTerm> term;
    std::vector<Waiting> waiting;
    std::set<ConnectionId> openers;
    Time timer = never;
    Time ticked{};  // when the log was last ticked
    bool dirty = false;
    bool background = false;  // counts among the recoveries under way
    bool asked_for = false;   // a client waits for its next term
  };
  void touch(LogId log, Slot& slot);
  void leave_background(Slot& slot);

  std::map<LogId, Slot> logs_;
  std::set<LogId> to_recover_;  // in the background
  std::size_t recovering_ = 0;
  bool look_again_ = false;  // a change may let the background recovery begin further logs
  std::set<std::pair<Time, LogId>> timers_;
  std::vector<LogId> dirty_;
  std::vector<LogId> opened_;
};

}  // namespace loglog::sequencer
