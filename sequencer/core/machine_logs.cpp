// SequencerMachine: terms of logs. A term begins when its log is first needed. Other logs follow in
// the background, a bounded number at a time, so that thousands of idle logs cost little at a
// failover.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {

/// S7: how long a request waits for its log to open.
constexpr Duration waiting_max = 10s;

}  // namespace

/// The log's term, which begins now if the log was not needed before in this term. nullptr: no log
/// of that id is open. A background call does not count as a wish for the log (S7).
LogTerm* SequencerMachine::need(LogId log, bool background) {
  if (LogTerm* l = logs_.running(log)) {
    if (!background) l->want(now_);
    return l;
  }
  const LogInfo* info = metadata_.log(log);
  if (info == nullptr || info->state != LogState::open || reign_.term == Term{}) return nullptr;
  new_log_term(log, std::max(reign_.term, info->last_term), info->last_term > reign_.term,
               background);
  return logs_.running(log);
}

/// Begins a term of the log, in place of an older term if there is any. `own_seal`: the term is for
/// this log alone.
void SequencerMachine::new_log_term(LogId log, Term term, bool own_seal, bool background) {
  const LogInfo* info = metadata_.log(log);
  if (info == nullptr || info->state != LogState::open) return;
  std::set<NodeId> pass_over;
  if (LogTerm* old = logs_.running(log)) {
    event(Event::Level::info,
          fmt::format("log {}: term {} begins after {}", log.value, term.value, old->term().value));
    old->stop(Errc::not_ready);
    copies_.forget(log);
    pass_over = old->passed_over();
  }
  // S7: a log that clients wait for, or owed answers in its last term, does not rest.
  const bool wanted = logs_.take_wish(log) || !background || !options_.rest_idle_logs;
  LogTerm& l = logs_.begin(log,
                           std::make_unique<LogTerm>(options_, static_cast<LogHost&>(*this), *info,
                                                     term, own_seal, wanted),
                           background);
  l.pass_over(std::move(pass_over));
  l.start(now_);
  logs_.touch(log);
}

/// S8, A2: the new term begins when its BeginTerm is applied.
void SequencerMachine::begin_term(LogId log, Term floor) {
  if (reign_.term != Term{}) propose(BeginTerm{floor, reign_.instance, raft_.term(), log});
}

/// V1: the client's way to the storage nodes is broken, or the client means harm. After some
/// dropped runs its connection is closed, and its address counts them (decision 0039).
void SequencerMachine::run_dropped(ConnectionId c) {
  const auto k = connections_.find(c);
  if (k == connections_.end()) return dropped_runs_.dropped_after_close(now_, c);
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
  if (reign_.term != Term{}) propose(Trim{log, point});
}

/// C1: the node is ready and its disk is still the member's.
bool SequencerMachine::can_be_sealed(const Member& m) const {
  return ready(m.node) && m.disk == metadata_.disk_of(m.node);
}

void SequencerMachine::join(LogId log, NodeId node) {
  if (const LogInfo* info = metadata_.log(log)) to_node(node, Join{reign_.term, *info});
}

bool SequencerMachine::begin_copy(LogId log, NodeId node, bool urgent) {
  return copies_.begin(log, node, urgent);
}

void SequencerMachine::end_copy(LogId log, NodeId node) { copies_.end(log, node); }

/// P4: begins copies whose turn has come. A turn whose log has no term here is given back.
void SequencerMachine::begin_copies() {
  for (const auto& [log, node] : copies_.take_ready()) {
    LogTerm* l = logs_.running(log);
    if (l == nullptr) {
      copies_.end(log, node);
      continue;
    }
    l->copy_now(now_, node);
    logs_.touch(log);
  }
}

void SequencerMachine::set_members(LogId log, std::vector<Member> members) {
  if (reign_.term != Term{}) propose(SetMembers{log, std::move(members)});
}

/// The end of a step: answers requests that waited for a log which has opened, sends everything
/// that logs have gathered, and sets their timers.
void SequencerMachine::flush_logs() {
  if (reign_.term == Term{}) return;
  for (const LogId log : logs_.take_opened()) {
    std::set<ConnectionId> told;
    for (LogTable::Waiting& w : logs_.take_waiting(log)) {
      if (std::holds_alternative<OpenLog>(w.request)) told.insert(w.client.connection);
      from_client(w.client, w.request);
    }
    for (const ConnectionId c : logs_.openers(log))
      if (!told.contains(c)) to_client({c, {}}, logs_.running(log)->term_is());
  }
  recover_in_background();
  begin_copies();
  for (std::size_t i = 0; const auto flushed = logs_.flush(now_, i); ++i) {
    const auto [log, term] = *flushed;
    if (term == nullptr) continue;
    // The log will not open in this term, so its waiting requests are told now.
    if (term->halted())
      for (LogTable::Waiting& w : logs_.take_waiting(log)) from_client(w.client, w.request);
    logs_.set_timer(log);
  }
  logs_.all_flushed();
  recover_in_background();  // in the places of logs that rest now
}

/// Ticks the logs whose timers are due, and refuses requests that have waited too long.
void SequencerMachine::tick_logs() {
  while (const auto log = logs_.take_due(now_)) {
    LogTerm* term = logs_.running(*log);
    if (term == nullptr) continue;
    if (const auto overdue = logs_.take_overdue(*log, now_); !overdue.empty())
      tell(overdue, Failed{Errc::not_ready, "the log is still being recovered"});
    term->tick(now_);
    logs_.touch(*log);
  }
}

/// Begins further recoveries, as many as may be under way.
void SequencerMachine::recover_in_background() {
  for (const LogId log : logs_.take_recoverable(metadata_, [this](NodeId n) { return ready(n); }))
    need(log, true);
}

/// The log is deleted: its waiting requests are told so, and everything that names it goes.
void SequencerMachine::forget_log(LogId log, Errc why) {
  warnings_.forget(log);
  const std::vector<Client> waiting = logs_.forget(log, why);
  copies_.forget(log);
  tell(waiting, Failed{why, {}});
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
  if (!logs_.wait(log, {c, std::move(request), now_ + waiting_max}))
    to_client(c, Failed{Errc::too_many, "too many requests wait for this log"});
  return nullptr;
}

}  // namespace loglog::sequencer
