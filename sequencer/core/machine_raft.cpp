// SequencerMachine: Raft's output, applying commands, winning and losing the lead. Every sequencer
// applies every command; only the leader of the term acts on it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {

/// T1: a leader's first entry of its Raft term is BeginTerm, because Raft needs an entry there
/// anyway.
Bytes SequencerMachine::first_entry() {
  reign_.instance = InstanceId{random_.next_id()};
  return encode(Command(BeginTerm{Term{}, reign_.instance, raft_.term(), LogId{}}));
}

/// Takes Raft's output in this order: losing the lead, a snapshot, then committed entries. So no
/// entry is acted on in a term that is over.
void SequencerMachine::drain_raft() {
  raft::Output& o = raft_.output();
  for (std::string& alarm : std::exchange(o.alarms, {}))
    event(Event::Level::alarm, std::move(alarm));
  std::move(o.saves.begin(), o.saves.end(), std::back_inserter(out_.saves));
  o.saves.clear();
  for (auto& [to, m] : std::exchange(o.sends, {})) {
    const ConnectionId c = peers_.link(to);
    if (c == ConnectionId{}) continue;
    clock_.put_into(now_, m);
    out_.sends.push_back({c, {}, std::move(m)});
  }
  if (reign_.term != Term{} && !(raft_.is_leader() && raft_.term() == reign_.raft_term))
    stop_leading();
  if constexpr (mutations) {
    if (!rules::awaits_committed_term() && raft_.is_leader() && reign_.term == Term{})
      lead(metadata_.state().last_term + 1);
  }
  o.role_changed = false;
  tell_standing();
  answer_confirmed();
  if (std::exchange(o.install_snapshot, false)) {
    if (!metadata_.restore(o.snapshot) || metadata_.version() != o.snapshot_index)
      not_understood(
          fmt::format("the snapshot of the metadata at entry {}", o.snapshot_index.value));
    snapshot_at_ = o.snapshot_index;
    o.snapshot = {};
  }
  for (const RaftEntry& e : std::exchange(o.committed, {})) apply(e);
  snapshot_when_due();
}

/// Tells the operator about the right to vote (C3), once at each change.
void SequencerMachine::tell_standing() {
  const raft::Standing now = raft_.standing();
  const auto before = std::exchange(standing_told_, now);
  if (before == now || (!before && now == raft::Standing::voter)) return;
  if (now == raft::Standing::undecided) event(Event::Level::info, waits_for_answers());
  else if (now == raft::Standing::newcomer)
    event(Event::Level::warning, options_.trust_empty && !before
                                     ? "this directory is not empty but waits for a leader: "
                                       "--trust-empty does nothing, empty it again"
                                     : "there is a cluster already: no vote before a leader has "
                                       "brought this directory up to date");
  else
    event(Event::Level::info, before == raft::Standing::newcomer ? "up to date: it votes again"
                                                                 : "a new cluster: it votes");
}

/// Applies a committed entry and answers its proposer, if this sequencer proposed it.
void SequencerMachine::apply(const RaftEntry& e) {
  if (e.index <= metadata_.version() || out_.fatal) return;  // the snapshot covers it
  const std::optional<Command> c = e.command.empty() ? std::nullopt : decode_command(e.command);
  if (!c) {
    if (!e.command.empty())
      return not_understood(fmt::format("committed metadata entry {} (kind {}, {} bytes)",
                                        e.index.value, static_cast<unsigned>(e.command.data()[0]),
                                        e.command.size()));
    metadata_.skip(e.index);
    return answer_proposal(
        e.index, e.term, {Error{Errc::unavailable, "replaced by another leader's entry"}, {}, {}});
  }
  const Applied result = metadata_.apply(e.index, *c);
  applied(*c, result, e.term);
  answer_proposal(e.index, e.term, result);
}

/// The entry's bytes are whole, so a newer version made it. Skipping it would give this sequencer a
/// state that differs from the others', so the process ends.
void SequencerMachine::not_understood(const std::string& what) {
  out_.fatal = Error{Errc::newer_format, what + " is of a form that this version does not know"};
}

/// T1, T2: a term belongs to this leader only if it proposed the term and still leads in that Raft
/// term.
bool SequencerMachine::is_mine(InstanceId instance, RaftTerm proposed_in,
                               RaftTerm raft_term) const {
  return instance == reign_.instance && raft_.is_leader() && raft_.term() == raft_term &&
         proposed_in == raft_term;
}

/// The leader's reaction to a command that was just applied, each after the metadata have changed.
void SequencerMachine::applied(const Command& command, const Applied& result, RaftTerm raft_term) {
  if (const auto* b = std::get_if<BeginTerm>(&command)) {
    if (!is_mine(b->instance, b->raft_term, raft_term)) return;
    if (result.error.code != Errc::ok) {
      if (b->log == LogId{}) reign_.new_term_proposed = false;
      return result.error.code == Errc::no_such_log
                 ? void()
                 : event(Event::Level::alarm, "no term can be begun: " + result.error.message());
    }
    if constexpr (mutations) {
      if (b->log == LogId{} && result.minted == reign_.term && !rules::awaits_committed_term())
        return;
    }
    if (b->log == LogId{}) lead(result.minted);
    else if (reign_.term != Term{}) new_log_term(b->log, result.minted, true, false);
    return;
  }
  if (reign_.term == Term{}) return;
  // C1 step 1: the new disk must join all logs anew, and a new term for all logs begins without the
  // old disk.
  if (const auto* d = std::get_if<AdmitDisk>(&command)) {
    if (!is_mine(d->instance, d->raft_term, raft_term) || result.error.code != Errc::ok) return;
    event(Event::Level::warning, fmt::format("node {}: disk {:016x} takes the place of {:016x}",
                                             d->node.value, d->disk.value, d->old.value));
    tasks_.disk_replaced(d->node);
    if constexpr (mutations) {
      if (!rules::begins_term_for_new_disk()) return admit_in_term(*d);
    }
    return lead(result.minted);
  }
  nodes_.push_by(now_ + push_pause());
  if (std::holds_alternative<InitCluster>(command)) {
    tell_clients();
    for (auto& [id, n] : nodes_.all()) check_node(id);
  } else if (const auto* r = std::get_if<RegisterStorage>(&command)) {
    check_node(r->node.id);
  } else if (const auto* lost = std::get_if<MarkLost>(&command)) {
    if (result.error.code == Errc::ok && has_lost(lost->node)) refuse_lost(lost->node);
  } else if (std::holds_alternative<MakeLog>(command)) {
    if (result.error.code == Errc::ok) join_members(result.log);
  } else if (std::holds_alternative<MarkOpen>(command)) {
    if (const auto made = tasks_.end_making(result.log)) {
      const LogInfo* l = result.error.code == Errc::ok ? metadata_.log(result.log) : nullptr;
      const Failed failed{result.error.code, result.error.detail};
      tell(made->clients, l != nullptr ? Message(LogIs{*l}) : failed);
      tell(made->others, l != nullptr ? Failed{Errc::log_exists, l->name} : failed);
    }
    if (result.error.code == Errc::ok) need(result.log, true);
  } else if (std::holds_alternative<MarkDeleting>(command)) {
    if (result.error.code == Errc::ok) drop_members(result.log);
  } else if (std::holds_alternative<FinishDelete>(command)) {
    tasks_.end_dropping(result.log);
    logs_.erase(result.log);
    nodes_.forget_log(result.log);
  } else if (LogTerm* l = logs_.running(result.log);
             l != nullptr && metadata_.log(result.log) != nullptr) {
    const LogInfo& info = *metadata_.log(result.log);
    l->changed(now_, info);
    if (std::holds_alternative<Trim>(command)) l->trimmed(info.trim);
    logs_.touch(result.log);
  } else if (std::holds_alternative<SetMembers>(command)) {
    logs_.look_again();  // a further disk may be sealed now
  }
}

/// Proposes a command; `client`, if any, is answered when the entry is applied. A sequencer that
/// resigns proposes nothing, because its successor must have the whole log.
bool SequencerMachine::propose(Command c, std::optional<Client> client) {
  RaftIndex index{};
  if (client && (proposals_.of(client->connection) >= changes_waiting_max ||
                 proposals_.size() >= changes_waiting_max_in_all)) {
    to_client(*client, Failed{Errc::too_many,
                              fmt::format("{} changes of this connection and {} in all wait for "
                                          "the sequencers, at most {} and {} may",
                                          proposals_.of(client->connection), proposals_.size(),
                                          changes_waiting_max, changes_waiting_max_in_all)});
    return false;
  }
  if (resigned() || !raft_.propose(now_, encode(c), index)) {
    if (client) to_client(*client, not_leader());
    return false;
  }
  if (!client) return true;
  proposals_.add(index, {raft_.term(), std::move(c), *client});
  return true;
}

/// Tells the proposer the result. An entry of another Raft term at that index is not its proposal.
void SequencerMachine::answer_proposal(RaftIndex index, RaftTerm raft_term, const Applied& result) {
  const std::optional<Proposal> found = proposals_.take(index);
  if (!found) return;
  const Proposal& p = *found;
  if (p.raft_term != raft_term) return to_client(p.client, not_leader());
  if (std::holds_alternative<MakeLog>(p.command)) {
    if (result.error.code == Errc::ok) return tasks_.wait(result.log, p.client, true);
    // A repeat of the request, proposed before this entry was applied, made the log (T6).
    const auto& made = std::get<MakeLog>(p.command);
    if (const LogInfo* l = metadata_.log(result.log);
        l != nullptr && result.error.code == Errc::log_exists)
      return answer_creation(p.client, CreateLog{made.name, made.options, made.basis}, *l);
  }
  if (result.error.code != Errc::ok)
    return to_client(p.client, Failed{result.error.code, result.error.detail});
  if (std::holds_alternative<Trim>(p.command) ||
      std::holds_alternative<ChangeRetention>(p.command)) {
    if (const LogInfo* l = metadata_.log(result.log)) return to_client(p.client, LogIs{*l});
  }
  // F2: the token is in force; the answer follows once everything ordered before is committed.
  if (std::holds_alternative<RaiseFence>(p.command)) {
    LogTerm* l = logs_.running(result.log);
    if (l == nullptr || !l->is_open())
      return to_client(p.client, Failed{Errc::not_ready, "the log's term changed meanwhile"});
    return l->tell_fence(p.client);
  }
  to_client(p.client, Done{});
}

void SequencerMachine::tell(const std::vector<Client>& clients, const Message& m) {
  for (const Client& c : clients) to_client(c, m);
}

/// A new leader names itself unasked, so clients need not look for it.
void SequencerMachine::tell_clients() {
  for (const auto& [id, k] : connections_)
    if (k.role == Role::client) to_client({id, {}}, nodes_and_leader());
}

/// The term of all logs begins: everything of a former term ends, and all nodes are judged and
/// sealed anew. Also called for a new term of the same leader (C1, T3).
void SequencerMachine::lead(Term term) {
  if (reign_.term != Term{}) clear_logs(Errc::stale_term);
  reign_.term = term;
  reign_.raft_term = raft_.term();
  reign_.new_term_proposed = false;
  event(Event::Level::info, fmt::format("leads in term {}", term.value));
  const ClusterMetadata& m = metadata_.state();
  for (const StorageInfo& s : m.storage)
    if (nodes_.configured(s.id) == nullptr)
      event(Event::Level::warning,
            fmt::format("storage node {} at {} is registered and not named by --storage; its logs "
                        "still need it: name it again",
                        s.id.value, s.address));
  // Clients that look for the leader are told at once, but never an address from before a change of
  // the configuration: then InitCluster comes first.
  if (m.cluster != ClusterId{} && m.sequencers == options_.sequencers) tell_clients();
  else
    propose(InitCluster{m.cluster == ClusterId{} ? ClusterId{random_.next_id()} : m.cluster,
                        options_.cluster_name, options_.sequencers});
  for (const LogInfo& l : m.logs) {
    if (l.state == LogState::open) logs_.recover(l.id);
    else if (l.state == LogState::creating) join_members(l.id);
    else drop_members(l.id);
  }
  nodes_.push_at(now_ + push_pause());
  for (auto& [id, n] : nodes_.all()) {
    n.accepted = n.sealed = n.refused = false;
    check_node(id);
  }
}

/// The lead is lost: waiting requests are told so, and all state of the lead goes.
void SequencerMachine::stop_leading() {
  event(Event::Level::info, fmt::format("leads no longer in term {}", reign_.term.value));
  for (const Client& c : proposals_.take_clients()) to_client(c, not_leader());
  tell(tasks_.take_clients(), not_leader());
  // A6: ordered commits have no definite answer here. Their connections close, and the producers
  // resolve with the next leader.
  const std::set<ConnectionId> affected = logs_.openers_of_all();
  clear_logs(Errc::not_leader);
  clock_.lead_is_lost();
  tell(logs_.clear(), not_leader());
  for (const ConnectionId c : affected)
    if (connections_.contains(c))
      out_.closes.push_back({c, Error{Errc::not_leader, not_leader().detail}});
  writers_.clear();
  warnings_.clear();
  reign_.term = Term{};
  nodes_.reign_ends();
}

/// Ends all log terms. Requests that wait for a log go on waiting, so its next term is wanted (S7).
void SequencerMachine::clear_logs(Errc why) {
  logs_.end_terms(why);
  copies_.clear();  // a term that ended gives no place back
}

/// Raft's log is kept short by a snapshot of the metadata each snapshot_every entries.
void SequencerMachine::snapshot_when_due() {
  if (metadata_.version() - snapshot_at_.value < RaftIndex{options_.snapshot_every}) return;
  snapshot_at_ = metadata_.version();
  raft_.compact(snapshot_at_, metadata_.snapshot());
}

}  // namespace loglog::sequencer
