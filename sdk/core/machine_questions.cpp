// Questions to the cluster: a request and an answer, asked again until the deadline. Changes of the
// metadata act once, however often they are asked (T6): their requests name what they are based on.
#include <algorithm>
#include <memory>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "sdk/core/machine_parts.h"
#include "sdk/core/rules.h"

namespace loglog::client {
namespace {
constexpr Duration ask_pause = 20ms;  // between attempts of a question
}

/// Begins a question; `answer` as in Question.
void ClientMachine::Parts::ask(Time at, Token t, Message m, Time deadline,
                               std::function<bool(Time, ConnectionId, Message&)> answer,
                               Question::To to) {
  now = at;
  if (closed) return fail(t, Errc::client_closed);
  Question q;
  q.message = std::move(m);
  q.to = to;
  q.deadline = deadline;
  q.begun_at = at;
  q.answer = std::move(answer);
  poll(at, t, questions.insert_or_assign(t, std::move(q)).first->second);
}

/// Sends the question if it is due and a node can be asked. A lost answer or a temporary error
/// makes it due again; the request may have been done all the same, which `repeated` records.
void ClientMachine::Parts::poll(Time at, Token t, Question& q) {
  if (q.asked || at < q.due) return;
  q.due = at + ask_pause;
  ConnectionId c = view.leader(at);
  if (c == ConnectionId{} && q.to == Question::To::anybody) c = view.any(at);
  if (c == ConnectionId{}) return;
  q.asked = true;
  view.request(at, c, q.message, options.answer_timeout, [this, t, c](Time then, Message* m) {
    const auto i = questions.find(t);
    if (i == questions.end()) return;
    Question& question = i->second;
    question.asked = false;
    question.due = then + ask_pause;
    const auto* failed = m ? std::get_if<Failed>(m) : nullptr;
    if (m == nullptr) {
      question.repeated = true;
      view.not_leader(c, {});
    } else if (failed && retry_of(failed->error) != Retry::no) {
      question.repeated = true;
      if (failed->error == Errc::not_leader) view.not_leader(c, {});
      else question.last = failed->error;
    } else if (const auto answer = question.answer; answer(then, c, *m)) {
      questions.erase(t);
    }
  });
}

namespace {
std::string text_of(const Failed& f) { return f.detail; }
}  // namespace

void ClientMachine::tail(Time now, Token token, LogId log, Time deadline) {
  parts_->ask(now, token, GetTail{log}, deadline,
              [p = parts_.get(), token](Time, ConnectionId, Message& m) {
                if (const auto* a = std::get_if<TailIs>(&m))
                  p->complete(token, client::Tail{a->first, a->committed, a->term});
                else if (const auto* f = std::get_if<Failed>(&m))
                  p->fail(token, f->error, text_of(*f));
                else return false;
                return true;
              });
}

void ClientMachine::open_log(Time now, Token token, std::string name, Time deadline) {
  const auto answer = [p = parts_.get(), token, name](Time, ConnectionId from, Message& m) {
    if (const auto* f = std::get_if<Failed>(&m)) {
      p->fail(token, f->error, text_of(*f));
      return true;
    }
    const auto* a = std::get_if<Metadata>(&m);
    if (a == nullptr) return false;
    p->view.learn(from, *a);
    for (const LogInfo& l : a->metadata.logs) {
      if (l.name != name || l.state != LogState::open) continue;
      p->view.learn(l);
      if (p->options.dial_on_open) p->dial_for(l);
      p->complete(token, LogDescription{l});
      return true;
    }
    // R2: only the leader can say that a log does not exist. Other nodes may lag, or hold only some
    // logs.
    if (!p->view.is_leaders_word(from, *a)) return false;
    const bool creating = std::any_of(
        a->metadata.logs.begin(), a->metadata.logs.end(),
        [&name](const LogInfo& l) { return l.name == name && l.state == LogState::creating; });
    if (creating) return false;  // ask again until the log is open, or gone
    p->fail(token, Errc::no_such_log, name);
    return true;
  };
  parts_->ask(now, token, GetMetadata{{name}, false}, deadline, answer, Question::To::anybody);
}

void ClientMachine::create_log(Time now, Token token, std::string name, LogOptions options,
                               Time deadline) {
  parts_->change(
      now, token,
      [name = std::move(name), options](const Basis& basis) {
        return CreateLog{name, options, basis};
      },
      deadline,
      [p = parts_.get(), token](const Message& m) {
        const auto* a = std::get_if<LogIs>(&m);
        if (a == nullptr) return false;
        p->view.learn(a->info);
        p->complete(token, LogDescription{a->info});
        return true;
      });
}

/// Asks for a change of the metadata (T6). The request names the version that this client knows,
/// and all repeats name the same version and change id. `superseded` for the only copy is definite:
/// the client asks for the newest version and sends a new request. After repeats it ends the call,
/// because a copy may have been done and overtaken.
void ClientMachine::Parts::change(Time at, Token t, std::function<Message(const Basis&)> request,
                                  Time deadline, std::function<bool(const Message&)> succeeded) {
  const ChangeId id{change_ids.next_id()};
  Message first = request({view.metadata().version, id});
  const auto answer = [this, t, id, request = std::move(request), succeeded = std::move(succeeded)](
                          Time then, ConnectionId from, Message& m) {
    const auto q = questions.find(t);
    check(q != questions.end(), "an answer belongs to a question");
    const auto go_on = [&](Message next) {
      q->second.message = std::move(next);
      q->second.repeated = false;
      q->second.due = then;
      return false;
    };
    if (const auto* a = std::get_if<Metadata>(&m)) {
      view.learn(from, *a);
      return view.is_leaders_word(from, *a) ? go_on(request({a->metadata.version, id})) : false;
    }
    const auto* f = std::get_if<Failed>(&m);
    if (f == nullptr) return succeeded(m);
    if (f->error == Errc::superseded && !q->second.repeated) return go_on(GetMetadata{});
    fail(t, f->error, text_of(*f));
    return true;
  };
  ask(at, t, std::move(first), deadline, answer);
}

/// Asks for the id of the log that has the name, then deletes the log by its id (T5). So a request
/// that comes late cannot delete a log that was created under the name since.
void ClientMachine::delete_log(Time now, Token token, std::string name, Time deadline) {
  struct Asked {
    LogId log{};         // the log to delete; 0: unknown yet
    bool maybe = false;  // an attempt without an answer may have deleted the log
  };
  const auto answer = [p = parts_.get(), token, name, asked = std::make_shared<Asked>()](
                          Time then, ConnectionId from, Message& m) {
    const auto q = p->questions.find(token);
    check(q != p->questions.end(), "an answer belongs to a question");
    const auto go_on = [&](Message next) {
      q->second.message = std::move(next);
      q->second.repeated = false;
      q->second.due = then;
      return false;
    };
    if (const auto* a = std::get_if<Metadata>(&m)) {
      p->view.learn(from, *a);
      if (!p->view.is_leaders_word(from, *a)) return false;
      const auto l = std::ranges::find(a->metadata.logs, name, &LogInfo::name);
      const bool there = l != a->metadata.logs.end();
      // If an own attempt may have deleted the earlier log, another log that has the name now is
      // not the one that the caller meant.
      if (there && (!asked->maybe || l->id == asked->log))
        return go_on(DeleteLog{asked->log = l->id});
      if (there)
        p->fail(token, Errc::no_such_log,
                name + ": the log that had this name is gone; another one has it now");
      else if (asked->maybe) p->complete(token, Succeeded{});
      else p->fail(token, Errc::no_such_log, name);
    } else if (const auto* f = std::get_if<Failed>(&m);
               f != nullptr && f->error == Errc::no_such_log) {
      asked->maybe = asked->maybe || q->second.repeated;
      return go_on(GetMetadata{{name}, false});
    } else if (f != nullptr) {
      p->fail(token, f->error, text_of(*f));
    } else if (std::holds_alternative<Done>(m)) {
      p->complete(token, Succeeded{});
    } else {
      return false;
    }
    return true;
  };
  parts_->ask(now, token, GetMetadata{{name}, false}, deadline, answer);
}

void ClientMachine::set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline) {
  parts_->change(
      now, token, [log, fence](const Basis& basis) { return SetFence{log, fence, basis}; },
      deadline,
      [p = parts_.get(), token](const Message& m) {
        const auto* a = std::get_if<FenceIs>(&m);
        if (a != nullptr) p->complete(token, client::Fence{a->token, a->end});
        return a != nullptr;
      });
}

/// Asks for the tail first and refuses a point beyond it, which would remove later entries (R3).
/// The leader's own committed offset is not enough: with client-observed commit (V2) an
/// acknowledged entry may lie above it. Every acknowledged entry lies below the tail (R2).
void ClientMachine::trim_log(Time now, Token token, LogId log, Offset offset, Time deadline) {
  const auto answer = [p = parts_.get(), token, log, offset](Time then, ConnectionId, Message& m) {
    if (const auto* tail = std::get_if<TailIs>(&m)) {
      if (rules::is_beyond_committed(offset, tail->committed)) {
        p->complete(token, past_end(tail->committed));
        return true;
      }
      const auto q = p->questions.find(token);
      check(q != p->questions.end(), "an answer belongs to a question");
      q->second.message = TrimLog{log, offset};
      q->second.due = then;
      return false;
    }
    if (const auto* a = std::get_if<LogIs>(&m)) p->complete(token, LogDescription{a->info});
    else if (const auto* f = std::get_if<Failed>(&m)) p->fail(token, f->error, text_of(*f));
    else return false;
    return true;
  };
  parts_->ask(now, token, GetTail{log}, deadline, answer);
}

Failure past_end(Offset end) {
  return {Error{Errc::past_end, "the log ends at " + std::to_string(end.value)}, {}, end};
}

/// Asks the leader for the tail on behalf of a read or a follow. Calls `told` with the answer, or
/// with nullptr if no leader answered by `until`. Completes no call of the application.
void ClientMachine::Parts::ask_end(Time at, LogId log, Time until,
                                   std::function<void(Time, const TailIs*)> told) {
  constexpr std::uint64_t own_bit = 1ull << 62;  // keeps these tokens apart from those of calls
  const Token t{own_bit | ++own_questions};
  Question q;
  q.message = GetTail{log};
  q.deadline = until;
  q.ours = true;
  q.answer = [told = std::move(told)](Time then, ConnectionId, Message& m) {
    told(then, std::get_if<TailIs>(&m));
    return true;
  };
  poll(at, t, questions.insert_or_assign(t, std::move(q)).first->second);
}

void ClientMachine::set_retention(Time now, Token token, LogId log, Retention retention,
                                  Time deadline) {
  parts_->change(
      now, token,
      [log, retention](const Basis& basis) { return SetRetention{log, retention, basis}; },
      deadline,
      [p = parts_.get(), token](const Message& m) {
        const auto* a = std::get_if<LogIs>(&m);
        if (a != nullptr) p->complete(token, LogDescription{a->info});
        return a != nullptr;
      });
}

/// Asks which disk is registered, then replaces that disk (T6). So a request that comes late cannot
/// replace a disk that was registered since.
void ClientMachine::replace_disk(Time now, Token token, NodeId node, bool force, Time deadline) {
  const auto answer = [p = parts_.get(), token, node, force](Time then, ConnectionId from,
                                                             Message& m) {
    const auto q = p->questions.find(token);
    check(q != p->questions.end(), "an answer belongs to a question");
    if (const auto* a = std::get_if<Metadata>(&m)) {
      p->view.learn(from, *a);
      if (!p->view.is_leaders_word(from, *a)) return false;
      const auto known = std::ranges::find(a->metadata.storage, node, &StorageInfo::id);
      q->second.message =
          ReplaceDisk{node, known == a->metadata.storage.end() ? DiskId{} : known->disk, force};
      q->second.due = then;
      return false;
    }
    if (std::holds_alternative<Done>(m)) p->complete(token, Succeeded{});
    else if (const auto* f = std::get_if<Failed>(&m)) p->fail(token, f->error, text_of(*f));
    else return false;
    return true;
  };
  parts_->ask(now, token, GetMetadata{}, deadline, answer);
}

void ClientMachine::list_logs(Time now, Token token, Time deadline) {
  const auto answer = [p = parts_.get(), token](Time, ConnectionId from, Message& m) {
    const auto* a = std::get_if<Metadata>(&m);
    if (a == nullptr) return false;
    p->view.learn(from, *a);
    if (!p->view.is_sequencer(from)) return false;  // a storage node knows only its own logs
    p->complete(token, Metadatas{a->metadata});
    return true;
  };
  parts_->ask(now, token, GetMetadata{{}, true}, deadline, answer, Question::To::anybody);
}

void ClientMachine::status(Time now, Token token, bool logs, Time deadline) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return p.fail(token, Errc::client_closed);
  StatusCall& s = p.statuses[token];
  s.logs = logs;
  s.begun_at = now;
  s.deadline = deadline;
  p.poll_status(now, token, s);
}

/// Asks each known sequencer once, as soon as its connection is up.
void ClientMachine::Parts::poll_status(Time at, Token t, StatusCall& s) {
  if (view.metadata().sequencers.empty()) view.leader(at);  // asks for the metadata
  else if (!s.known_at) s.known_at = at;
  for (const SequencerInfo& q : view.metadata().sequencers) {
    const ConnectionId c = view.sequencer(at, q.id);
    if (c == ConnectionId{} || s.asked.contains(q.id)) continue;
    s.asked[q.id] = true;
    view.request(at, c, GetStatus{s.logs}, options.status_timeout,
                 [this, t, id = q.id](Time, Message* m) {
                   const auto i = statuses.find(t);
                   const auto* a = m ? std::get_if<Status>(m) : nullptr;
                   if (i == statuses.end()) return;
                   if (a) i->second.result.sequencers.push_back(*a);
                   i->second.asked[id] = false;
                 });
  }
}

/// Ends questions and status calls that are due, and continues the others.
void ClientMachine::Parts::tick_questions(Time at) {
  for (auto i = questions.begin(); i != questions.end();) {
    const auto q = i++;
    if (q->second.deadline <= at) {
      const Token t = q->first;
      Question ended = std::move(q->second);
      questions.erase(q);
      Message none = Failed{ended.last, {}};
      if (ended.ours) ended.answer(at, {}, none);
      else fail_late(t, ended.last);
    } else if (!options.wait_for_cluster && view.all_refused() &&
               q->second.begun_at + options.refused_patience <= at) {
      const Token t = q->first;
      Question ended = std::move(q->second);
      questions.erase(q);
      Message none = Failed{Errc::unavailable, {}};
      if (ended.ours) ended.answer(at, {}, none);
      else fail(t, Errc::unavailable, view.failures());
    } else {
      poll(at, q->first, q->second);
    }
  }
  for (auto i = statuses.begin(); i != statuses.end();) {
    const auto s = i++;
    poll_status(at, s->first, s->second);
    const auto& all = view.metadata().sequencers;
    const bool complete_now = !all.empty() && s->second.result.sequencers.size() == all.size();
    if (!complete_now && status_ends(s->second) > at) continue;
    ClusterStatus result = std::move(s->second.result);
    const Token t = s->first;
    statuses.erase(s);
    if (all.empty()) {
      const std::string whom = view.failures();
      fail(t, Errc::unavailable, whom.empty() ? "no node answers" : whom);
      continue;
    }
    for (const SequencerInfo& q : all) {
      const bool answered = std::any_of(result.sequencers.begin(), result.sequencers.end(),
                                        [&q](const Status& x) { return x.id == q.id; });
      if (!answered) result.unreachable.push_back(q);
    }
    complete(t, std::move(result));
  }
}

/// When a status call ends at the latest. While the sequencers are unknown: at its deadline, or
/// after status_timeout if every address has failed. Afterwards: after status_timeout, twice the
/// time that finding the sequencers took, or four round trips, whichever is longest. So a slow
/// network alone makes no sequencer unreachable.
Time ClientMachine::Parts::status_ends(const StatusCall& s) const {
  const Time at_least = s.begun_at + options.status_timeout;
  if (!s.known_at) return view.all_refused() ? std::min(s.deadline, at_least) : s.deadline;
  const Duration wait = std::max(
      {options.status_timeout, 2 * (*s.known_at - s.begun_at), 4 * view.longest_round_trip()});
  return std::min(s.deadline, *s.known_at + wait);
}

/// Dials the nodes that appends and reads of this log will need.
void ClientMachine::Parts::dial_for(const LogInfo& log) {
  for (const Member& m : log.members) view.node(now, m.node);
  view.leader(now);
}

Time ClientMachine::Parts::questions_wake() const {
  Time w = never;
  for (const auto& [t, q] : questions) {
    w = std::min({w, q.deadline, q.asked ? never : q.due});
    if (!options.wait_for_cluster && view.all_refused())
      w = std::min(w, q.begun_at + options.refused_patience);
  }
  for (const auto& [t, s] : statuses) w = std::min(w, status_ends(s));
  return w;
}

}  // namespace loglog::client
