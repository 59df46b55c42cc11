// LeaderLogs: terms of logs, and the services that they need.
#include "sequencer/core/cluster/leader_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace loglog::sequencer {

LogTerm* LeaderLogs::need(LogId log, bool background) {
  if (LogTerm* l = table_.running(log)) {
    if (!background) l->want(state_.now);
    return l;
  }
  const LogInfo* info = state_.metadata.log(log);
  if (info == nullptr || info->state != LogState::open || !state_.leads()) return nullptr;
  begin(log, std::max(state_.reign.term, info->last_term), info->last_term > state_.reign.term,
        background);
  return table_.running(log);
}

void LeaderLogs::begin(LogId log, Term term, bool own_seal, bool background) {
  const LogInfo* info = state_.metadata.log(log);
  if (info == nullptr || info->state != LogState::open) return;
  std::set<NodeId> pass_over;
  if (LogTerm* old = table_.running(log)) {
    event(Event::Level::info,
          fmt::format("log {}: term {} begins after {}", log.value, term.value, old->term().value));
    old->stop(Errc::not_ready);
    copies_.forget(log);
    pass_over = old->passed_over();
  }
  // S7: a log that clients wait for, or owed answers in its last term, does not rest.
  const bool wanted = table_.take_wish(log) || !background || !state_.options.rest_idle_logs;
  LogTerm& l = table_.begin(log,
                            std::make_unique<LogTerm>(state_.options, static_cast<LogHost&>(*this),
                                                      *info, term, own_seal, wanted),
                            background);
  l.pass_over(std::move(pass_over));
  l.start(state_.now);
  table_.touch(log);
}

void LeaderLogs::tick() {
  while (const auto log = table_.take_due(state_.now)) {
    LogTerm* term = table_.running(*log);
    if (term == nullptr) continue;
    if (const auto overdue = table_.take_overdue(*log, state_.now); !overdue.empty())
      state_.tell(overdue, Failed{Errc::not_ready, "the log is still being recovered"});
    term->tick(state_.now);
    table_.touch(*log);
  }
}

void LeaderLogs::begin_copies() {
  for (const auto& [log, node] : copies_.take_ready()) {
    LogTerm* l = table_.running(log);
    if (l == nullptr) {
      copies_.end(log, node);
      continue;
    }
    l->copy_now(state_.now, node);
    table_.touch(log);
  }
}

void LeaderLogs::recover_in_background() {
  if (!table_.looks_again()) return;
  for (const LogId log :
       table_.take_recoverable(state_.metadata, [this](NodeId n) { return ready(n); }))
    need(log, true);
}

void LeaderLogs::forget(LogId log, Errc why) {
  warnings_.forget(log);
  const std::vector<Client> waiting = table_.forget(log, why);
  copies_.forget(log);
  state_.tell(waiting, Failed{why, {}});
}

void LeaderLogs::end_terms(Errc why) {
  table_.end_terms(why);
  copies_.clear();  // a term that ended gives no place back
}

std::vector<Client> LeaderLogs::clear() {
  writers_.clear();
  warnings_.clear();
  return table_.clear();
}

bool LeaderLogs::admits_commit(ConnectionId c) {
  AcceptedConnection& k = state_.connections.at(c);
  const bool suspect = dropped_runs_.is_suspect(state_.now, k.from);
  if (suspect && !k.may_commit) k.may_commit = dropped_runs_.admit_newcomer(state_.now, k.from);
  if (suspect && !k.may_commit) return false;
  k.has_committed = true;
  return true;
}

void LeaderLogs::client_gone(ConnectionId c, const AcceptedConnection& k) {
  writers_.disconnected(c);
  if (k.has_committed) dropped_runs_.closed(state_.now, c, k.from);
  table_.client_gone(state_.now, c);
}

// ---- LogHost

void LeaderLogs::warn(LogId log, NodeId node, std::string_view kind, std::string text) {
  if (auto line = warnings_.say(state_.now, log, node, kind, std::move(text)))
    event(Event::Level::warning, std::move(*line));
}

/// S8, A2: the new term begins when its BeginTerm is applied.
void LeaderLogs::begin_term(LogId log, Term floor) {
  if (state_.leads())
    state_.propose(BeginTerm{floor, state_.reign.instance, state_.raft.term(), log});
}

/// V1: the client's way to the storage nodes is broken, or the client means harm. After some
/// dropped runs its connection is closed, and its address counts them (decision 0039).
void LeaderLogs::run_dropped(ConnectionId c) {
  const auto k = state_.connections.find(c);
  if (k == state_.connections.end()) return dropped_runs_.dropped_after_close(state_.now, c);
  dropped_runs_.dropped(state_.now, k->second.from);
  if (++k->second.dropped_runs < state_.options.dropped_runs_max &&
      !dropped_runs_.is_suspect(state_.now, k->second.from))
    return;
  state_.out.closes.push_back(
      {c, Error{Errc::too_many,
                fmt::format(
                    "{} runs that were committed over this connection were never uploaded; upload "
                    "a run before its commit",
                    k->second.dropped_runs)}});
}

void LeaderLogs::trim(LogId log, Offset point) {
  if (state_.leads()) state_.propose(Trim{log, point});
}

void LeaderLogs::join(LogId log, NodeId node) {
  if (const LogInfo* info = state_.metadata.log(log)) to_node(node, Join{state_.reign.term, *info});
}

void LeaderLogs::set_members(LogId log, std::vector<Member> members) {
  if (state_.leads()) state_.propose(SetMembers{log, std::move(members)});
}

void LeaderLogs::written(LogId log, ProducerId producer, ConnectionId connection,
                         const Reference& run) {
  if (state_.connections.contains(connection))
    writers_.committed(state_.now, producer, log, connection, run.count, run.length);
}

}  // namespace loglog::sequencer
