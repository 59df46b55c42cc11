// SequencerMachine: terms of logs. A term begins when its log is first needed. Other logs follow in
// the background, a bounded number at a time, so that thousands of idle logs cost little at a
// failover.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/cluster/log_quorums.h"
#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {

constexpr std::size_t background_recoveries_max = 32;
/// Shortest time between two ticks of a log.
constexpr Duration timer_pause_min = 20ms;
/// S7: how long a request waits for its log to open.
constexpr Duration waiting_max = 10s;

}  // namespace

LogTerm* SequencerMachine::running(LogId log) {
  const auto s = logs_.find(log);
  return s == logs_.end() ? nullptr : s->second.term.get();
}

/// The log's term, which begins now if the log was not needed before in this term. nullptr: no log
/// of that id is open. A background call does not count as a wish for the log (S7).
LogTerm* SequencerMachine::need(LogId log, bool background) {
  if (LogTerm* l = running(log)) {
    if (!background) l->want(now_);
    return l;
  }
  const LogInfo* info = metadata_.log(log);
  if (info == nullptr || info->state != LogState::open || term_ == Term{}) return nullptr;
  new_log_term(log, std::max(term_, info->last_term), info->last_term > term_, background);
  return running(log);
}

/// Begins a term of the log, in place of an older term if there is any. `own_seal`: the term is for
/// this log alone.
void SequencerMachine::new_log_term(LogId log, Term term, bool own_seal, bool background) {
  const LogInfo* info = metadata_.log(log);
  if (info == nullptr || info->state != LogState::open) return;
  LogSlot& slot = logs_[log];
  if (slot.term) {
    event(Event::Level::info, fmt::format("log {}: term {} begins after {}", log.value, term.value,
                                          slot.term->term().value));
    slot.term->stop(Errc::not_ready);
    copies_.forget(log);
  }
  std::set<NodeId> pass_over = slot.term ? slot.term->passed_over() : std::set<NodeId>{};
  if (slot.background) --recovering_;
  slot.background = background;
  if (background) ++recovering_;
  to_recover_.erase(log);
  // S7: a log that clients wait for, or owed answers in its last term, does not rest.
  const bool wanted =
      std::exchange(slot.asked_for, false) || !background || !options_.rest_idle_logs;
  slot.term = std::make_unique<LogTerm>(options_, static_cast<LogHost&>(*this), *info, term,
                                        own_seal, wanted);
  slot.term->pass_over(std::move(pass_over));
  slot.term->start(now_);
  touch(log);
}

/// S8, A2: the new term begins when its BeginTerm is applied.
void SequencerMachine::begin_term(LogId log, Term floor) {
  if (term_ != Term{}) propose(BeginTerm{floor, instance_, raft_.term(), log});
}

/// V1: the client's way to the storage nodes is broken, or the client means harm. After some
/// dropped runs its connection is closed, and its address counts them (decision 0039).
void SequencerMachine::run_dropped(ConnectionId c) {
  const auto k = connections_.find(c);
  if (k == connections_.end()) {
    const auto gone = std::ranges::find(gone_, c, &Gone::connection);
    if (gone != gone_.end()) dropped_runs_.dropped(now_, gone->from);
    return;
  }
  dropped_runs_.dropped(now_, k->second.from);
  if (++k->second.dropped_runs < options_.dropped_runs_max &&
      !dropped_runs_.is_suspect(now_, k->second.from))
    return;
  out_.closes.push_back(
      {c, Error{Errc::too_many,
                fmt::format(
                    "{} runs that were committed over this connection were never uploaded; upload "
                    "a run before its commit",
                    k->second.dropped_runs)}});
}

void SequencerMachine::trim(LogId log, Offset point) {
  if (term_ != Term{}) propose(Trim{log, point});
}

/// C1: the node is ready and its disk is still the member's.
bool SequencerMachine::can_be_sealed(const Member& m) const {
  return ready(m.node) && m.disk == metadata_.disk_of(m.node);
}

void SequencerMachine::join(LogId log, NodeId node) {
  if (const LogInfo* info = metadata_.log(log)) to_node(node, Join{term_, *info});
}

bool SequencerMachine::begin_copy(LogId log, NodeId node, bool urgent) {
  return copies_.begin(log, node, urgent);
}

void SequencerMachine::end_copy(LogId log, NodeId node) { copies_.end(log, node); }

/// P4: begins copies whose turn has come. A turn whose log has no term here is given back.
void SequencerMachine::begin_copies() {
  for (const auto& [log, node] : copies_.take_ready()) {
    LogTerm* l = running(log);
    if (l == nullptr) {
      copies_.end(log, node);
      continue;
    }
    l->copy_now(now_, node);
    touch(log);
  }
}

void SequencerMachine::set_members(LogId log, std::vector<Member> members) {
  if (term_ != Term{}) propose(SetMembers{log, std::move(members)});
}

void SequencerMachine::opened(LogId log) { opened_.push_back(log); }

/// Marks the log for the end of the step, so that its orders go out together.
void SequencerMachine::touch(LogId log) {
  const auto s = logs_.find(log);
  if (s == logs_.end() || !s->second.term || s->second.dirty) return;
  s->second.dirty = true;
  dirty_.push_back(log);
}

/// The end of a step: answers requests that waited for a log which has opened, sends everything
/// that logs have gathered, and sets their timers.
void SequencerMachine::flush_logs() {
  if (term_ == Term{}) return;
  for (const LogId log : std::exchange(opened_, {})) {
    LogSlot& slot = logs_[log];
    if (!slot.term) continue;
    background_due_ = true;
    if (std::exchange(slot.background, false)) --recovering_;
    std::set<ConnectionId> told;
    for (Waiting& w : std::exchange(slot.waiting, {})) {
      if (std::holds_alternative<OpenLog>(w.request)) told.insert(w.client.connection);
      from_client(w.client, w.request);
    }
    for (const ConnectionId c : slot.openers)
      if (!told.contains(c)) to_client({c, {}}, slot.term->term_is());
  }
  recover_in_background();
  begin_copies();
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    const LogId log = dirty_[i];
    LogSlot& slot = logs_[log];
    slot.dirty = false;
    if (!slot.term) continue;
    slot.term->flush(now_);
    if ((slot.term->halted() || slot.term->rests()) && std::exchange(slot.background, false)) {
      --recovering_;
      background_due_ = true;
    }
    // The log will not open in this term, so its waiting requests are told now.
    if (slot.term->halted())
      for (Waiting& w : std::exchange(slot.waiting, {})) from_client(w.client, w.request);
    if (slot.timer != never) timers_.erase({slot.timer, log});
    slot.timer = slot.term->wake();
    if (!slot.waiting.empty()) slot.timer = std::min(slot.timer, slot.waiting.front().deadline);
    // Rate-limit from the last tick: counted from now, a busy log would push its timers out for
    // ever.
    if (slot.timer != never) slot.timer = std::max(slot.timer, slot.ticked + timer_pause_min);
    if (slot.timer != never) timers_.insert({slot.timer, log});
  }
  dirty_.clear();
  recover_in_background();  // in the places of logs that rest now
}

/// Ticks the logs whose timers are due, and refuses requests that have waited too long.
void SequencerMachine::tick_logs() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    const LogId log = timers_.begin()->second;
    timers_.erase(timers_.begin());
    LogSlot& slot = logs_[log];
    slot.timer = never;
    slot.ticked = now_;
    if (!slot.term) continue;
    std::erase_if(slot.waiting, [&](const Waiting& w) {
      if (now_ < w.deadline) return false;
      to_client(w.client, Failed{Errc::not_ready, "the log is still being recovered"});
      return true;
    });
    slot.term->tick(now_);
    touch(log);
  }
}

/// Begins further recoveries while fewer than background_recoveries_max are under way.
void SequencerMachine::recover_in_background() {
  if (!std::exchange(background_due_, false)) return;
  // Only logs with a seal quorum of ready nodes take a place; others would block the rest.
  for (auto i = to_recover_.begin();
       i != to_recover_.end() && recovering_ < background_recoveries_max;) {
    const LogId log = *i++;
    const LogInfo* info = metadata_.log(log);
    if (info == nullptr || info->state != LogState::open || running(log) != nullptr) {
      to_recover_.erase(log);
      continue;
    }
    if (has_quorums(metadata_, *info, [this](NodeId n) { return ready(n); })) need(log, true);
  }
}

/// A node is sealed: terms under way use it, and logs that waited for a quorum may begin.
void SequencerMachine::node_ready_for_logs(NodeId id) {
  background_due_ = true;
  for (auto& [log, slot] : logs_) {
    if (!slot.term) continue;
    slot.term->node_ready(now_, id);
    touch(log);
  }
}

/// The log is deleted: its waiting requests are told so, and everything that names it goes.
void SequencerMachine::forget_log(LogId log, Errc why) {
  to_recover_.erase(log);
  warnings_.forget(log);
  const auto s = logs_.find(log);
  if (s == logs_.end()) return;
  if (s->second.term) s->second.term->stop(why);
  copies_.forget(log);
  for (const Waiting& w : s->second.waiting) to_client(w.client, Failed{why, {}});
  if (s->second.background) --recovering_;
  if (s->second.timer != never) timers_.erase({s->second.timer, log});
  std::erase(dirty_, log);
  std::erase(opened_, log);
  logs_.erase(s);
}

/// The log's term if it is open. Otherwise nullptr: the request waits until the term opens, or it
/// is refused now.
LogTerm* SequencerMachine::open_term(const Client& c, LogId log, Message request) {
  if (!leads_or_refuses(c)) return nullptr;
  LogTerm* l = need(log);
  if (l == nullptr) {
    const LogInfo* info = metadata_.log(log);
    const bool creating = info != nullptr && info->state == LogState::creating;
    Failed answer{creating ? Errc::not_ready : Errc::no_such_log, fmt::format("log {}", log.value)};
    if (creating) to_client(c, std::move(answer));
    else answer_when_confirmed(c, std::move(request), std::move(answer));
    return nullptr;
  }
  if (l->halted()) {
    to_client(c, l->halted_answer());
    return nullptr;
  }
  if (rules::may_tell_term_start(l->is_open(), l->phase() == LogTerm::Phase::opening)) return l;
  LogSlot& slot = logs_[log];
  if (slot.waiting.size() >= 1024) {
    to_client(c, Failed{Errc::too_many, "too many requests wait for this log"});
    return nullptr;
  }
  slot.waiting.push_back({c, std::move(request), now_ + waiting_max});
  touch(log);
  return nullptr;
}

}  // namespace loglog::sequencer
