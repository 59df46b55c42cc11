// A task is done once all members have answered. Only a creation has a deadline: a deletion waits
// for its members as long as it takes, because they must not keep the log.
#include "sequencer/core/cluster/log_tasks.h"

#include <algorithm>
#include <iterator>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// T5: a node that is silent for this many steps does not join a log.
constexpr int join_steps = 3;
/// T5: a node that goes on making other logs has this many times as long, because thousands of logs
/// may be made at once.
constexpr int join_patience = 10;
/// T6: creations that are remembered as given up. When they are full, all are forgotten, and a
/// repeat is told `superseded`.
constexpr std::size_t given_up_max = 1024;

}  // namespace

std::vector<Member> LogTasks::Task::missing(const LogInfo& l) const {
  std::vector<Member> out;
  std::ranges::copy_if(l.members, std::back_inserter(out),
                       [this](const Member& m) { return !done.contains(m.node); });
  return out;
}

std::vector<LogId> LogTasks::logs_of(const std::map<LogId, Task>& tasks) {
  std::vector<LogId> out;
  out.reserve(tasks.size());
  for (const auto& [log, t] : tasks) out.push_back(log);
  return out;
}

std::vector<LogId> LogTasks::making() const { return logs_of(making_); }
std::vector<LogId> LogTasks::dropping() const { return logs_of(dropping_); }

std::vector<Member> LogTasks::make(Time now, const LogInfo& l) {
  const auto [task, fresh] = making_.try_emplace(l.id);
  if (fresh) {
    task->second.begun = now;
    task->second.deadline = now + join_steps * options_.recovery_step_timeout;
  }
  return task->second.missing(l);
}

void LogTasks::wait(LogId log, const Client& c, bool made_it) {
  Made& w = making_[log].waiting;
  (made_it ? w.clients : w.others).push_back(c);
}

std::size_t LogTasks::waiting(LogId log, bool made_it) const {
  const auto t = making_.find(log);
  if (t == making_.end()) return 0;
  return made_it ? t->second.waiting.clients.size() : t->second.waiting.others.size();
}

bool LogTasks::joined(NodeId from, const LogInfo& l) {
  const auto found = making_.find(l.id);
  if (found == making_.end()) return false;
  Task& t = found->second;
  t.done.insert(from);
  return rules::may_open(t.missing(l).empty()) && !t.proposed;
}

void LogTasks::disk_replaced(NodeId node) {
  for (auto& [log, t] : making_) t.done.erase(node);
}

/// The member that holds up a creation, and the time until which it may; nullopt if all have
/// joined. Of several members, the first whose time runs out.
std::optional<std::pair<NodeId, Time>> LogTasks::awaited_longest(
    const Task& t, const LogInfo& l, const std::function<Time(NodeId)>& last_joined) const {
  std::optional<std::pair<NodeId, Time>> out;
  const Duration limit = join_steps * options_.recovery_step_timeout;
  for (const Member& m : l.members) {
    if (t.done.contains(m.node)) continue;
    const Time heard = std::max(t.begun, last_joined(m.node));
    const Time until = std::min(heard + limit, t.begun + join_patience * limit);
    if (!out || until < out->second) out.emplace(m.node, until);
  }
  return out;
}

std::vector<LogId> LogTasks::expired(Time now, const MetadataState& metadata,
                                     const std::function<Time(NodeId)>& last_joined) {
  std::vector<LogId> out;
  for (auto& [log, t] : making_) {
    if (now < t.deadline || t.proposed) continue;
    const LogInfo* l = metadata.log(log);
    const auto awaited = l != nullptr ? awaited_longest(t, *l, last_joined) : std::nullopt;
    t.deadline = awaited && now < awaited->second ? awaited->second : never;
    if (!awaited || t.deadline != never) continue;
    t.waiting.given_up = awaited->first;
    out.push_back(log);
  }
  return out;
}

Time LogTasks::wake() const {
  Time out = never;
  for (const auto& [log, t] : making_) out = std::min(out, t.deadline);
  return out;
}

std::optional<LogTasks::Made> LogTasks::end_making(LogId log) {
  const auto found = making_.find(log);
  if (found == making_.end()) return std::nullopt;
  std::optional<Made> out = std::move(found->second.waiting);
  making_.erase(found);
  return out;
}

void LogTasks::remember_given_up(ChangeId creation, RaftIndex version) {
  if (given_up_.size() >= given_up_max) given_up_.clear();
  given_up_[creation] = version;
}

std::optional<RaftIndex> LogTasks::given_up_at(ChangeId creation) const {
  const auto g = given_up_.find(creation);
  return g == given_up_.end() ? std::nullopt : std::optional(g->second);
}

std::vector<Member> LogTasks::drop(const LogInfo& l) { return dropping_[l.id].missing(l); }

bool LogTasks::dropped(NodeId from, const LogInfo& l) {
  const auto found = dropping_.find(l.id);
  if (found == dropping_.end()) return false;
  Task& t = found->second;
  t.done.insert(from);
  return t.missing(l).empty() && !t.proposed;
}

std::vector<Client> LogTasks::take_clients() {
  std::vector<Client> out;
  for (const auto& [log, t] : making_) {
    out.insert(out.end(), t.waiting.clients.begin(), t.waiting.clients.end());
    out.insert(out.end(), t.waiting.others.begin(), t.waiting.others.end());
  }
  making_.clear();
  dropping_.clear();
  given_up_.clear();
  return out;
}

}  // namespace loglog::sequencer
