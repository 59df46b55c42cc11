// No error of an append is made up elsewhere than here and at a leader's refusal: each says whether
// the entry is certainly not in the log, or may be.
#include "sdk/core/fates.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace loglog::client {

// ---- Endings

void Fates::end(const Run& run, RunEntry& entry, Completion c) {
  if (!std::exchange(entry.live, false)) return;
  Figures& figures = view_.figures();
  if (auto* f = std::get_if<Failure>(&c)) {
    ++(f->error.code == Errc::outcome_unknown ? figures.appends_unknown : figures.appends_refused);
    f->entry = {producer_, entry.sequence, run.term, run.known};
  } else {
    auto& a = std::get<Appended>(c);
    a.producer = producer_;
    a.sequence = entry.sequence;
    ++figures.appends_committed;
    figures.appended_bytes += entry.length - frame_overhead;
  }
  out_.completed.push_back({entry.token, std::move(c), true});
}

void Fates::end_all(Run& run, Errc code, const std::string& detail) {
  for (RunEntry& e : run.entries) end(run, e, Failure{Error{code, detail}});
}

void Fates::committed(Time now, Run& run, Offset offset, Term term) {
  const std::uint64_t before = view_.figures().appends_committed;
  for (RunEntry& e : run.entries) end(run, e, Appended{offset + e.at, term});
  view_.figures().append_latency.count(now - run.since, view_.figures().appends_committed - before);
}

/// Explains, in the text of deadline_exceeded, which step the run was waiting for.
std::string Fates::why_not_committed(const Run& run, bool uploaded) const {
  if (run.is_absent() && gap_)
    return fmt::format(
        "{} was expected, the log ends at {}; no replica told in time whether an entry lies "
        "between",
        run.conditions.expected.value, gap_->until().value);
  if (uploaded) return "uploaded; no leader took its commit";
  std::string why;
  for (const auto& t : run.uploads.targets())
    if (t.state != ReplicaUploads::State::taken)
      why += fmt::format("{}storage node {}: {}", why.empty() ? "" : ", ", t.node.value,
                         t.refusal == Errc::ok ? view_.why_silent(t.node) : name_of(t.refusal));
  return why;
}

Fates::Wait Fates::expire(Time now, Run& run, bool uploaded) {
  run.next_deadline = never;
  bool alive = false;
  for (RunEntry& e : run.entries) {
    if (e.live && e.deadline <= now) {
      if (rules::is_outcome_unknown(run.was_committed(), run.is_absent()))
        end(run, e, Failure{Error{Errc::outcome_unknown, "the deadline passed"}});
      else end(run, e, Failure{Error{Errc::deadline_exceeded, why_not_committed(run, uploaded)}});
      run.leave_out_ended();
    }
    if (e.live) run.next_deadline = std::min(run.next_deadline, e.deadline);
    alive |= e.live;
  }
  if (alive) return Wait::waits;
  if (run.is_absent()) forget_gap();
  return run.may_be_in_log() ? Wait::unsure : Wait::nobody;
}

// ---- Resolution

void Fates::resolve(Time now, Offset from, Offset until, Resolver::Done done) {
  ++view_.figures().resolutions;
  resolver_ = std::make_unique<Resolver>(options_, view_, choice_, log_, producer_, from, until,
                                         std::move(done));
  resolver_->poll(now);
}

std::uint64_t Fates::judge(Time now, Run& run, const Resolver::Findings& f, Offset& lower) {
  if (!run.was_committed()) {  // nothing was to be found
    run.uploads.renew();
    return 0;
  }
  const std::uint64_t before = view_.figures().appends_committed;
  const Sequence last_found = f.found.empty() ? Sequence{} : f.found.rbegin()->first;
  const RunEntry first = run.entries.front();
  std::uint64_t gone = 0;
  std::vector<RunEntry> rest;
  for (RunEntry& e : run.entries) {
    if (const auto found = f.found.find(e.sequence); found != f.found.end()) {
      lower = found->second.next;
      end(run, e, Appended{found->second.offset, found->second.term});
    } else if (const auto whole = f.found.find(first.sequence);
               rules::shares_fate_of_run(whole != f.found.end())) {
      end(run, e, Appended{whole->second.offset + (e.at - first.at), whole->second.term});
    } else if (e.sequence < last_found) {
      // A5: a later entry of this producer is in the log. A producer's entries stand in order, so
      // this entry was committed and trimmed.
      end(run, e,
          Failure{Error{Errc::outcome_unknown,
                        "the entry was committed, and trimmed before its offset was read"}});
    } else if (rules::may_have_been_trimmed(f.clipped, std::max(run.known, lower))) {
      end(run, e,
          Failure{Error{Errc::outcome_unknown,
                        "the log was trimmed past the place where the entry may have been"}});
    } else if (e.live) {  // A4: not in the log and never will be, so it may be committed again
      rest.push_back(e);
      continue;
    }
    gone += e.length;
  }
  view_.figures().append_latency.count(now - run.since, view_.figures().appends_committed - before);
  // If the whole run is wanted, the same bytes keep their numbers.
  run.not_found(gone > 0);
  run.entries = std::move(rest);
  return gone;
}

// ---- Conditions

void Fates::check_gap(Time now, const Run& run, Offset until, GapCheck::Done done) {
  gap_ = std::make_unique<GapCheck>(options_, view_, choice_, log_, run.conditions.expected, until,
                                    std::move(done));
  gap_->poll(now);
}

// ---- Time

void Fates::tick(Time now) {
  finished_.reset();
  finished_gap_.reset();
  if (resolver_) resolver_->poll(now);
  else if (gap_) gap_->poll(now);
}

Time Fates::wake() const { return resolver_ ? resolver_->wake() : gap_ ? gap_->wake() : never; }

}  // namespace loglog::client
