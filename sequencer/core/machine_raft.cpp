// SequencerMachine: Raft's output, applying commands, winning and losing the lead. Every sequencer
// applies every command; only the leader of the term acts on it.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {

/// Takes Raft's output in this order: losing the lead, a snapshot, then committed entries. So no
/// entry is acted on in a term that is over.
void SequencerMachine::drain_raft() {
  raft::Output& o = state_.raft.output();
  for (std::string& alarm : std::exchange(o.alarms, {}))
    state_.event(Event::Level::alarm, std::move(alarm));
  for (SaveRaft& s : std::exchange(o.saves, {})) {
    state_.version.mark(s);
    state_.out.saves.push_back(std::move(s));
  }
  for (auto& [to, m] : std::exchange(o.sends, {})) {
    const ConnectionId c = state_.peers.link(to);
    if (c == ConnectionId{}) continue;
    state_.clock.put_into(state_.now, m);
    state_.out.sends.push_back({c, {}, std::move(m)});
  }
  if (state_.leads() && !(state_.raft.is_leader() && state_.raft.term() == state_.reign.raft_term))
    stop_leading();
  if constexpr (mutations) {
    if (!rules::awaits_committed_term() && state_.raft.is_leader() && !state_.leads())
      lead(state_.metadata.state().last_term + 1);
  }
  o.role_changed = false;
  tell_vote_right();
  clients_.answer_confirmed();
  if (std::exchange(o.install_snapshot, false)) {
    if (!state_.metadata.restore(o.snapshot) || state_.metadata.version() != o.snapshot_index)
      not_understood(
          fmt::format("the snapshot of the metadata at entry {}", o.snapshot_index.value));
    snapshot_at_ = o.snapshot_index;
    o.snapshot = {};
  }
  for (const RaftEntry& e : std::exchange(o.committed, {})) apply(e);
  // T7: also after a start, when a crash came before the identity was written.
  if (auto save = state_.version.name(state_.metadata.record_version()); save && !state_.out.fatal)
    state_.out.saves.push_back(std::move(*save));
  snapshot_when_due();
}

/// Tells the operator about the right to vote (C3), once at each change.
void SequencerMachine::tell_vote_right() {
  const raft::VoteRight now = state_.raft.vote_right();
  const auto before = std::exchange(vote_right_told_, now);
  if (before == now || (!before && now == raft::VoteRight::voter)) return;
  if (now == raft::VoteRight::undecided)
    state_.event(Event::Level::info, view_.waits_for_answers());
  else if (now == raft::VoteRight::newcomer)
    state_.event(Event::Level::warning,
                 state_.options.trust_empty && !before
                     ? "this directory is not empty but waits for a leader: "
                       "--trust-empty does nothing, empty it again"
                     : "there is a cluster already: no vote before a leader has "
                       "brought this directory up to date");
  else
    state_.event(Event::Level::info, before == raft::VoteRight::newcomer
                                         ? "up to date: it votes again"
                                         : "a new cluster: it votes");
}

/// Applies a committed entry and answers its proposer, if this sequencer proposed it.
void SequencerMachine::apply(const RaftEntry& e) {
  if (e.index <= state_.metadata.version() || state_.out.fatal) return;  // the snapshot covers it
  const std::uint8_t highest = state_.options.record_version_highest;
  const std::optional<Command> c =
      e.command.empty() ? std::nullopt : decode_command(e.command, highest);
  if (!c) {
    if (const std::uint8_t version = version_of_record(e.command.span()); version > highest)
      return not_understood(fmt::format(
          "committed metadata entry {}, a record of version {} while this program reads "
          "up to version {},",
          e.index.value, version, highest));
    if (!e.command.empty())
      return not_understood(fmt::format("committed metadata entry {} (kind {}, {} bytes)",
                                        e.index.value, static_cast<unsigned>(e.command.data()[0]),
                                        e.command.size()));
    state_.metadata.skip(e.index);
    return answer_proposal(
        e.index, e.term, {Error{Errc::unavailable, "replaced by another leader's entry"}, {}, {}});
  }
  if (const auto* raise = std::get_if<RaiseVersion>(&*c); raise && raise->version > highest)
    return not_understood(fmt::format(
        "metadata entry {}, which raises the cluster to version {} while this program reads up to "
        "version {},",
        e.index.value, raise->version, highest));
  const Applied result = state_.metadata.apply(e.index, *c);
  applied(*c, result, e.term);
  answer_proposal(e.index, e.term, result);
}

/// The entry's bytes are whole, so a newer version made it. Skipping it would give this sequencer a
/// state that differs from the others', so the process ends.
void SequencerMachine::not_understood(const std::string& what) {
  state_.out.fatal =
      Error{Errc::newer_format, what + " is of a form that this version does not know"};
}

/// T1, T2: a term belongs to this leader only if it proposed the term and still leads in that Raft
/// term.
bool SequencerMachine::is_mine(InstanceId instance, RaftTerm proposed_in,
                               RaftTerm raft_term) const {
  return instance == state_.reign.instance && state_.raft.is_leader() &&
         state_.raft.term() == raft_term && proposed_in == raft_term;
}

/// The leader's reaction to a command that was just applied, each after the metadata have changed.
void SequencerMachine::applied(const Command& command, const Applied& result, RaftTerm raft_term) {
  if (const auto* b = std::get_if<BeginTerm>(&command)) {
    if (!is_mine(b->instance, b->raft_term, raft_term)) return;
    if (result.error.code != Errc::ok) {
      if (b->log == LogId{}) state_.reign.new_term_proposed = false;
      return result.error.code == Errc::no_such_log
                 ? void()
                 : state_.event(Event::Level::alarm,
                                "no term can be begun: " + result.error.message());
    }
    if constexpr (mutations) {
      if (b->log == LogId{} && result.minted == state_.reign.term &&
          !rules::awaits_committed_term())
        return;
    }
    if (b->log == LogId{}) lead(result.minted);
    else if (state_.leads()) logs_.begin(b->log, result.minted, true, false);
    return;
  }
  if (!state_.leads()) return;
  // C1 step 1: the new disk must join all logs anew, and a new term for all logs begins without the
  // old disk.
  if (const auto* d = std::get_if<AdmitDisk>(&command)) {
    if (!is_mine(d->instance, d->raft_term, raft_term) || result.error.code != Errc::ok) return;
    state_.event(Event::Level::warning,
                 fmt::format("node {}: disk {:016x} takes the place of {:016x}", d->node.value,
                             d->disk.value, d->old.value));
    making_.tasks().disk_replaced(d->node);
    if constexpr (mutations) {
      if (!rules::begins_term_for_new_disk()) return admit_in_term(*d);
    }
    return lead(result.minted);
  }
  state_.nodes.push_by(state_.now + nodes_.push_pause());
  if (std::holds_alternative<InitCluster>(command)) {
    tell_clients();
    for (auto& [id, n] : state_.nodes.all()) nodes_.check(id);
  } else if (const auto* r = std::get_if<RegisterStorage>(&command)) {
    nodes_.check(r->node.id);
  } else if (const auto* lost = std::get_if<MarkLost>(&command)) {
    if (result.error.code == Errc::ok && state_.has_lost(lost->node))
      nodes_.refuse_lost(lost->node);
  } else if (std::holds_alternative<RaiseVersion>(command)) {
    nodes_.version_raised();
  } else if (std::holds_alternative<MakeLog>(command)) {
    if (result.error.code == Errc::ok) making_.join(result.log);
  } else if (std::holds_alternative<MarkOpen>(command)) {
    if (const auto made = making_.tasks().end_making(result.log)) {
      const LogInfo* l = result.error.code == Errc::ok ? state_.metadata.log(result.log) : nullptr;
      const Failed failed{result.error.code, result.error.detail};
      state_.tell(made->clients, l != nullptr ? Message(LogIs{*l}) : failed);
      state_.tell(made->others, l != nullptr ? Failed{Errc::log_exists, l->name} : failed);
    }
    if (result.error.code == Errc::ok) logs_.need(result.log, true);
  } else if (std::holds_alternative<MarkDeleting>(command)) {
    if (result.error.code == Errc::ok) making_.drop(result.log);
  } else if (std::holds_alternative<FinishDelete>(command)) {
    making_.tasks().end_dropping(result.log);
    logs_.table().erase(result.log);
    state_.nodes.forget_log(result.log);
  } else if (LogTerm* l = logs_.table().running(result.log);
             l != nullptr && state_.metadata.log(result.log) != nullptr) {
    const LogInfo& info = *state_.metadata.log(result.log);
    l->changed(state_.now, info);
    if (std::holds_alternative<Trim>(command)) l->trimmed(info.trim);
    logs_.table().touch(result.log);
  } else if (std::holds_alternative<SetMembers>(command)) {
    logs_.table().look_again();  // a further disk may be sealed now
  }
}

/// Tells the proposer the result. An entry of another Raft term at that index is not its proposal.
void SequencerMachine::answer_proposal(RaftIndex index, RaftTerm raft_term, const Applied& result) {
  const std::optional<Proposal> found = state_.proposals.take(index);
  if (!found) return;
  const Proposal& p = *found;
  if (p.raft_term != raft_term) return state_.to_client(p.client, state_.not_leader());
  if (std::holds_alternative<MakeLog>(p.command)) {
    if (result.error.code == Errc::ok) return making_.tasks().wait(result.log, p.client, true);
    // A repeat of the request, proposed before this entry was applied, made the log (T6).
    const auto& made = std::get<MakeLog>(p.command);
    if (const LogInfo* l = state_.metadata.log(result.log);
        l != nullptr && result.error.code == Errc::log_exists)
      return clients_.answer_creation(p.client, CreateLog{made.name, made.options, made.basis}, *l);
  }
  if (result.error.code != Errc::ok)
    return state_.to_client(p.client, Failed{result.error.code, result.error.detail});
  if (std::holds_alternative<Trim>(p.command) ||
      std::holds_alternative<ChangeRetention>(p.command)) {
    if (const LogInfo* l = state_.metadata.log(result.log))
      return state_.to_client(p.client, LogIs{*l});
  }
  // F2: the token is in force; the answer follows once everything ordered before is committed.
  if (std::holds_alternative<RaiseFence>(p.command)) {
    LogTerm* l = logs_.table().running(result.log);
    if (l == nullptr || !l->is_open())
      return state_.to_client(p.client,
                              Failed{Errc::not_ready, "the log's term changed meanwhile"});
    return l->tell_fence(p.client);
  }
  state_.to_client(p.client, Done{});
}

/// A new leader names itself unasked, so clients need not look for it.
void SequencerMachine::tell_clients() {
  for (const auto& [id, k] : state_.connections)
    if (k.role == Role::client) state_.to_client({id, {}}, view_.nodes_and_leader());
}

/// The term of all logs begins: everything of a former term ends, and all nodes are judged and
/// sealed anew. Also called for a new term of the same leader (C1, T3).
void SequencerMachine::lead(Term term) {
  if (state_.leads()) logs_.end_terms(Errc::stale_term);
  state_.reign.term = term;
  state_.reign.raft_term = state_.raft.term();
  state_.reign.new_term_proposed = false;
  state_.event(Event::Level::info, fmt::format("leads in term {}", term.value));
  const ClusterMetadata& m = state_.metadata.state();
  for (const StorageInfo& s : m.storage)
    if (state_.nodes.configured(s.id) == nullptr)
      state_.event(
          Event::Level::warning,
          fmt::format("storage node {} at {} is registered and not named by --storage; its logs "
                      "still need it: name it again",
                      s.id.value, s.address));
  // Clients that look for the leader are told at once, but never an address from before a change of
  // the configuration: then InitCluster comes first.
  if (m.cluster != ClusterId{} && m.sequencers == state_.options.sequencers) tell_clients();
  else
    state_.propose(
        InitCluster{m.cluster == ClusterId{} ? ClusterId{state_.random.next_id()} : m.cluster,
                    state_.options.cluster_name, state_.options.sequencers});
  for (const LogInfo& l : m.logs) {
    if (l.state == LogState::open) logs_.table().recover(l.id);
    else if (l.state == LogState::creating) making_.join(l.id);
    else making_.drop(l.id);
  }
  state_.nodes.push_at(state_.now + nodes_.push_pause());
  for (auto& [id, n] : state_.nodes.all()) {
    n.accepted = n.sealed = n.refused = false;
    nodes_.check(id);
  }
}

/// The lead is lost: waiting requests are told so, and all state of the lead goes.
void SequencerMachine::stop_leading() {
  state_.event(Event::Level::info,
               fmt::format("leads no longer in term {}", state_.reign.term.value));
  for (const Client& c : state_.proposals.take_clients()) state_.to_client(c, state_.not_leader());
  state_.tell(making_.tasks().take_clients(), state_.not_leader());
  // A6: ordered commits have no definite answer here. Their connections close, and the producers
  // resolve with the next leader.
  const std::set<ConnectionId> affected = logs_.table().openers_of_all();
  logs_.end_terms(Errc::not_leader);
  state_.clock.lead_is_lost();
  state_.tell(logs_.table().clear(), state_.not_leader());
  for (const ConnectionId c : affected)
    if (state_.connections.contains(c))
      state_.out.closes.push_back({c, Error{Errc::not_leader, state_.not_leader().detail}});
  state_.reign.term = Term{};
  state_.nodes.reign_ends();
}

/// Raft's log is kept short by a snapshot of the metadata each snapshot_every entries.
void SequencerMachine::snapshot_when_due() {
  if (state_.metadata.version() - snapshot_at_.value < RaftIndex{state_.options.snapshot_every})
    return;
  // T7: a snapshot is a record of the cluster's version, which the directory must name first.
  if (state_.version.named() < state_.metadata.record_version()) return;
  snapshot_at_ = state_.metadata.version();
  state_.raft.compact(snapshot_at_, state_.metadata.snapshot());
}

}  // namespace loglog::sequencer
