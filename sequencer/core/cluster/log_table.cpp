// A slot outlives its log's terms: requests that wait, and the connections that are to be told,
// belong to the log.
#include "sequencer/core/cluster/log_table.h"

#include <algorithm>

#include "sequencer/core/cluster/log_quorums.h"

namespace loglog::sequencer {
namespace {

constexpr std::size_t background_recoveries_max = 32;
constexpr std::size_t waiting_requests_max = 1024;
/// Shortest time between two ticks of a log.
constexpr Duration timer_pause_min = 20ms;

}  // namespace

LogTerm* LogTable::running(LogId log) {
  const auto s = logs_.find(log);
  return s == logs_.end() ? nullptr : s->second.term.get();
}

const LogTerm* LogTable::running(LogId log) const {
  const auto s = logs_.find(log);
  return s == logs_.end() ? nullptr : s->second.term.get();
}

LogTerm& LogTable::begin(LogId log, std::unique_ptr<LogTerm> term, bool background) {
  Slot& slot = logs_[log];
  if (slot.background) --recovering_;
  slot.background = background;
  if (background) ++recovering_;
  to_recover_.erase(log);
  slot.term = std::move(term);
  return *slot.term;
}

bool LogTable::owes_answers() const {
  return std::ranges::any_of(
      logs_, [](const auto& l) { return l.second.term && l.second.term->owes_answers(); });
}

void LogTable::end_terms(Errc why) {
  for (auto& [id, slot] : logs_) {
    slot.asked_for =
        slot.asked_for || !slot.waiting.empty() || (slot.term && slot.term->owes_answers());
    if (slot.term) slot.term->stop(why);
    slot.term.reset();
    slot.timer = never;
    slot.background = false;
    slot.dirty = false;
  }
  timers_.clear();
  dirty_.clear();
  opened_.clear();
  recovering_ = 0;
}

std::vector<LogId> LogTable::take_recoverable(const MetadataState& metadata,
                                              const std::function<bool(NodeId)>& ready) {
  std::vector<LogId> out;
  if (!std::exchange(look_again_, false)) return out;
  for (auto i = to_recover_.begin();
       i != to_recover_.end() && recovering_ + out.size() < background_recoveries_max;) {
    const LogId log = *i++;
    const LogInfo* info = metadata.log(log);
    if (info == nullptr || info->state != LogState::open || running(log) != nullptr) {
      to_recover_.erase(log);
      continue;
    }
    if (has_quorums(metadata, *info, ready)) out.push_back(log);
  }
  return out;
}

bool LogTable::wait(LogId log, Waiting w) {
  std::vector<Waiting>& waiting = logs_[log].waiting;
  if (waiting.size() >= waiting_requests_max) return false;
  waiting.push_back(std::move(w));
  touch(log);
  return true;
}

void LogTable::add_opener(LogId log, ConnectionId c) {
  if (const auto s = logs_.find(log); s != logs_.end()) s->second.openers.insert(c);
}

std::set<ConnectionId> LogTable::openers_of_all() const {
  std::set<ConnectionId> out;
  for (const auto& [id, slot] : logs_) out.insert(slot.openers.begin(), slot.openers.end());
  return out;
}

void LogTable::client_gone(Time now, ConnectionId c) {
  for (auto& [log, slot] : logs_) {
    slot.openers.erase(c);
    std::erase_if(slot.waiting, [c](const Waiting& w) { return w.client.connection == c; });
    if (!slot.term || !slot.term->has_missing()) continue;
    slot.term->tick(now);  // the run's producer may be gone now (V1)
    touch(log, slot);
  }
}

void LogTable::touch(LogId log, Slot& slot) {
  if (slot.dirty) return;
  slot.dirty = true;
  dirty_.push_back(log);
}

void LogTable::touch(LogId log) {
  if (const auto s = logs_.find(log); s != logs_.end() && s->second.term) touch(log, s->second);
}

void LogTable::leave_background(Slot& slot) {
  if (std::exchange(slot.background, false)) --recovering_;
}

std::vector<LogId> LogTable::take_opened() {
  std::vector<LogId> out = std::exchange(opened_, {});
  std::erase_if(out, [this](LogId log) { return running(log) == nullptr; });
  for (const LogId log : out) leave_background(logs_[log]);
  if (!out.empty()) look_again_ = true;
  return out;
}

std::optional<std::pair<LogId, LogTerm*>> LogTable::flush(Time now, std::size_t place) {
  if (place >= dirty_.size()) return std::nullopt;
  const LogId log = dirty_[place];
  Slot& slot = logs_[log];
  slot.dirty = false;
  if (!slot.term) return std::pair(log, static_cast<LogTerm*>(nullptr));
  slot.term->flush(now);
  if (slot.background && (slot.term->halted() || slot.term->rests())) {
    leave_background(slot);
    look_again_ = true;
  }
  return std::pair(log, slot.term.get());
}

void LogTable::set_timer(LogId log) {
  Slot& slot = logs_[log];
  if (slot.timer != never) timers_.erase({slot.timer, log});
  slot.timer = slot.term->wake();
  if (!slot.waiting.empty()) slot.timer = std::min(slot.timer, slot.waiting.front().deadline);
  // Rate-limit from the last tick: counted from now, a busy log would push its timers out for ever.
  if (slot.timer != never) slot.timer = std::max(slot.timer, slot.ticked + timer_pause_min);
  if (slot.timer != never) timers_.insert({slot.timer, log});
}

std::optional<LogId> LogTable::take_due(Time now) {
  if (timers_.empty() || timers_.begin()->first > now) return std::nullopt;
  const LogId log = timers_.begin()->second;
  timers_.erase(timers_.begin());
  Slot& slot = logs_[log];
  slot.timer = never;
  slot.ticked = now;
  return log;
}

std::vector<Client> LogTable::take_overdue(LogId log, Time now) {
  std::vector<Client> out;
  std::erase_if(logs_[log].waiting, [&](const Waiting& w) {
    if (now < w.deadline) return false;
    out.push_back(w.client);
    return true;
  });
  return out;
}

std::vector<Client> LogTable::forget(LogId log, Errc why) {
  std::vector<Client> out;
  to_recover_.erase(log);
  const auto s = logs_.find(log);
  if (s == logs_.end()) return out;
  Slot& slot = s->second;
  if (slot.term) slot.term->stop(why);
  for (const Waiting& w : slot.waiting) out.push_back(w.client);
  if (slot.background) --recovering_;
  if (slot.timer != never) timers_.erase({slot.timer, log});
  std::erase(dirty_, log);
  std::erase(opened_, log);
  logs_.erase(s);
  return out;
}

std::vector<Client> LogTable::clear() {
  std::vector<Client> out;
  for (const auto& [id, slot] : logs_)
    for (const Waiting& w : slot.waiting) out.push_back(w.client);
  logs_.clear();
  to_recover_.clear();
  return out;
}

}  // namespace loglog::sequencer
