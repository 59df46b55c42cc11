// ClientRequests: how a request is answered or waits, then the requests by kind.
#include "sequencer/core/client_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {
/// S7: how long a request waits for its log to open.
constexpr Duration waiting_max = 10s;
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

void ClientRequests::received(const Client& c, Message& m) {
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
                 [&](const RaiseClusterVersion& x) { on(c, x); },
                 [&](const ClientIs& x) { on(c, x); },
                 [&](const GetMetadata& x) { on(c, x); },
                 [&](const GetStatus& x) { state_.to_client(c, view_.status(x.logs)); },
                 [&](const GetOverview& x) { state_.to_client(c, view_.overview(x.logs_max)); },
                 [](const Failed&) {},
                 [](const Pong&) {},
                 [&](const auto&) {
                   state_.to_client(c,
                                    Failed{Errc::unexpected_message,
                                           "a sequencer does not take this message from a client"});
                 },
             },
             m);
}

/// True if this sequencer leads with its term begun; otherwise it refuses the request.
bool ClientRequests::leads_or_refuses(const Client& c) {
  if (state_.leads() && !state_.resigned()) return true;
  if (state_.raft.is_leader() && !state_.resigned())
    state_.to_client(c, Failed{Errc::not_ready, "the leader's term is not committed yet"});
  else state_.to_client(c, state_.not_leader());
  return false;
}

/// The log's term if it is open. Otherwise nullptr: the request waits until the term opens, or it
/// is refused now.
LogTerm* ClientRequests::open_term(const Client& c, LogId log, Message request) {
  if (!leads_or_refuses(c)) return nullptr;
  LogTerm* l = logs_.need(log);
  if (l == nullptr) {
    const LogInfo* info = state_.metadata.log(log);
    const bool creating = info != nullptr && info->state == LogState::creating;
    Failed answer{creating ? Errc::not_ready : Errc::no_such_log, fmt::format("log {}", log.value)};
    if (creating) state_.to_client(c, std::move(answer));
    else answer_when_confirmed(c, std::move(request), std::move(answer));
    return nullptr;
  }
  if (l->halted()) {
    state_.to_client(c, l->halted_answer());
    return nullptr;
  }
  if (rules::may_tell_term_start(l->is_open(), l->phase() == LogTerm::Phase::opening)) return l;
  if (!logs_.table().wait(log, {c, std::move(request), state_.now + waiting_max}))
    state_.to_client(c, Failed{Errc::too_many, "too many requests wait for this log"});
  return nullptr;
}

/// R2: an answer about the existence of a log is told once a majority has confirmed the lead after
/// the question. A deposed leader that has not heard of it does not know which logs its successor
/// has made or deleted.
void ClientRequests::answer_when_confirmed(const Client& c, Message request, Message answer) {
  if (!rules::confirms_lead_first()) return state_.to_client(c, std::move(answer));
  const auto* refused = std::get_if<Refused>(&answer);
  Message full = Failed{Errc::too_many,
                        fmt::format("{} questions of this connection wait for an answer already",
                                    questions_waiting_max)};
  if (refused != nullptr)
    full = Refused{
        refused->log, refused->producer, refused->first, Errc::too_many, Term{}, Sequence{}, {}};
  if (!confirmations_.add({c, std::move(request), std::move(answer)}))
    state_.to_client(c, std::move(full));
}

void ClientRequests::answer_confirmed() {
  raft::Output& o = state_.raft.output();
  for (const std::uint64_t token : std::exchange(o.reads, {}))
    for (Confirmations::Question& q : confirmations_.end_round(token))
      state_.to_client(q.client, std::move(q.answer));
  // The lead is lost: handled anew, the request is refused with the name of the leader.
  for (const std::uint64_t token : std::exchange(o.failed_reads, {}))
    for (Confirmations::Question& q : confirmations_.end_round(token))
      received(q.client, q.request);
}

// ---- Appends

void ClientRequests::on(const Client& c, const CommitIf& m) {
  commit(c, Commit{m.log, m.term, m.settled, m.run}, {m.expected, m.fence});
}

/// spec/05 step 4. A refusal names the leader, so that the SDK need not look for it.
void ClientRequests::commit(const Client& c, const Commit& m, const Conditions& conditions) {
  const auto refuse = [&](Errc why, SequencerId leader = {}) {
    state_.to_client(c,
                     Refused{m.log, m.run.producer, m.run.first, why, Term{}, Sequence{}, leader});
  };
  if (state_.resigned() || !state_.raft.is_leader())
    return refuse(Errc::not_leader, state_.known_leader());
  if (!state_.leads()) return refuse(Errc::not_ready);
  LogTerm* l = logs_.need(m.log);
  if (l == nullptr)
    return answer_when_confirmed(
        c, CommitIf{m.log, m.term, m.settled, m.run, conditions.expected, conditions.fence},
        Refused{m.log, m.run.producer, m.run.first, Errc::no_such_log, Term{}, Sequence{},
                SequencerId{}});
  if (!logs_.admits_commit(c.connection)) return refuse(Errc::too_many);
  // The connection is told of the next term, so that its unanswered commits are resolved (A3).
  if (l->is_open()) logs_.table().add_opener(m.log, c.connection);
  l->commit(state_.now, c, m, conditions);
  logs_.table().touch(m.log);
}

void ClientRequests::on(const Client&, const Cancel& m) {
  if (LogTerm* l = logs_.table().running(m.log)) {
    l->cancel(state_.now, m);
    logs_.table().touch(m.log);
  }
}

// ---- Terms and tails

void ClientRequests::on(const Client& c, const OpenLog& m) {
  LogTerm* l = open_term(c, m.log, m);
  logs_.table().add_opener(m.log, c.connection);
  if (l != nullptr) state_.to_client(c, l->term_is());
}

void ClientRequests::on(const Client& c, const GetTermSet& m) {
  const LogTerm* l = !state_.leads() ? nullptr : logs_.table().running(m.log);
  if (l == nullptr || !l->is_open() || l->term() != m.term)
    return state_.to_client(c, Failed{Errc::stale_term, "the log is not in that term"});
  state_.to_client(c, l->term_set());
}

void ClientRequests::on(const Client& c, const GetTail& m) {
  if (LogTerm* l = open_term(c, m.log, m)) {
    l->tail(state_.now, c);
    logs_.table().touch(m.log);
  }
}

// ---- Changes of the metadata

/// Members for a new log: nodes that are up, those with the fewest logs first, then by id. A silent
/// node is not up, because its machine may take connections for a process that is stopped.
std::vector<Member> ClientRequests::choose_members(std::size_t n) {
  std::vector<Member> up;
  for (const StorageInfo& s : state_.metadata.state().storage)
    if (state_.nodes.takes_logs(state_.now, s.id)) up.push_back({s.id, s.disk});
  std::sort(up.begin(), up.end(), [&](const Member& a, const Member& b) {
    return std::pair(state_.metadata.logs_on(a.node), a.node) <
           std::pair(state_.metadata.logs_on(b.node), b.node);
  });
  if (up.size() > n) up.resize(n);
  std::sort(up.begin(), up.end(), [](const Member& a, const Member& b) { return a.node < b.node; });
  return up;
}

/// T5: the log is made by MakeLog, joined to its members, and opened; the client is answered then.
void ClientRequests::on(const Client& c, const CreateLog& m) {
  if (!leads_or_refuses(c)) return;
  const Result<LogOptions> options =
      effective_options(m.name, m.options, nodes_of(state_.options, state_.metadata.state()));
  if (!options) return state_.to_client(c, Failed{options.error().code, options.error().detail});
  if (const LogInfo* there = state_.metadata.log(std::string_view(m.name)))
    return answer_creation(c, m, *there);
  if (!state_.reach.metadata_may_grow(state_.now))
    return state_.to_client(
        c,
        Failed{Errc::no_space, "the sequencers' disks have no space for another log's metadata"});
  std::vector<Member> members = choose_members(options->replicas);
  if (members.size() < options->replicas)
    return state_.to_client(
        c, Failed{Errc::not_enough_nodes,
                  fmt::format("{} replicas need {} storage nodes that are up, there are {}",
                              options->replicas, options->replicas, members.size())});
  // T6: this very creation was given up because a node did not join. Nobody deleted its log, so its
  // repeat is no late request.
  Basis basis = m.basis;
  if (const auto given_up = making_.tasks().given_up_at(basis.id))
    basis.seen = std::max(basis.seen, *given_up);
  state_.propose(MakeLog{m.name, *options, std::move(members), basis}, c);
}

void ClientRequests::answer_creation(const Client& c, const CreateLog& m, const LogInfo& there) {
  const bool made_it = rules::is_repeat(m.basis.id, there.made_by);
  // A log that is being made may still be given up, so nobody is told yet that it exists.
  if (making_.tasks().is_making(there.id)) {
    const std::size_t waiting = making_.tasks().waiting(there.id, made_it);
    if (waiting >= questions_waiting_max)
      return state_.to_client(
          c, Failed{Errc::too_many,
                    fmt::format("{} requests wait until log {} is made", waiting, m.name)});
    return making_.tasks().wait(there.id, c, made_it);
  }
  if (made_it && there.state == LogState::open) return answer_when_confirmed(c, m, LogIs{there});
  answer_when_confirmed(c, m, Failed{Errc::log_exists, m.name});
}

/// T5: by id, so that a late request does not delete a newer log of the same name.
void ClientRequests::on(const Client& c, const DeleteLog& m) {
  if (!leads_or_refuses(c)) return;
  const LogInfo* l = state_.metadata.log(m.log);
  if (l == nullptr || l->state == LogState::deleting)
    return answer_when_confirmed(c, m,
                                 Failed{Errc::no_such_log, fmt::format("log {}", m.log.value)});
  state_.propose(MarkDeleting{m.log}, c);
}

/// R3: not beyond the committed offset, which is checked here, and never back, which is checked
/// when the command is applied. A client asks for the tail first (R2), so an offset beyond is not
/// an entry that this leader has not heard of yet.
void ClientRequests::on(const Client& c, const TrimLog& m) {
  const LogTerm* l = open_term(c, m.log, m);
  if (l == nullptr) return;
  if (rules::is_trim_past_committed(m.offset, l->committed()))
    return state_.to_client(
        c, Failed{Errc::past_end, fmt::format("the log ends at {}", l->committed().value)});
  state_.propose(Trim{m.log, m.offset}, c);
}

/// F2: the log must be open first, so that no earlier leader can commit anything in it any more.
void ClientRequests::on(const Client& c, const SetFence& m) {
  if (open_term(c, m.log, m) != nullptr) state_.propose(RaiseFence{m.log, m.token, m.basis}, c);
}

void ClientRequests::on(const Client& c, const SetRetention& m) {
  if (!leads_or_refuses(c)) return;
  const LogInfo* l = state_.metadata.log(m.log);
  if (l == nullptr)
    return answer_when_confirmed(c, m,
                                 Failed{Errc::no_such_log, fmt::format("log {}", m.log.value)});
  if (const auto fits = check_retention(m.retention, l->options.segment_size); !fits)
    return state_.to_client(c, Failed{fits.error().code, fits.error().detail});
  state_.propose(ChangeRetention{m.log, m.retention, m.basis}, c);
}

/// C1 step 1: the reason why the node's disk is still needed; empty: a seal quorum of each of its
/// open logs is there without it, as far as is known here. Each log's seal checks that again.
std::string ClientRequests::log_that_needs_disk(NodeId node) const {
  for (const LogInfo& l : state_.metadata.state().logs) {
    const bool member = std::any_of(l.members.begin(), l.members.end(),
                                    [&](const Member& m) { return m.node == node; });
    if (!member || l.state != LogState::open) continue;
    const LogTerm* term = logs_.table().running(l.id);
    const auto others = static_cast<std::size_t>(
        std::count_if(l.members.begin(), l.members.end(), [&](const Member& m) {
          return m.node != node && state_.can_be_sealed(m) &&
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
void ClientRequests::on(const Client& c, const ReplaceDisk& m) {
  if (!leads_or_refuses(c)) return;
  const auto refuse = [&](Errc why, std::string detail) {
    state_.to_client(c, Failed{why, std::move(detail)});
  };
  const StorageInfo* known = state_.metadata.node(m.node);
  if (known == nullptr)
    return refuse(Errc::invalid_argument,
                  fmt::format("no storage node {} is registered", m.node.value));
  // T6, C1: a disk never comes back. If another disk is registered, this request or an equal
  // request was done.
  if (rules::was_replaced_before(m.disk, known->disk)) return state_.to_client(c, Done{});
  const StorageNode& n = state_.nodes.at(m.node);
  if (n.accepted)
    return refuse(Errc::invalid_argument,
                  fmt::format("node {} is connected with the disk that it is registered with: "
                              "there is nothing to replace",
                              m.node.value));
  if (!n.foreign_disk || state_.now - n.foreign_disk->at > disk_seen_max)
    return refuse(Errc::invalid_argument,
                  fmt::format("node {} has not come with another disk of late; start it with an "
                              "empty directory first",
                              m.node.value));
  if (n.foreign_disk->disk == known->disk)
    return state_.to_client(c, Done{});  // asked again, and the node has not come since
  if (const std::string why = log_that_needs_disk(m.node); !why.empty() && !m.force)
    return refuse(Errc::invalid_argument, why +
                                              "; bring them up. If they are gone too, force it: "
                                              "what only that disk has is lost then");
  state_.propose(AdmitDisk{m.node, known->disk, n.foreign_disk->disk, state_.reign.instance,
                           state_.raft.term()},
                 c);
}

/// T7: the voters and registered storage nodes that are not known to read records of `version`, and
/// why; empty: all of them read it. Each statement came over the present connection, because
/// another program may run at the other end of the next connection.
std::string ClientRequests::cannot_read(std::uint8_t version) const {
  std::string out;
  const auto add = [&out](const std::string& why) {
    if (!why.empty()) out += (out.empty() ? "" : "; ") + why;
  };
  for (const SequencerInfo& s : state_.options.sequencers)
    if (s.id != state_.options.id)
      add(state_.version.cannot_read(s.id, state_.peers.link(s.id), version));
  for (const StorageInfo& s : state_.metadata.state().storage) {
    const StorageNode* n = state_.nodes.find(s.id);
    if (n != nullptr && n->told_too_old)
      add(fmt::format("storage node {} reads less than the cluster's version", s.id.value));
    else if (n == nullptr || !state_.nodes.heard_lately(state_.now, *n))
      add(fmt::format("storage node {} is not connected", s.id.value));
    else if (n->refused)
      add(fmt::format("storage node {} is refused for its disk (see loglog status)", s.id.value));
    else if (!n->sealed) add(fmt::format("storage node {} does not take part yet", s.id.value));
    else if (n->record_version < version)
      add(fmt::format("storage node {} reads up to version {}", s.id.value, n->record_version));
  }
  return out;
}

/// T7: a version that is reached already was raised by this request or by an equal request (T6).
void ClientRequests::on(const Client& c, const RaiseClusterVersion& m) {
  if (!leads_or_refuses(c)) return;
  if (m.version <= state_.metadata.record_version()) return state_.to_client(c, Done{});
  const auto refuse = [&](std::string detail) {
    state_.to_client(c, Failed{Errc::invalid_argument, std::move(detail)});
  };
  if (m.version > state_.options.record_version_highest)
    return refuse(fmt::format(
        "version {} is above {}, the highest that the leader's program reads; the cluster's is {}: "
        "upgrade all programs first, or ask for a lower version",
        m.version, state_.options.record_version_highest, state_.metadata.record_version()));
  if (!state_.reach.metadata_may_grow(state_.now))
    return state_.to_client(
        c, Failed{Errc::no_space, "the sequencers' disks have no space for a raise: free some"});
  if (const std::string why = cannot_read(m.version); !rules::may_raise(!why.empty()))
    return refuse(
        fmt::format("not all programs read records of version {}: {}; upgrade or start them, and "
                    "ask again",
                    m.version, why));
  state_.propose(RaiseVersion{m.version}, c);
}

// ---- Questions about the cluster

/// W11: the bytes of a client's name are arbitrary, so their reader must escape them.
void ClientRequests::on(const Client& c, const ClientIs& m) {
  AcceptedConnection& k = state_.connections.at(c.connection);
  k.name = m.name.substr(0, client_text_max);
  k.version = m.version.substr(0, client_text_max);
}

void ClientRequests::on(const Client& c, const GetMetadata& m) {
  loglog::Metadata out = view_.nodes_and_leader();
  if (m.all_logs) {
    out.metadata.logs = state_.metadata.state().logs;
    return state_.to_client(c, std::move(out));
  }
  // Each name once: otherwise a repeated name would make the answer as large as the client likes.
  const std::set<std::string_view> names(m.names.begin(), m.names.end());
  for (const std::string_view name : names)
    if (const LogInfo* l = state_.metadata.log(name)) out.metadata.logs.push_back(*l);
  // A name that is missing in a leader's answer means that no such log exists, so that answer waits
  // for a confirmed lead (R2).
  const bool all = out.metadata.logs.size() == names.size();
  if (all || out.leader != state_.options.id) return state_.to_client(c, std::move(out));
  if (state_.leads()) return answer_when_confirmed(c, m, std::move(out));
  // Before its own term is committed, a leader may not have applied all committed entries, so it
  // names no leader.
  out.leader = {};
  state_.to_client(c, std::move(out));
}

}  // namespace loglog::sequencer
