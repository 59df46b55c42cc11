// In the order of an append's life: gathering, uploading, the term, committing, endings. pump() at
// the end of the file does all that the present state allows, and may be called at any time. No
// iterator into runs_ is kept across a message: runs are found by their first sequence number.
#include "sdk/core/append_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace loglog::client {

AppendPipeline::AppendPipeline(const Options& options, ClusterView& view, ReplicaChoice& choice,
                               Output& out, std::uint64_t& bytes, LogId log, ProducerId producer)
    : options_(options),
      view_(view),
      bytes_(bytes),
      log_(log),
      producer_(producer),
      open_(options, producer),
      uploads_(options, view, log, producer),
      session_(view),
      observed_(options.observed_commit),
      fates_(options, view, choice, out, log, producer) {}

// ---- Gathering

void AppendPipeline::append(Time now, Token token, const Bytes& payload, bool packed, Time deadline,
                            const AppendConditions& conditions) {
  const FrameKind kind = packed ? FrameKind::packed_entry : FrameKind::entry;
  if (!open_.takes(payload.size(), conditions, bytes_)) open_.cut(runs_);
  bytes_ += payload.size() + frame_overhead;
  open_.add(now, token, kind, payload, deadline, conditions);
}

/// Builds this run and all later runs anew, without the entries that have ended.
void AppendPipeline::rebuild_from(RunList::iterator begin) {
  open_.cut(runs_);
  RunList old;
  old.splice(old.begin(), runs_, begin, runs_.end());
  auto rebuilt = open_.rebuild(old);
  bytes_ -= rebuilt.dropped;
  runs_.splice(runs_.end(), rebuilt.runs);
}

// ---- Uploading

/// Sends the first runs to every replica that still wants them and whose connection is up.
void AppendPipeline::upload(Time now) {
  if (runs_.empty()) return;
  const LogInfo* log = view_.log(log_);
  if (log == nullptr) return view_.want_log(now, log_);
  std::uint32_t n = 0;
  for (Run& r : runs_)
    if (n++ < options_.runs_in_flight_max) upload(now, *log, r);
}

void AppendPipeline::upload(Time now, const LogInfo& log, Run& run) {
  if (!run.uploads.has_begun()) run.uploads.begin(log.members);
  for (auto& t : run.uploads.targets()) {
    const ConnectionId c = uploads_.due(now, t);
    if (c == ConnectionId{}) continue;
    // No time-out: a large run over a thin link takes as long as it takes. The upload ends with its
    // connection.
    view_.request(now, c, uploads_.send(now, run, t, c), Duration::max(),
                  [this, first = run.reference.first, node = t.node, c](Time at, Message* m) {
                    upload_answered(at, first, node, c, m);
                  });
  }
}

/// The run may be settled already and kept for slow replicas, or be gone.
void AppendPipeline::upload_answered(Time now, Sequence first, NodeId node, ConnectionId c,
                                     const Message* m) {
  if (const auto* taken = m ? std::get_if<Uploaded>(m) : nullptr) commits_.learn(taken->committed);
  const auto run = find(first);
  bytes_ -= uploads_.answered(now, first, run == runs_.end() ? nullptr : &*run, node, c, m);
}

/// The leader has ordered the run, and a replica misses its bytes (spec/05 "When a payload is
/// missing"). After a Cancel the client has promised not to upload.
void AppendPipeline::upload_again(const UploadAgain& m) {
  const auto run = find(m.first);
  if (m.producer != producer_ || run == runs_.end() || run->uploads.is_cancelled()) return;
  run->uploads.again();
  uploads_.hold_back();
}

/// Gives up replicas that are slow to take committed runs. Closing the connection drops its queue;
/// the replica catches up from its peers.
void AppendPipeline::drop_laggards(Time now) {
  const RunUploads::GivenUp late = uploads_.give_up(now);
  bytes_ -= late.bytes;
  for (const ConnectionId c : late.slow) {
    view_.slow(now, view_.storage_at(c).node, log_,
               Error{Errc::connection_lost, "the node was slow to take a committed run"});
    view_.drop(now, c);
  }
}

// ---- The term

/// Asks the leader for the log's term. Called while there are runs and the term is not open.
void AppendPipeline::open_term(Time now) {
  const ConnectionId c = session_.ask(now);
  if (c == ConnectionId{}) return;
  view_.request(now, c, OpenLog{log_}, options_.commit_timeout, [this, c](Time at, Message* m) {
    const Error why = session_.answered(at, c, m);
    if (why.code != Errc::ok) return no_term(at, why);
    if (const auto* t = m ? std::get_if<TermIs>(m) : nullptr) term_is(at, c, *t);
  });
}

/// The leader says that the log takes no appends. Entries that were never in a Commit are refused.
/// The others may be in the log, so their outcome is unknown (A6).
void AppendPipeline::no_term(Time now, const Error& why) {
  open_.cut(runs_);
  while (!runs_.empty()) {
    Run& run = runs_.front();
    if (run.was_committed()) let_go(run, why.message());
    else fates_.end_all(run, why.code, why.detail);
    settle(now, runs_.begin(), false);
  }
}

/// The log has this term, and `from` leads it. In the same term its Commits may be repeated (A1).
/// In a new term unsettled entries are resolved before anything is committed (A3).
void AppendPipeline::term_is(Time now, ConnectionId from, const TermIs& m) {
  const auto news = session_.take(from, m, commits_.known());
  if (news == TermSession::News::ignored) return;
  commits_.learn(m.end);  // all bytes below are committed
  if (news == TermSession::News::same) return;
  observed_.begin(m.term);
  for (Run& r : runs_) r.begin_term();
  fates_.forget_gap();
  const bool is_first = news == TermSession::News::first_term;
  if (!fates_.is_resolving() && rules::resolves_in(is_first)) resolve(now);
}

/// No Commit is sent until the term is open again; then all unanswered Commits are sent again.
void AppendPipeline::lose_term(Time now, Duration pause) {
  session_.lose(now, pause);
  for (Run& r : runs_) r.commit_again();
}

void AppendPipeline::disconnected(Time now, ConnectionId c) {
  uploads_.disconnected(c);
  if (c == session_.leader()) lose_term(now, Duration{0});
}

/// Reads the log to find the unsettled entries (A3): from the least offset that was known as
/// committed at the first Commit of any of them, to the new term's start.
void AppendPipeline::resolve(Time now) {
  Offset from = no_offset;
  for (const Run& r : runs_)
    if (r.was_committed()) from = std::min(from, r.known);
  if (from == no_offset) return;
  fates_.resolve(now, from, session_.start(),
                 [this](Time at, Resolver::Findings&& f) { resolved(at, f); });
}

/// Absent entries whose caller waits are committed again: a run that is absent and wanted as a
/// whole under its old numbers, any other run rebuilt.
void AppendPipeline::resolved(Time now, const Resolver::Findings& f) {
  fates_.resolved();
  Offset lower{};  // end of the last entry found: no later entry can stand below
  for (auto r = runs_.begin(); r != runs_.end();) {
    const auto run = r++;
    bytes_ -= fates_.judge(now, *run, f, lower);
    if (run->entries.empty()) settle(now, run, false);
    else uploads_.hold_back();  // V1: an entry was absent
  }
  commits_.learn(session_.end());
}

// ---- Committing

/// The sequence number up to which every entry's fate is known to this client (A1).
Sequence AppendPipeline::settled_through() const {
  const Sequence first = runs_.empty() ? open_.first() : runs_.front().entries.front().sequence;
  return Sequence{first.value - 1};
}

void AppendPipeline::send_commits(Time now) {
  if (!session_.is_open() || fates_.is_resolving()) return;
  commits_.for_each_due(now, runs_, settled_through(), uploads_,
                        [this, now](Run& run) { send_commit(now, run); });
}

void AppendPipeline::send_commit(Time now, Run& run) {
  ++view_.figures().commits;
  if (run.was_committed()) ++view_.figures().commits_repeated;
  const ConnectionId leader = session_.leader();
  view_.request(now, leader, commits_.commit(log_, session_.term(), settled_through(), run),
                options_.commit_timeout, [this, leader](Time at, Message* answer) {
                  if (answer != nullptr) return arrived(at, leader, *answer);
                  if (session_.leader() != leader) return;
                  view_.not_leader(leader, {});  // silent for long: another sequencer may lead
                  lose_term(at, Duration{0});
                });
}

void AppendPipeline::arrived(Time now, ConnectionId from, const Message& m) {
  if (const auto* c = std::get_if<Committed>(&m)) committed(now, *c);
  else if (const auto* r = std::get_if<Refused>(&m)) refused(now, from, *r);
  else if (const auto* x = std::get_if<ConditionFailed>(&m)) condition_failed(now, *x);
  else if (const auto* u = std::get_if<UploadAgain>(&m)) upload_again(*u);
  else if (const auto* d = std::get_if<RunDurable>(&m)) run_durable(now, from, *d);
  else if (const auto* t = std::get_if<TermIs>(&m)) term_is(now, from, *t);
  else if (const auto* f = std::get_if<Failed>(&m); f && from == session_.leader()) {
    if (f->error == Errc::not_leader) view_.not_leader(from, {});
    lose_term(now, refusal_pause);
  }
}

void AppendPipeline::committed(Time now, const Committed& m) {
  const auto run = find(m.first);
  // A late answer may name a run that a resolution has judged since: its fate is no longer open.
  if (m.producer != producer_ || run == runs_.end() || !run->was_committed()) return;
  fates_.committed(now, *run, m.offset, m.term);
  commits_.learn(m.offset + run->reference.length);
  settle(now, run, true);
}

// ---- Observed (V2)

/// Asks the leader for the members that count in the term, once a term. Until the answer comes,
/// only the leader's answers end appends.
void AppendPipeline::learn_set(Time now) {
  if (!observed_.asks_for_set(now) || !session_.is_open()) return;
  observed_.asked();
  view_.request(now, session_.leader(), GetTermSet{log_, session_.term()}, options_.commit_timeout,
                [this](Time at, Message* m) {
                  if (!observed_.answered(at, m)) return;
                  std::vector<Sequence> waiting;
                  for (const Run& r : runs_) waiting.push_back(r.reference.first);
                  for (const Sequence first : waiting) observe(at, first);
                });
}

/// A node reports a run of this producer as durable.
void AppendPipeline::run_durable(Time now, ConnectionId from, const RunDurable& m) {
  if (m.producer != producer_ || find(m.first) == runs_.end()) return;
  observed_.said(view_.storage_at(from), from, m);
  observe(now, m.first);
}

/// Ends the run's appends if a write quorum has reported it.
void AppendPipeline::observe(Time now, Sequence first) {
  const auto run = find(first);
  const auto at =
      observed_.committed(first, [this](ConnectionId c) { return view_.storage_at(c); });
  if (!at || run == runs_.end() || !rules::was_committed_in_term(run->commits_in_term)) return;
  committed(now, Committed{log_, session_.term(), producer_, first, *at});
}

// ---- Refusals

/// A refusal of a Commit. It settles the run only in the cases of A6; otherwise the run is
/// committed again, perhaps in a newly opened term.
void AppendPipeline::refused(Time now, ConnectionId from, const Refused& m) {
  const auto run = find(m.first);
  if (m.producer != producer_ || run == runs_.end() || !run->awaits_answer()) return;
  // A6: a refusal of an earlier term may come late over a connection that is still up, although the
  // run has been ordered since.
  if (m.term != Term{} && m.term < session_.term()) return;
  if (!rules::weighs_refusals()) {
    fates_.end_all(*run, m.error, {});
    return settle(now, run, false);
  }
  switch (m.error) {
    case Errc::not_leader:
      view_.not_leader(from, m.leader);
      [[fallthrough]];
    case Errc::stale_term:
    case Errc::not_ready:
      if (from == session_.leader())
        lose_term(now, m.error == Errc::not_ready ? refusal_pause : Duration{0});
      return;
    default:
      if (from == session_.leader()) refused_by_leader(now, run, m.error);
  }
}

void AppendPipeline::refused_by_leader(Time now, RunList::iterator run, Errc why) {
  switch (why) {
    case Errc::no_such_log:
    case Errc::log_deleted:
    case Errc::log_halted:
    case Errc::invalid_argument:
    case Errc::digest_mismatch:
      if (rules::is_only_commit(run->commits_in_term)) fates_.end_all(*run, why, {});
      else let_go(*run, std::string(name_of(why)));
      settle(now, run, false);
      return;
    default:  // wrong_sequence, too_many: this run and all later runs are committed again, in order
      for (auto r = run; r != runs_.end(); ++r) r->commit_again();
      uploads_.hold_back();
      commits_.pause(now + refusal_pause);
  }
}

// ---- Conditions (F1, F2)

/// The run's condition does not hold. The refusal is definite for the term, however often the run
/// was committed in it: a leader that has ordered the run answers with Committed (F1).
void AppendPipeline::condition_failed(Time now, const ConditionFailed& m) {
  const auto run = find(m.first);
  if (m.producer != producer_ || m.term != session_.term() || run == runs_.end() ||
      run->state != RunState::sent)
    return;
  run->condition_failed();
  if (m.error == Errc::producer_fenced) return fail_fenced(now, m);
  // The offset lies beyond the end, and the leader keeps the run as refused: it can never hold.
  if (m.end <= run->conditions.expected) return gap_checked(now, m.first, m.end, false);
  // Between the two offsets there may be only the leader's own frames, such as a term start.
  fates_.check_gap(now, *run, m.end, [this, first = m.first, end = m.end](Time at, bool empty) {
    fates_.gap_checked();
    gap_checked(at, first, end, empty);
  });
}

/// `empty`: no entry lies between the expected offset and the end, so the same run is committed
/// again and expects the end. Otherwise the append has failed (F1).
void AppendPipeline::gap_checked(Time now, Sequence first, Offset end_of_log, bool empty) {
  const auto run = find(first);
  if (run == runs_.end() || !run->is_absent()) return;
  if (rules::may_expect_end(empty)) {
    run->conditions.expected = end_of_log;
    run->commit_again();
    return;
  }
  fates_.end(*run, run->entries.front(),
             Failure{Error{Errc::offset_mismatch,
                           fmt::format("{} was expected, the log ends at {}",
                                       run->conditions.expected.value, end_of_log.value)},
                     {},
                     end_of_log});
  settle(now, run, false);
}

/// Fails this run and the later runs with as low a token, which the leader would refuse as well
/// (F2). A later run with a Commit under way stays until its own answer.
void AppendPipeline::fail_fenced(Time now, const ConditionFailed& m) {
  open_.cut(runs_);
  for (auto r = find(m.first); r != runs_.end();) {
    const auto run = r++;
    const FenceToken fence = run->conditions.fence;
    if (fence == FenceToken{} || fence >= m.fence || run->may_be_in_log()) continue;
    for (RunEntry& e : run->entries)
      fates_.end(
          *run, e,
          Failure{Error{Errc::producer_fenced, fmt::format("this one's is {}, the log's is {}",
                                                           fence.value, m.fence.value)},
                  {},
                  {},
                  m.fence});
    settle(now, run, false);
  }
}

// ---- Endings

/// The fate of all entries of the run is known. Its bytes are freed, or kept for a while if it was
/// committed and a slow replica is still taking them.
void AppendPipeline::settle(Time now, RunList::iterator run, bool was_committed) {
  observed_.forget(run->reference.first);
  if (was_committed && uploads_.keep(now, runs_, run)) return;
  for (const RunEntry& e : run->entries) bytes_ -= e.length;
  runs_.erase(run);
}

/// The run goes although its fate is open. resolve() then needs another proof than this pipeline's
/// word (A4).
void AppendPipeline::let_go(Run& run, const std::string& why) {
  fates_.end_all(run, Errc::outcome_unknown, why);
  let_go_ = std::max(let_go_, Sequence{run.end().value - 1});
}

AppendPipeline::Knowledge AppendPipeline::knows(const EntryName& entry) const {
  if (entry.producer != producer_ || entry.sequence <= let_go_) return {};
  if (entry.sequence > settled_through()) return {Knowledge::Fate::open, {}};
  return {Knowledge::Fate::known, commits_.known()};
}

/// Ends the entries whose deadline has passed. The sequence numbers of a run that goes stay unused
/// (A6).
void AppendPipeline::expire(Time now) {
  for (auto r = runs_.begin(); r != runs_.end();) {
    const auto run = r++;
    if (run->next_deadline > now) continue;
    const Fates::Wait wait = fates_.expire(now, *run, uploads_.is_uploaded(*run));
    if (wait == Fates::Wait::nobody) settle(now, run, false);
    // Nobody waits, but the run may be ordered. With Cancel the leader need not wait for its
    // upload.
    if (wait == Fates::Wait::unsure && session_.is_open() && run->uploads.cancel())
      view_.tell(session_.leader(), RequestId{0}, Cancel{log_, producer_, run->reference.first});
  }
  if (open_.next_deadline() <= now && !open_.empty() &&
      fates_.expire(now, open_.run(), false) == Fates::Wait::nobody)
    bytes_ -= open_.drop();
}

void AppendPipeline::close() {
  open_.cut(runs_);
  for (Run& r : runs_)
    fates_.end_all(r, r.may_be_in_log() ? Errc::outcome_unknown : Errc::client_closed,
                   "the client was closed");
}

RunList::iterator AppendPipeline::find(Sequence first) {
  return std::find_if(runs_.begin(), runs_.end(),
                      [first](const Run& r) { return r.reference.first == first; });
}

void AppendPipeline::tick(Time now) {
  expire(now);
  drop_laggards(now);
  fates_.tick(now);
}

void AppendPipeline::pump(Time now) {
  // spec/05 step 1: a run is cut when earlier runs have arrived, or earlier if it is large enough.
  if (!open_.empty() && runs_.size() < options_.runs_in_flight_max &&
      open_.is_due(uploads_.uploading(runs_)))
    open_.cut(runs_);
  const auto stale = std::find_if(runs_.begin(), runs_.end(),
                                  [](const Run& r) { return r.state == RunState::stale; });
  if (stale != runs_.end() && !fates_.is_resolving()) rebuild_from(stale);
  upload(now);
  if (!runs_.empty()) {
    if (!session_.is_open()) open_term(now);
    learn_set(now);
  }
  send_commits(now);
}

Time AppendPipeline::wake(Time now) const {
  Time t =
      std::min({open_.next_deadline(), commits_.wake(now, runs_), uploads_.wake(), fates_.wake()});
  for (const Run& r : runs_) t = std::min({t, r.next_deadline, r.uploads.wake(now)});
  if (runs_.empty()) return t;
  t = std::min(t, session_.wake());
  return session_.is_open() ? std::min(t, observed_.wake()) : t;
}

}  // namespace loglog::client
