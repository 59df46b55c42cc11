// A producer: the appends of this client to a log (spec/05, spec/07). Keeps the producer's runs in
// sequence order and leads them through their life; its parts decide, and the pipeline sends the
// requests and hands on the answers.
//
//   open_run          entries become runs
//   run_uploads       runs go to the replicas
//   term_session      the log's term and its leader
//   commit_order      the runs' references go to the leader
//   observed_commits  reports of durable runs (V2)
//   fates             what became of the entries, also if the leader changed (A1 to A6)
//
// A run moves from the open run to runs_, where it stays until the fate of all its entries is known
// (it is settled). After that run_uploads may keep it while a slow replica takes its bytes.
// ClientMachine creates a pipeline at the first append to a log and keeps it.
#pragma once
#include "sdk/core/commit_order.h"
#include "sdk/core/fates.h"
#include "sdk/core/observed_commits.h"
#include "sdk/core/open_run.h"
#include "sdk/core/run_uploads.h"
#include "sdk/core/term_session.h"

namespace loglog::client {

class AppendPipeline {
 public:
  /// `bytes`: the client's count of bytes in flight. The pipeline adds the frames of this log and
  /// takes them off when their run is gone. All references must outlive the pipeline.
  AppendPipeline(const Options& options, ClusterView& view, ReplicaChoice& choice, Output& out,
                 std::uint64_t& bytes, LogId log, ProducerId producer);

  /// Adds an entry to the open run. The caller has checked its size and the bytes in flight.
  void append(Time now, Token token, const Bytes& payload, bool packed, Time deadline,
              const AppendConditions& conditions);
  /// Takes a message about this producer that no request waits for.
  void arrived(Time now, ConnectionId from, const Message& m);
  void disconnected(Time now, ConnectionId c);
  /// Ends appends whose deadline has passed, drops slow replicas and continues reads.
  void tick(Time now);
  /// Does all that can be done now: cuts runs, uploads them, opens the term, commits. Called once
  /// at the end of each step, so that entries which arrive together share a run.
  void pump(Time now);
  /// Ends every append that has not ended. Nothing may be called afterwards.
  void close();

  struct Knowledge {
    /// nothing: the entry is of another producer, or its run was let go. open: a Commit of the
    /// entry is under way. known: the entry is in the log below `until`, or never will be there.
    enum class Fate : std::uint8_t { nothing, open, known };
    Fate fate = Fate::nothing;
    Offset until{};  ///< a committed offset
  };
  /// Knowledge of an entry whose append ended with an unknown outcome.
  Knowledge knows(const EntryName& entry) const;
  /// No run is there: until the next append, tick() and pump() do nothing and wake() is `never`.
  bool is_idle() const {
    return runs_.empty() && open_.empty() && uploads_.is_idle() && fates_.is_idle();
  }
  /// When tick() or pump() has work again without input.
  Time wake(Time now) const;

 private:
  void rebuild_from(RunList::iterator begin);
  void upload(Time now);
  void upload(Time now, const LogInfo& log, Run& run);
  void upload_answered(Time now, Sequence first, NodeId node, ConnectionId c, const Message* m);
  void upload_again(const UploadAgain& m);
  void drop_laggards(Time now);
  void open_term(Time now);
  void no_term(Time now, const Error& why);
  void term_is(Time now, ConnectionId from, const TermIs& m);
  void lose_term(Time now, Duration pause);
  void resolve(Time now);
  void resolved(Time now, const Resolver::Findings& f);
  void send_commits(Time now);
  void send_commit(Time now, Run& run);
  void committed(Time now, const Committed& m);
  void learn_set(Time now);
  void run_durable(Time now, ConnectionId from, const RunDurable& m);
  void observe(Time now, Sequence first);
  void refused(Time now, ConnectionId from, const Refused& m);
  void refused_by_leader(Time now, RunList::iterator run, Errc why);
  void condition_failed(Time now, const ConditionFailed& m);
  void gap_checked(Time now, Sequence first, Offset end_of_log, bool empty);
  void fail_fenced(Time now, const ConditionFailed& m);
  void settle(Time now, RunList::iterator run, bool was_committed);
  void let_go(Run& run, const std::string& why);
  void expire(Time now);
  Sequence settled_through() const;
  RunList::iterator find(Sequence first);

  const Options& options_;
  ClusterView& view_;
  std::uint64_t& bytes_;
  LogId log_;
  ProducerId producer_;
  Sequence let_go_{};  // the highest number of a run that went although its fate is open
  RunList runs_;       // unsettled, in sequence order; at most runs_in_flight_max are uploaded
  OpenRun open_;
  RunUploads uploads_;
  TermSession session_;
  CommitOrder commits_;
  ObservedCommits observed_;
  Fates fates_;
};

}  // namespace loglog::client
