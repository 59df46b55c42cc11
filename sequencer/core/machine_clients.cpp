// SequencerMachine: requests of clients. A request is answered now, or waits in exactly one of
// these places: a log's term, a log's slot, a task, a proposal, or a confirmation.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {
/// C1: a disk that a node came with longer ago than this need not be the disk that it has now.
constexpr Duration disk_seen_max = 10s;
/// Counts the registered nodes, and the configured nodes that have not come yet: a log that is
/// created while the cluster starts has as many replicas as later logs.
std::size_t nodes_of(const Options& configured, const ClusterMetadata& m) {
  return m.storage.size() + static_cast<std::size_t>(std::ranges::count_if(
                                configured.storage, [&m](const StorageInfo& s) {
                                  return std::ranges::find(m.storage, s.id, &StorageInfo::id) ==
                                         m.storage.end();
                                }));
}

}  // namespace

void SequencerMachine::from_client(const Client& c, Message& m) {
  std::visit(overloaded{
                 [&](const Commit& x) { on(c, x); },
                 [&](const CommitIf& x) { on(c, x); },
                 [&](const Cancel& x) { on(c, x); },
                 [&](const OpenLog& x) { on(c, x); },
                 [&](const GetTermSet& x) { on(c, x); },
                 [&](const GetTail& x) { on(c, x); },
                 [&](const CreateLog& x) { on(c, x); },
                 [&](const DeleteLog& x) { on(c, x); },
                 [&](const TrimLog& x) { on(c, x); },
                 [&](const SetFence& x) { on(c, x); },
                 [&](const SetRetention& x) { on(c, x); },
                 [&](const ReplaceDisk& x) { on(c, x); },
                 [&](const ClientIs& x) { on(c, x); },
                 [&](const GetMetadata& x) { on(c, x); },
                 [&](const GetStatus& x) { on(c, x); },
                 [&](const GetOverview& x) { on(c, x); },
                 [](const Failed&) {},
                 [](const Pong&) {},
                 [&](const auto&) {
                   to_client(c, Failed{Errc::unexpected_message,
                                       "a sequencer does not take this message from a client"});
                 },
             },
             m);
}

/// W11: the bytes of a client's name are arbitrary, so their reader must escape them.
void SequencerMachine::on(const Client& c, const ClientIs& m) {
  Connection& k = connections_.at(c.connection);
  k.name = m.name.substr(0, client_text_max);
  k.version = m.version.substr(0, client_text_max);
}

Failed SequencerMachine::not_leader() const {
  const SequencerId leader = known_leader();
  if (raft_.is_leader()) return {Errc::not_leader, "this leader is about to stop, and hands over"};
  if (leader == SequencerId{}) return {Errc::not_leader, "no leader is known at present"};
  return {Errc::not_leader, fmt::format("sequencer {} leads", leader.value)};
}

/// The leader to whom clients are sent; a leader that resigns takes nothing new, so it names
/// nobody.
SequencerId SequencerMachine::known_leader() const {
  return resigned() && raft_.is_leader() ? SequencerId{} : raft_.leader();
}

/// True if this sequencer leads with its term begun; otherwise it refuses the request.
bool SequencerMachine::leads_or_refuses(const Client& c) {
  if (reign_.term != Term{} && !resigned()) return true;
  if (raft_.is_leader() && !resigned())
    to_client(c, Failed{Errc::not_ready, "the leader's term is not committed yet"});
  else to_client(c, not_leader());
  return false;
}

/// R2: an answer about the existence of a log is told once a majority has confirmed the lead after
/// the question. A deposed leader that has not heard of it does not know which logs its successor
/// has made or deleted.
void SequencerMachine::answer_when_confirmed(const Client& c, Message request, Message answer) {
  if (!rules::confirms_lead_first()) return to_client(c, std::move(answer));
  const auto* refused = std::get_if<Refused>(&answer);
  Message full = Failed{Errc::too_many,
                        fmt::format("{} questions of this connection wait for an answer already",
                                    questions_waiting_max)};
  if (refused != nullptr)
    full = Refused{
        refused->log, refused->producer, refused->first, Errc::too_many, Term{}, Sequence{}, {}};
  if (!confirmations_.add({c, std::move(request), std::move(answer)}))
    to_client(c, std::move(full));
}

/// Rounds of Raft's read index have ended: tells their answers, or asks anew.
void SequencerMachine::answer_confirmed() {
  raft::Output& o = raft_.output();
  for (const std::uint64_t token : std::exchange(o.reads, {}))
    for (Confirmations::Question& q : confirmations_.end_round(token))
      to_client(q.client, std::move(q.answer));
  // The lead is lost: handled anew, the request is refused with the name of the leader.
  for (const std::uint64_t token : std::exchange(o.failed_reads, {}))
    for (Confirmations::Question& q : confirmations_.end_round(token))
      from_client(q.client, q.request);
}

void SequencerMachine::on(const Client& c, const CommitIf& m) {
  commit(c, Commit{m.log, m.term, m.settled, m.run}, {m.expected, m.fence});
}

/// spec/05 step 4. A refusal names the leader, so that the SDK need not look for it.
void SequencerMachine::commit(const Client& c, const Commit& m, const Conditions& conditions) {
  const auto refuse = [&](Errc why, SequencerId leader = {}) {
    to_client(c, Refused{m.log, m.run.producer, m.run.first, why, Term{}, Sequence{}, leader});
  };
  if (resigned() || !raft_.is_leader()) return refuse(Errc::not_leader, known_leader());
  if (reign_.term == Term{}) return refuse(Errc::not_ready);
  LogTerm* l = need(m.log);
  if (l == nullptr)
    return answer_when_confirmed(
        c, CommitIf{m.log, m.term, m.settled, m.run, conditions.expected, conditions.fence},
        Refused{m.log, m.run.producer, m.run.first, Errc::no_such_log, Term{}, Sequence{},
                SequencerId{}});
  if (!admits_commit(c.connection)) return refuse(Errc::too_many);
  // The connection is told of the next term, so that its unanswered commits are resolved (A3).
  if (l->is_open()) logs_.add_opener(m.log, c.connection);
  l->commit(now_, c, m, conditions);
  logs_.touch(m.log);
}

/// V1: a run that nobody uploads stops the log for all producers until a new term drops it. From an
/// address with several dropped runs only a single new connection in 5 s may commit. Connections
/// over which a run was committed go on.
bool SequencerMachine::admits_commit(ConnectionId c) {
  Connection& k = connections_.at(c);
  const bool suspect = dropped_runs_.is_suspect(now_, k.from);
  if (suspect && !k.may_commit) k.may_commit = dropped_runs_.admit_newcomer(now_, k.from);
  if (suspect && !k.may_commit) return false;
  k.has_committed = true;
  return true;
}

void SequencerMachine::on(const Client&, const Cancel& m) {
  if (LogTerm* l = logs_.running(m.log)) {
    l->cancel(now_, m);
    logs_.touch(m.log);
  }
}

void SequencerMachine::on(const Client& c, const OpenLog& m) {
  LogTerm* l = open_term(c, m.log, m);
  logs_.add_opener(m.log, c.connection);
  if (l != nullptr) to_client(c, l->term_is());
}

void SequencerMachine::on(const Client& c, const GetTermSet& m) {
  const LogTerm* l = reign_.term == Term{} ? nullptr : logs_.running(m.log);
  if (l == nullptr || !l->is_open() || l->term() != m.term)
    return to_client(c, Failed{Errc::stale_term, "the log is not in that term"});
  to_client(c, l->term_set());
}

void SequencerMachine::on(const Client& c, const GetTail& m) {
  if (LogTerm* l = open_term(c, m.log, m)) {
    l->tail(now_, c);
    logs_.touch(m.log);
  }
}

/// Members for a new log: nodes that are up, those with the fewest logs first, then by id. A silent
/// node is not up, because its machine may take connections for a process that is stopped.
std::vector<Member> SequencerMachine::choose_members(std::size_t n) {
  std::vector<Member> up;
  for (const StorageInfo& s : metadata_.state().storage)
    if (nodes_.takes_logs(now_, s.id)) up.push_back({s.id, s.disk});
  std::sort(up.begin(), up.end(), [&](const Member& a, const Member& b) {
    return std::pair(metadata_.logs_on(a.node), a.node) <
           std::pair(metadata_.logs_on(b.node), b.node);
  });
  if (up.size() > n) up.resize(n);
  std::sort(up.begin(), up.end(), [](const Member& a, const Member& b) { return a.node < b.node; });
  return up;
}

/// T5: the log is made by MakeLog, joined to its members, and opened; the client is answered then.
void SequencerMachine::on(const Client& c, const CreateLog& m) {
  if (!leads_or_refuses(c)) return;
  const Result<LogOptions> options =
      effective_options(m.name, m.options, nodes_of(options_, metadata_.state()));
  if (!options) return to_client(c, Failed{options.error().code, options.error().detail});
  if (const LogInfo* there = metadata_.log(std::string_view(m.name)))
    return answer_creation(c, m, *there);
  if (!reach_.metadata_may_grow(now_))
    return to_client(c, Failed{Errc::no_space,
                               "the sequencers' disks have no space for another log's metadata"});
  std::vector<Member> members = choose_members(options->replicas);
  if (members.size() < options->replicas)
    return to_client(
        c, Failed{Errc::not_enough_nodes,
                  fmt::format("{} replicas need {} storage nodes that are up, there are {}",
                              options->replicas, options->replicas, members.size())});
  // T6: this very creation was given up because a node did not join. Nobody deleted its log, so its
  // repeat is no late request.
  Basis basis = m.basis;
  if (const auto given_up = tasks_.given_up_at(basis.id))
    basis.seen = std::max(basis.seen, *given_up);
  propose(MakeLog{m.name, *options, std::move(members), basis}, c);
}

/// T6: a log of that name exists. If this request made it, its answer was lost, and it is answered
/// now or when the log is open.
void SequencerMachine::answer_creation(const Client& c, const CreateLog& m, const LogInfo& there) {
  const bool made_it = rules::is_repeat(m.basis.id, there.made_by);
  // A log that is being made may still be given up, so nobody is told yet that it exists.
  if (tasks_.is_making(there.id)) {
    const std::size_t waiting = tasks_.waiting(there.id, made_it);
    if (waiting >= questions_waiting_max)
      return to_client(
          c, Failed{Errc::too_many,
                    fmt::format("{} requests wait until log {} is made", waiting, m.name)});
    return tasks_.wait(there.id, c, made_it);
  }
  if (made_it && there.state == LogState::open) return answer_when_confirmed(c, m, LogIs{there});
  answer_when_confirmed(c, m, Failed{Errc::log_exists, m.name});
}

/// T5: by id, so that a late request does not delete a newer log of the same name.
void SequencerMachine::on(const Client& c, const DeleteLog& m) {
  if (!leads_or_refuses(c)) return;
  const LogInfo* l = metadata_.log(m.log);
  if (l == nullptr || l->state == LogState::deleting)
    return answer_when_confirmed(c, m,
                                 Failed{Errc::no_such_log, fmt::format("log {}", m.log.value)});
  propose(MarkDeleting{m.log}, c);
}

/// R3: not beyond the committed offset, which is checked here, and never back, which is checked
/// when the command is applied. A client asks for the tail first (R2), so an offset beyond is not
/// an entry that this leader has not heard of yet.
void SequencerMachine::on(const Client& c, const TrimLog& m) {
  const LogTerm* l = open_term(c, m.log, m);
  if (l == nullptr) return;
  if (rules::is_trim_past_committed(m.offset, l->committed()))
    return to_client(
        c, Failed{Errc::past_end, fmt::format("the log ends at {}", l->committed().value)});
  propose(Trim{m.log, m.offset}, c);
}

/// F2: the log must be open first, so that no earlier leader can commit anything in it any more.
void SequencerMachine::on(const Client& c, const SetFence& m) {
  if (open_term(c, m.log, m) != nullptr) propose(RaiseFence{m.log, m.token, m.basis}, c);
}

void SequencerMachine::on(const Client& c, const SetRetention& m) {
  if (!leads_or_refuses(c)) return;
  const LogInfo* l = metadata_.log(m.log);
  if (l == nullptr)
    return answer_when_confirmed(c, m,
                                 Failed{Errc::no_such_log, fmt::format("log {}", m.log.value)});
  if (const auto fits = check_retention(m.retention, l->options.segment_size); !fits)
    return to_client(c, Failed{fits.error().code, fits.error().detail});
  propose(ChangeRetention{m.log, m.retention, m.basis}, c);
}

/// C1 step 1: the reason why the node's disk is still needed; empty: a seal quorum of each of its
/// open logs is there without it, as far as is known here. Each log's seal checks that again.
std::string SequencerMachine::log_that_needs_disk(NodeId node) const {
  for (const LogInfo& l : metadata_.state().logs) {
    const bool member = std::any_of(l.members.begin(), l.members.end(),
                                    [&](const Member& m) { return m.node == node; });
    if (!member || l.state != LogState::open) continue;
    const LogTerm* term = logs_.running(l.id);
    const auto others = static_cast<std::size_t>(
        std::count_if(l.members.begin(), l.members.end(), [&](const Member& m) {
          return m.node != node && can_be_sealed(m) &&
                 (term == nullptr || !term->view().doubts(m.node));
        }));
    const std::size_t needed = quorum_of(l).seal();
    if (others < needed)
      return fmt::format(
          "log {} needs {} of its other replicas up to begin without that disk, there are {}",
          l.name, needed, others);
  }
  return {};
}

/// C1 step 1: refuses unless the node came lately with another disk and the old disk is not needed.
void SequencerMachine::on(const Client& c, const ReplaceDisk& m) {
  if (!leads_or_refuses(c)) return;
  const auto refuse = [&](Errc why, std::string detail) {
    to_client(c, Failed{why, std::move(detail)});
  };
  const StorageInfo* known = metadata_.node(m.node);
  if (known == nullptr)
    return refuse(Errc::invalid_argument,
                  fmt::format("no storage node {} is registered", m.node.value));
  // T6, C1: a disk never comes back. If another disk is registered, this request or an equal
  // request was done.
  if (rules::was_replaced_before(m.disk, known->disk)) return to_client(c, Done{});
  const StorageNode& n = nodes_.at(m.node);
  if (n.accepted)
    return refuse(Errc::invalid_argument,
                  fmt::format("node {} is connected with the disk that it is registered with: "
                              "there is nothing to replace",
                              m.node.value));
  if (!n.foreign_disk || now_ - n.foreign_disk->at > disk_seen_max)
    return refuse(Errc::invalid_argument,
                  fmt::format("node {} has not come with another disk of late; start it with an "
                              "empty directory first",
                              m.node.value));
  if (n.foreign_disk->disk == known->disk)
    return to_client(c, Done{});  // asked again, and the node has not come since
  if (const std::string why = log_that_needs_disk(m.node); !why.empty() && !m.force)
    return refuse(Errc::invalid_argument, why +
                                              "; bring them up. If they are gone too, force it: "
                                              "what only that disk has is lost then");
  propose(AdmitDisk{m.node, known->disk, n.foreign_disk->disk, reign_.instance, raft_.term()}, c);
}

}  // namespace loglog::sequencer
