// In the order of an append's life: gathering, uploading, the term, committing, endings. pump() at
// the end of the file does all that the present state allows, and may be called at any time. No
// iterator into runs_ is kept across a message: runs are found by their first sequence number.
#include "sdk/core/append_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "sdk/core/rules.h"

namespace loglog::client {
namespace {
constexpr Duration leader_pause = 10ms;   // between attempts to open the term
constexpr Duration refusal_pause = 20ms;  // after a refusal or Busy (spec/07 A6)
}  // namespace

AppendPipeline::AppendPipeline(const Options& options, ClusterView& view, ReplicaChoice& choice,
                               Output& out, std::uint64_t& bytes, LogId log, ProducerId producer)
    : options_(options),
      view_(view),
      choice_(choice),
      out_(out),
      bytes_(bytes),
      log_(log),
      producer_(producer),
      builder_(producer) {}

// ---- Gathering

void AppendPipeline::append(Time now, Token token, const Bytes& payload, bool packed, Time deadline,
                            const AppendConditions& conditions) {
  const FrameKind kind = packed ? FrameKind::packed_entry : FrameKind::entry;
  const bool fits =
      builder_.fits(static_cast<std::uint32_t>(payload.size()) + frame_overhead, run_target());
  if (!fits || keeps_apart(open_, conditions)) cut(open_, builder_);
  bytes_ += payload.size() + frame_overhead;
  open_.since = std::min(open_.since, now);
  Item item{token, next_, deadline, 0, 0};
  item.conditions = conditions;
  add(open_, builder_, item, kind, payload);
  next_ = next_ + 1;
}

void AppendPipeline::add(Run& to, RunBuilder& builder, Item item, FrameKind kind,
                         ByteSpan payload) {
  item.at = builder.add(item.sequence, kind, payload);
  item.length = static_cast<std::uint32_t>(payload.size()) + frame_overhead;
  to.next_deadline = std::min(to.next_deadline, item.deadline);
  to.items.push_back(item);
}

/// Whether the next entry must not join this run. All entries of a run are committed under the same
/// conditions. An entry that expects an offset is a run of its own, so that no other entry shares
/// its fate (F1).
bool AppendPipeline::keeps_apart(const Run& run, const AppendConditions& of_next) {
  if (run.items.empty()) return false;
  const AppendConditions& c = run.items.front().conditions;
  return c.expected != no_offset || of_next.expected != no_offset || c.fence != of_next.fence;
}

/// Closes the run: its reference is computed and it joins runs_.
void AppendPipeline::cut(Run& run, RunBuilder& builder) {
  if (builder.empty()) return;
  auto built = builder.take();
  run.reference = built.reference;
  run.frames = std::move(built.frames);
  runs_.push_back(std::move(run));
  run = Run{};
}

/// Size of a full run, bytes: half of the bytes in flight, so that a run is uploaded while the
/// nodes write the previous run. Below run_size_min the cost of a run outweighs that gain.
std::uint32_t AppendPipeline::run_target() const {
  return std::min(
      std::max(static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_ / 2, run_size_max)),
               options_.run_size_min),
      options_.run_size_target);
}

/// spec/05 step 1. There is no timer: the open run fills while earlier runs are uploaded, and is
/// cut when they have arrived, or earlier if it is large enough.
void AppendPipeline::cut_when_due() {
  if (builder_.empty() || runs_.size() >= options_.runs_in_flight_max) return;
  const auto uploading =
      std::count_if(runs_.begin(), runs_.end(), [this](const Run& r) { return !uploaded(r); });
  if (uploading == 0 ||
      (uploading < options_.uploads_in_flight_max && builder_.size() >= options_.run_size_min / 2))
    cut(open_, builder_);
}

/// Builds this run and all later runs anew, without the entries that have ended. None of their
/// entries has been in a Commit since the last resolution. They get new sequence numbers, because a
/// node may hold staged runs under the old numbers with other bytes (D3). The old numbers are never
/// used again (A6).
void AppendPipeline::rebuild_from(RunList::iterator begin) {
  cut(open_, builder_);
  next_ = rules::number_for_rebuilt(next_, begin->reference.first);
  RunList old;
  old.splice(old.begin(), runs_, begin, runs_.end());
  Run fresh;
  RunBuilder builder(producer_);
  for (Run& r : old) {
    for (Item& i : r.items) {
      bytes_ -= i.length;
      if (!i.live) continue;
      check(!i.committing, "a committed entry keeps its sequence number");
      const ByteSpan payload =
          r.frames.span().subspan(i.at + frame_prefix_size, i.length - frame_overhead);
      const auto prefix = read_prefix(r.frames.data() + i.at);
      check(prefix.has_value(), "a run holds frame images");
      if (!builder.fits(i.length, options_.run_size_target) || keeps_apart(fresh, i.conditions))
        cut(fresh, builder);
      fresh.since = std::min(fresh.since, r.since);
      bytes_ += i.length;
      i.sequence = next_;
      next_ = next_ + 1;
      add(fresh, builder, i, prefix->kind, payload);
    }
  }
  cut(fresh, builder);
}

// ---- Uploading

/// The log's write quorum W. While the log is unknown, a number that no run can reach.
std::size_t AppendPipeline::write_quorum() const {
  const LogInfo* info = view_.log(log_);
  return info == nullptr ? std::numeric_limits<std::size_t>::max()
                         : std::max<std::size_t>(1, info->options.write_quorum);
}

/// Whether a write quorum has staged the run, so that it may be committed (spec/05 step 4).
bool AppendPipeline::uploaded(const Run& run) const {
  return run.begun && run.uploads.taken() >= write_quorum();
}

/// Whether the run may be committed before a write quorum has staged it (V1). Every bound protects
/// the log's other producers: a run that is ordered and slow to arrive delays the runs behind it.
bool AppendPipeline::goes_ahead(const Run& run) const {
  return options_.eager_commit && prompt_ && run.begun &&
         run.frames.size() <= options_.eager_run_max &&
         run.uploads.taken_or_sent() >= write_quorum();
}

/// Updates prompt_ after an answer to an upload; `taken`: the replica staged the run. If a run
/// cannot reach its write quorum at once, the next run is committed only after its uploads (V1).
void AppendPipeline::judge_uploads(Time now, const Run& run, bool taken) {
  if (!taken && run.uploads.taken_or_sent() < write_quorum()) prompt_ = false;
  if (taken && run.uploads.taken() == write_quorum())
    prompt_ = now - run.uploads.since() <= options_.eager_upload_max;
}

/// Sends the run to every replica that still wants it and whose connection is up.
void AppendPipeline::upload(Time now, Run& run) {
  const LogInfo* info = view_.log(log_);
  if (info == nullptr) return view_.want_log(now, log_);
  if (!run.begun) {
    run.begun = true;
    run.uploads.begin(info->members);
  }
  for (auto& t : run.uploads.targets()) {
    const ConnectionId c = view_.node(now, t.node);
    if (t.state == ReplicaUploads::State::wanted && c != ConnectionId{} && t.not_before <= now)
      send_upload(now, run, t, c);
  }
}

void AppendPipeline::send_upload(Time now, Run& run, ReplicaUploads::Target& t, ConnectionId c) {
  run.uploads.sent(t, c, now);
  ++view_.figures().uploads;
  // V2: Observe must precede the first upload on a connection, or the node could make the run
  // durable before it knows whom to tell.
  if (options_.observed_commit && observing_.insert(c).second)
    view_.tell(c, RequestId{0}, Observe{log_, producer_});
  // No time-out: a large run over a thin link takes as long as it takes. The upload ends with its
  // connection.
  view_.request(now, c, Upload{log_, run.reference, run.frames}, Duration::max(),
                [this, first = run.reference.first, node = t.node, c](Time at, Message* m) {
                  upload_answered(at, first, node, c, m);
                });
}

/// `m`: Uploaded, Busy, another refusal, or nullptr if the connection was lost. The run may be
/// settled already and wait in lagging_, or be gone.
void AppendPipeline::upload_answered(Time now, Sequence first, NodeId node, ConnectionId c,
                                     const Message* m) {
  const auto* taken = m ? std::get_if<Uploaded>(m) : nullptr;
  if (taken) known_ = std::max(known_, taken->committed);
  const auto late = std::find_if(lagging_.begin(), lagging_.end(),
                                 [first](const Run& r) { return r.reference.first == first; });
  const auto run = late != lagging_.end() ? late : find(first);
  if (run == runs_.end()) return;
  auto* t = run->uploads.find(node);
  // A run that was begun anew since has other uploads under way; this answer is of an older upload.
  if (t == nullptr || t->state != ReplicaUploads::State::sent || t->on != c) return;
  t->state = taken ? ReplicaUploads::State::taken : ReplicaUploads::State::wanted;
  if (const auto* busy = m ? std::get_if<Busy>(m) : nullptr) {
    t->not_before =
        now + std::chrono::milliseconds(std::clamp<std::uint32_t>(busy->retry_after_ms, 1, 1000));
    t->refusal = busy->error;
    ++view_.figures().uploads_refused;
  } else if (!taken) t->not_before = now + refusal_pause;
  if (!taken) observing_.erase(c);  // the node may not have known the log when Observe came
  judge_uploads(now, *run, taken != nullptr);
  if (late == lagging_.end()) return;
  run->uploads.drop_unsent();
  if (run->uploads.pending()) return;
  bytes_ -= run->frames.size();
  lagging_.erase(late);
}

/// Gives up replicas that are slow to take committed runs, because they hold this client's memory
/// (spec/05 "Limits and backpressure"). Closing the connection drops its queue; the replica catches
/// up from its peers.
void AppendPipeline::drop_laggards(Time now) {
  std::set<ConnectionId> slow;
  for (auto i = lagging_.begin(); i != lagging_.end();) {
    if (i->keep_until > now) {
      ++i;
      continue;
    }
    for (const auto& t : i->uploads.targets())
      if (t.state == ReplicaUploads::State::sent) slow.insert(t.on);
    bytes_ -= i->frames.size();
    i = lagging_.erase(i);
  }
  for (const ConnectionId c : slow) {
    observing_.erase(c);
    view_.drop(now, c);
  }
}

// ---- The term

/// Asks the leader for the log's term. Called while there are runs and the term is not open.
void AppendPipeline::open_term(Time now) {
  if (opening_ || now < open_at_) return;
  const ConnectionId c = view_.leader(now);
  open_at_ = now + leader_pause;
  if (c == ConnectionId{}) return;
  opening_ = true;
  view_.request(now, c, OpenLog{log_}, options_.commit_timeout, [this, c](Time at, Message* m) {
    opening_ = false;
    if (const auto* t = m ? std::get_if<TermIs>(m) : nullptr) return term_is(at, c, *t);
    const auto* failed = m ? std::get_if<Failed>(m) : nullptr;
    const auto* refusal = m ? std::get_if<Refused>(m) : nullptr;
    const Errc why = failed ? failed->error : refusal ? refusal->error : Errc::unavailable;
    if (m == nullptr || why == Errc::not_leader)
      view_.not_leader(c, refusal ? refusal->leader : SequencerId{});
    open_at_ = at + refusal_pause;
    if (why == Errc::no_such_log || why == Errc::log_deleted || why == Errc::log_halted)
      no_term(at, why, failed ? failed->detail : "");
  });
}

/// The leader says that the log takes no appends: it does not exist, or its replicas contradict
/// each other. Entries that were never in a Commit are refused. The others may be in the log, so
/// their outcome is unknown (A6).
void AppendPipeline::no_term(Time now, Errc why, const std::string& detail) {
  cut(open_, builder_);
  while (!runs_.empty()) {
    const bool unsure = runs_.front().items.front().committing;
    if (unsure) end_all(runs_.front(), Errc::outcome_unknown, Error{why, detail}.message());
    else end_all(runs_.front(), why, detail);
    settle(now, runs_.begin(), false);
  }
}

/// The log has this term, and `from` leads it. In a new term unsettled entries are resolved before
/// anything is committed (A3).
void AppendPipeline::term_is(Time now, ConnectionId from, const TermIs& m) {
  if (m.term < term_ || !view_.is_sequencer(from)) return;
  leader_ = from;
  const Offset known_before = known_;
  known_ = std::max(known_, m.end);  // all bytes below are committed
  if (m.term == term_) return;       // the same term: its Commits may be repeated (A1)
  const bool first = term_ == Term{};
  term_ = m.term;
  term_start_ = rules::resolution_end(m.start, known_before);
  term_end_ = m.end;
  observed_.begin(term_);
  for (Run& r : runs_) {
    r.commit_sent = false;
    r.commits_in_term = 0;
    r.absent = false;
  }
  gap_.reset();
  if (!resolver_ && rules::resolves_in(first)) resolve(now);
}

/// No Commit is sent until the term is open again; then all unanswered Commits are sent again.
void AppendPipeline::lose_term(Time now, Duration pause) {
  leader_ = {};
  open_at_ = std::max(open_at_, now + pause);
  for (Run& r : runs_) r.commit_sent = false;
}

void AppendPipeline::disconnected(Time now, ConnectionId c) {
  observing_.erase(c);
  if (c == leader_) lose_term(now, Duration{0});
}

/// Reads the log to find the unsettled entries (A3): from the least offset that was known as
/// committed at the first Commit of any of them, to the new term's start.
void AppendPipeline::resolve(Time now) {
  Offset from = no_offset;
  for (const Run& r : runs_)
    for (const Item& i : r.items)
      if (i.committing) from = std::min(from, i.known);
  if (from == no_offset) return;
  ++view_.figures().resolutions;
  resolver_ = std::make_unique<Resolver>(
      options_, view_, choice_, log_, producer_, from, term_start_,
      [this](Time at, Resolver::Findings&& f) { resolved(at, std::move(f)); });
  resolver_->poll(now);
}

/// Judges each entry alone by the findings (A4, A5). Absent entries whose caller waits are
/// committed again: a run that is absent and wanted as a whole under its old numbers, any other run
/// rebuilt.
void AppendPipeline::resolved(Time now, Resolver::Findings&& f) {
  finished_ = std::move(resolver_);
  Offset lower{};  // end of the last entry found: no later entry can stand below
  const Sequence last_found = f.found.empty() ? Sequence{} : f.found.rbegin()->first;
  for (auto r = runs_.begin(); r != runs_.end();) {
    const std::uint64_t before = view_.figures().appends_committed;
    std::vector<Item> rest;
    for (Item& i : r->items) {
      if (!i.committing) {
        rest.push_back(i);
      } else if (const auto found = f.found.find(i.sequence); found != f.found.end()) {
        lower = found->second.next;
        end(i, Appended{found->second.offset, found->second.term});
      } else if (const auto whole = f.found.find(r->items.front().sequence);
                 rules::shares_fate_of_run(whole != f.found.end())) {
        end(i, Appended{whole->second.offset + (i.at - r->items.front().at), whole->second.term});
      } else if (i.sequence < last_found) {
        // A5: a later entry of this producer is in the log. A producer's entries stand in order, so
        // this entry was committed and trimmed.
        end(i, Failure{Error{Errc::outcome_unknown,
                             "the entry was committed, and trimmed before its offset was read"}});
      } else if (rules::may_have_been_trimmed(f.clipped, std::max(i.known, lower))) {
        end(i, Failure{Error{Errc::outcome_unknown,
                             "the log was trimmed past the place where the entry may have been"}});
      } else if (i.live) {  // A4: not in the log and never will be, so it may be committed again
        i.committing = false;
        rest.push_back(i);
      }
    }
    view_.figures().append_latency.count(now - r->since,
                                         view_.figures().appends_committed - before);
    const auto run = r++;
    if (rest.empty()) {
      settle(now, run, false);
      continue;
    }
    run->begun = false;  // upload again: the nodes may have dropped the staged run
    prompt_ = false;     // V1: an entry was absent
    if (rest.size() == run->items.size())
      continue;  // the whole run is wanted: the same bytes keep their numbers
    for (const Item& i : run->items) bytes_ -= i.length;
    for (const Item& i : rest) bytes_ += i.length;
    run->items = std::move(rest);
    run->stale = true;
  }
  known_ = std::max(known_, term_end_);
}

// ---- Committing

/// The sequence number up to which every entry's fate is known to this client (A1).
Sequence AppendPipeline::settled_through() const {
  const auto& first = runs_.empty() ? open_.items : runs_.front().items;
  return Sequence{(first.empty() ? next_ : first.front().sequence).value - 1};
}

/// Commits runs in sequence, as far as their uploads and the leader's rules allow (spec/05 step 4).
/// No run waits for the answer to the previous run.
void AppendPipeline::send_commits(Time now) {
  if (leader_ == ConnectionId{} || resolver_ || now < commit_at_) return;
  bool ahead = false;  // V1: a committed run is still being uploaded; at most one may be
  for (auto r = runs_.begin(); r != runs_.end(); ++r) {
    const bool here = uploaded(*r);
    if (r->commit_sent) {
      ahead = ahead || !here;
      continue;
    }
    if (r->stale || (!here && (ahead || !goes_ahead(*r)))) return;
    ahead = ahead || !here;
    // A1: the leader takes a run that follows the previous run, or that follows all settled
    // entries.
    const bool follows = r != runs_.begin() && std::prev(r)->end() == r->reference.first;
    if (!follows && r->reference.first != settled_through() + 1) return;
    send_commit(now, *r);
  }
}

void AppendPipeline::send_commit(Time now, Run& run) {
  ++view_.figures().commits;
  if (run.items.front().committing) ++view_.figures().commits_repeated;
  for (Item& i : run.items) {
    i.known = rules::resolution_start(i.committing, i.known, known_);
    i.committing = true;
  }
  run.commit_sent = true;
  run.absent = false;
  ++run.commits_in_term;
  const AppendConditions& c = run.items.front().conditions;
  const Message m =
      c == AppendConditions{}
          ? Message(Commit{log_, term_, settled_through(), run.reference})
          : Message(CommitIf{log_, term_, settled_through(), run.reference, c.expected, c.fence});
  view_.request(now, leader_, m, options_.commit_timeout,
                [this, leader = leader_](Time at, Message* answer) {
                  if (answer != nullptr) return arrived(at, leader, *answer);
                  if (leader_ != leader) return;
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
  else if (const auto* f = std::get_if<Failed>(&m); f && from == leader_) {
    if (f->error == Errc::not_leader) view_.not_leader(from, {});
    lose_term(now, refusal_pause);
  }
}

/// The run is committed at m.offset: the offset of each entry follows from the lengths before it
/// (spec/05 step 8).
void AppendPipeline::committed(Time now, const Committed& m) {
  const auto run = find(m.first);
  // A late answer may name a run that a resolution has judged since: its fate is no longer open.
  if (m.producer != producer_ || run == runs_.end() || run->stale || !run->items.front().committing)
    return;
  const std::uint64_t before = view_.figures().appends_committed;
  for (Item& i : run->items) end(i, Appended{m.offset + i.at, m.term});
  view_.figures().append_latency.count(now - run->since,
                                       view_.figures().appends_committed - before);
  known_ = std::max(known_, m.offset + run->reference.length);
  settle(now, run, true);
}

// ---- Observed (V2)

/// Asks the leader for the members that count in the term, once a term. Until the answer comes,
/// only the leader's answers end appends.
void AppendPipeline::learn_set(Time now) {
  if (!options_.observed_commit || observed_.has_set() || asking_set_ ||
      leader_ == ConnectionId{} || now < set_at_)
    return;
  asking_set_ = true;
  view_.request(now, leader_, GetTermSet{log_, term_}, options_.commit_timeout,
                [this](Time at, Message* m) {
                  asking_set_ = false;
                  set_at_ = at + refusal_pause;
                  const auto* set = m ? std::get_if<TermSetIs>(m) : nullptr;
                  if (set == nullptr) return;
                  observed_.learn(*set);
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
  committed(now, Committed{log_, term_, producer_, first, *at});
}

/// A refusal of a Commit. It settles the run only in the cases of A6; otherwise the run is
/// committed again, perhaps in a newly opened term.
void AppendPipeline::refused(Time now, ConnectionId from, const Refused& m) {
  const auto run = find(m.first);
  if (m.producer != producer_ || run == runs_.end() || !run->commit_sent) return;
  // A6: a refusal of an earlier term may come late over a connection that is still up, although the
  // run has been ordered since.
  if (m.term != Term{} && m.term < term_) return;
  if (!rules::weighs_refusals()) {
    end_all(*run, m.error, {});
    return settle(now, run, false);
  }
  switch (m.error) {
    case Errc::not_leader:
      view_.not_leader(from, m.leader);
      [[fallthrough]];
    case Errc::stale_term:
    case Errc::not_ready:
      if (from == leader_) lose_term(now, m.error == Errc::not_ready ? refusal_pause : Duration{0});
      return;
    default:
      if (from == leader_) refused_by_leader(now, run, m.error);
  }
}

void AppendPipeline::refused_by_leader(Time now, RunList::iterator run, Errc why) {
  switch (why) {
    case Errc::no_such_log:
    case Errc::log_deleted:
    case Errc::log_halted:
    case Errc::invalid_argument:
    case Errc::digest_mismatch:
      if (rules::is_only_commit(run->commits_in_term)) end_all(*run, why, {});
      else end_all(*run, Errc::outcome_unknown, std::string(name_of(why)));
      settle(now, run, false);
      return;
    default:  // wrong_sequence, too_many: this run and all later runs are committed again, in order
      for (auto r = run; r != runs_.end(); ++r) r->commit_sent = false;
      prompt_ = false;
      commit_at_ = now + refusal_pause;
  }
}

// ---- Conditions (F1, F2)

/// The run's condition does not hold. The refusal is definite for the term, however often the run
/// was committed in it: a leader that has ordered the run answers with Committed (F1).
void AppendPipeline::condition_failed(Time now, const ConditionFailed& m) {
  const auto run = find(m.first);
  if (m.producer != producer_ || m.term != term_ || run == runs_.end() || !run->commit_sent ||
      run->absent)
    return;
  run->absent = true;
  if (m.error == Errc::producer_fenced) return fail_fenced(now, m);
  const Offset expected = run->items.front().conditions.expected;
  // The offset lies beyond the end, and the leader keeps the run as refused: it can never hold.
  if (m.end <= expected) return gap_checked(now, m.first, m.end, false);
  // Between the two offsets there may be only the leader's own frames, such as a term start.
  gap_ = std::make_unique<GapCheck>(options_, view_, choice_, log_, expected, m.end,
                                    [this, first = m.first, end = m.end](Time at, bool empty) {
                                      finished_gap_ = std::move(gap_);
                                      gap_checked(at, first, end, empty);
                                    });
  gap_->poll(now);
}

/// `empty`: no entry lies between the expected offset and the end, so the same run is committed
/// again and expects the end. Otherwise the append has failed (F1).
void AppendPipeline::gap_checked(Time now, Sequence first, Offset end_of_log, bool empty) {
  const auto run = find(first);
  if (run == runs_.end() || !run->absent) return;
  Item& item = run->items.front();
  if (rules::may_expect_end(empty)) {
    item.conditions.expected = end_of_log;
    run->commit_sent = false;
    return;
  }
  end(item, Failure{Error{Errc::offset_mismatch,
                          fmt::format("{} was expected, the log ends at {}",
                                      item.conditions.expected.value, end_of_log.value)},
                    {},
                    end_of_log});
  settle(now, run, false);
}

/// Fails this run and the later runs with as low a token, which the leader would refuse as well
/// (F2). A later run with a Commit under way stays until its own answer.
void AppendPipeline::fail_fenced(Time now, const ConditionFailed& m) {
  cut(open_, builder_);
  for (auto r = find(m.first); r != runs_.end();) {
    const auto run = r++;
    const FenceToken fence = run->items.front().conditions.fence;
    if (fence == FenceToken{} || fence >= m.fence ||
        (run->items.front().committing && !run->absent))
      continue;
    for (Item& i : run->items)
      end(i, Failure{Error{Errc::producer_fenced, fmt::format("this one's is {}, the log's is {}",
                                                              fence.value, m.fence.value)},
                     {},
                     {},
                     m.fence});
    settle(now, run, false);
  }
}

/// The leader has ordered the run, and a replica misses its bytes (spec/05 "When a payload is
/// missing"). After a Cancel the client has promised not to upload.
void AppendPipeline::upload_again(const UploadAgain& m) {
  const auto run = find(m.first);
  if (m.producer != producer_ || run == runs_.end() || run->cancelled) return;
  run->uploads.again();
  prompt_ = false;
}

// ---- Endings

/// Completes the append, once: a caller that has had its answer hears nothing more.
void AppendPipeline::end(Item& item, Completion c) {
  if (!std::exchange(item.live, false)) return;
  Figures& figures = view_.figures();
  if (const auto* f = std::get_if<Failure>(&c)) {
    ++(f->error.code == Errc::outcome_unknown ? figures.appends_unknown : figures.appends_refused);
  } else {
    ++figures.appends_committed;
    figures.appended_bytes += item.length - frame_overhead;
  }
  out_.completed.push_back({item.token, std::move(c), true});
}

void AppendPipeline::end_all(Run& run, Errc code, const std::string& detail) {
  for (Item& i : run.items) end(i, Failure{Error{code, detail}});
}

/// The fate of all entries of the run is known. Its bytes are freed, or kept for a while if it was
/// committed and a slow replica is still taking them.
void AppendPipeline::settle(Time now, RunList::iterator run, bool was_committed) {
  observed_.forget(run->reference.first);
  if (was_committed) run->uploads.drop_unsent();
  if (was_committed && run->uploads.pending()) {
    run->keep_until = now + std::max(options_.upload_grace, 4 * view_.longest_round_trip());
    lagging_.splice(lagging_.end(), runs_, run);
    return;
  }
  for (const Item& i : run->items) bytes_ -= i.length;
  runs_.erase(run);
}

/// Explains, in the text of deadline_exceeded, which step the run was waiting for.
std::string AppendPipeline::why_not_committed(Run& run) const {
  if (run.absent && gap_)
    return fmt::format(
        "{} was expected, the log ends at {}; no replica told in time whether an entry lies "
        "between",
        run.items.front().conditions.expected.value, gap_->until().value);
  if (uploaded(run)) return "uploaded; no leader took its commit";
  std::string why;
  for (const auto& t : run.uploads.targets())
    if (t.state != ReplicaUploads::State::taken)
      why += fmt::format("{}storage node {}: {}", why.empty() ? "" : ", ", t.node.value,
                         t.refusal == Errc::ok ? view_.why_silent(t.node) : name_of(t.refusal));
  return why;
}

/// Ends the entries whose deadline has passed. Returns true if no caller waits for the run any more
/// and no Commit is unresolved, so the run can go.
bool AppendPipeline::expire(Run& run, Time now) {
  if (run.next_deadline > now) return false;
  run.next_deadline = never;
  bool alive = false, unsure = false;
  for (Item& i : run.items) {
    if (i.live && i.deadline <= now) {
      if (rules::is_outcome_unknown(i.committing, run.absent))
        end(i, Failure{Error{Errc::outcome_unknown, "the deadline passed"}});
      else end(i, Failure{Error{Errc::deadline_exceeded, why_not_committed(run)}});
      if (!i.committing) run.stale = true;
    }
    if (i.live) run.next_deadline = std::min(run.next_deadline, i.deadline);
    alive |= i.live;
    unsure |= i.committing && !run.absent;
  }
  if (!alive && run.absent) gap_.reset();
  // Nobody waits, but the run may be ordered. With Cancel the leader need not wait for its upload.
  if (!alive && unsure && !run.cancelled && leader_ != ConnectionId{}) {
    run.cancelled = true;
    view_.tell(leader_, RequestId{0}, Cancel{log_, producer_, run.reference.first});
  }
  return !alive && !unsure;
}

void AppendPipeline::expire(Time now) {
  for (auto r = runs_.begin(); r != runs_.end();) {
    const auto run = r++;
    if (expire(*run, now)) settle(now, run, false);  // its sequence numbers stay unused (A6)
  }
  if (!open_.items.empty() && expire(open_, now)) {
    for (const Item& i : open_.items) bytes_ -= i.length;
    open_ = Run{};
    builder_ = RunBuilder(producer_);
  }
}

void AppendPipeline::close() {
  cut(open_, builder_);
  for (Run& r : runs_)
    for (Item& i : r.items)
      end(i, Failure{Error{i.committing && !r.absent ? Errc::outcome_unknown : Errc::client_closed,
                           "the client was closed"}});
}

AppendPipeline::RunList::iterator AppendPipeline::find(Sequence first) {
  return std::find_if(runs_.begin(), runs_.end(),
                      [first](const Run& r) { return r.reference.first == first; });
}

void AppendPipeline::tick(Time now) {
  finished_.reset();
  finished_gap_.reset();
  expire(now);
  drop_laggards(now);
  if (resolver_) resolver_->poll(now);
  else if (gap_) gap_->poll(now);
}

void AppendPipeline::pump(Time now) {
  cut_when_due();
  // A run with an unresolved Commit is not rebuilt: a Commit names exactly its bytes and numbers.
  const auto stale = std::find_if(runs_.begin(), runs_.end(), [](const Run& r) {
    return r.stale && !r.items.front().committing;
  });
  if (stale != runs_.end() && !resolver_) rebuild_from(stale);
  std::uint32_t n = 0;
  for (Run& r : runs_)
    if (n++ < options_.runs_in_flight_max) upload(now, r);
  if (leader_ == ConnectionId{} && !runs_.empty()) open_term(now);
  if (!runs_.empty()) learn_set(now);
  send_commits(now);
}

Time AppendPipeline::wake(Time now) const {
  Time t = open_.next_deadline;
  for (const Run& r : runs_) {
    t = std::min(t, r.next_deadline);
    // Targets that may be sent now wait for a connection, which wakes the core by itself.
    for (const auto& target : const_cast<Run&>(r).uploads.targets())
      if (target.state == ReplicaUploads::State::wanted && target.not_before > now)
        t = std::min(t, target.not_before);
    if (!r.commit_sent && commit_at_ > now) t = std::min(t, commit_at_);
  }
  for (const Run& r : lagging_) t = std::min(t, r.keep_until);
  if (leader_ == ConnectionId{} && !opening_ && !runs_.empty()) t = std::min(t, open_at_);
  if (options_.observed_commit && !observed_.has_set() && !asking_set_ &&
      leader_ != ConnectionId{} && !runs_.empty())
    t = std::min(t, set_at_);
  if (resolver_) t = std::min(t, resolver_->wake());
  else if (gap_) t = std::min(t, gap_->wake());
  return t;
}

}  // namespace loglog::client
