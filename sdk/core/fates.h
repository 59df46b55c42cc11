// The fate of a producer's entries: committed, refused or unknown (A2 to A6). Ends appends, once
// each, and judges entries by a resolution. Owns the readers that find a fate out from the log: the
// resolution of unsettled entries (A3), and the check of a gap (F1). Used by AppendPipeline, which
// decides when a run is settled.
#pragma once
#include <memory>
#include <string>

#include "sdk/core/gap_check.h"
#include "sdk/core/resolver.h"
#include "sdk/core/run.h"

namespace loglog::client {

/// Owns the readers; answers with the judgement of a run.
class Fates {
 public:
  /// All references must outlive this object.
  Fates(const Options& options, ClusterView& view, ReplicaChoice& choice, Output& out, LogId log,
        ProducerId producer)
      : options_(options),
        view_(view),
        choice_(choice),
        out_(out),
        log_(log),
        producer_(producer) {}

  // ---- Endings

  /// Completes the append of an entry of `run`, once: a caller that has had its answer hears
  /// nothing more. The completion is an Appended or a Failure, and gets the entry's name.
  void end(const Run& run, RunEntry& entry, Completion c);
  void end_all(Run& run, Errc code, const std::string& detail);
  /// The run is committed at `offset`: the offset of each entry follows from the lengths before it
  /// (spec/05 step 8).
  void committed(Time now, Run& run, Offset offset, Term term);

  /// Of a run after entries whose deadline has passed were ended. waits: a caller waits. nobody: no
  /// caller waits, and no Commit is unresolved. unsure: no caller waits, but the run may be in the
  /// log.
  enum class Wait : std::uint8_t { waits, nobody, unsure };
  /// Ends the entries whose deadline has passed. `uploaded`: a write quorum has staged the run.
  Wait expire(Time now, Run& run, bool uploaded);

  // ---- Resolution (A3)

  /// While the log is read, nothing is committed.
  bool is_resolving() const { return resolver_ != nullptr; }
  /// Reads [from, until) of the log for entries of the producer; `done` takes the findings.
  void resolve(Time now, Offset from, Offset until, Resolver::Done done);
  /// The resolution is over. To be called by `done`.
  void resolved() { finished_ = std::move(resolver_); }
  /// Judges each entry of the run alone by the findings (A4, A5), and ends all but those that are
  /// absent and whose caller waits: these remain in the run. `lower`: end of the last entry found,
  /// of all runs so far. Returns the bytes of the frames of the other entries.
  std::uint64_t judge(Time now, Run& run, const Resolver::Findings& f, Offset& lower);

  // ---- Conditions (F1)

  /// Reads [the expected offset, until) of the log to find whether an entry lies there. Only the
  /// producer's next run is judged by the leader, so there is a single check.
  void check_gap(Time now, const Run& run, Offset until, GapCheck::Done done);
  /// The check is over. To be called by `done`.
  void gap_checked() { finished_gap_ = std::move(gap_); }
  void forget_gap() { gap_.reset(); }

  /// No reader is there, not even a finished reader.
  bool is_idle() const { return !resolver_ && !gap_ && !finished_ && !finished_gap_; }
  /// Continues to read, and frees finished readers.
  void tick(Time now);
  Time wake() const;

 private:
  std::string why_not_committed(const Run& run, bool uploaded) const;

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Output& out_;
  LogId log_;
  ProducerId producer_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<GapCheck> gap_;
  // A finished reader is destroyed in the next step, because its callback is still running.
  std::unique_ptr<Resolver> finished_;
  std::unique_ptr<GapCheck> finished_gap_;
};

}  // namespace loglog::client
