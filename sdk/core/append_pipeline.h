// A producer: the appends of this client to a log (spec/05, spec/07). Entries gather into runs; the
// runs go to the replicas and their references to the leader. The pipeline finds out the fate of
// every entry, also if the leader changes (A1 to A6).
//
// A run moves open_ -> runs_ -> (lagging_) -> gone. It is in runs_ until the fate of all its
// entries is known (it is settled), and in lagging_ while a slow replica still takes its bytes.
// ClientMachine creates a pipeline at the first append to a log and keeps it.
#pragma once
#include <deque>
#include <list>
#include <memory>
#include <set>

#include "sdk/core/gap_check.h"
#include "sdk/core/observed_commits.h"
#include "sdk/core/replica_uploads.h"
#include "sdk/core/resolver.h"
#include "sdk/core/run_builder.h"

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
  /// When tick() or pump() has work again without input.
  Time wake(Time now) const;

 private:
  // An entry.
  struct Item {
    Token token;
    Sequence sequence;
    Time deadline;
    std::uint32_t at, length;  // position and length of its frame in the run, bytes
    bool live = true;          // the caller still waits
    bool committing = false;   // a Commit named the entry since the last resolution: fate unsettled
    Offset known{};  // committed offset known at that Commit; resolution reads from it (A3)
    AppendConditions conditions{};
  };
  // All items of a run have the same `committing` and the same conditions.
  struct Run {
    Reference reference;
    Bytes frames;
    std::vector<Item> items;
    ReplicaUploads uploads;
    bool begun = false;  // `uploads` has its targets
    // Some entries ended and no Commit is open: the run must be built anew without them.
    bool stale = false;
    bool commit_sent = false;  // to the leader of this term, and not refused
    // F1: the leader refused the run for this term, and no Commit of it was sent since. Its entries
    // are certainly not in the log, although `committing` is still set.
    bool absent = false;
    bool cancelled = false;        // Cancel was sent: the run is not uploaded again
    unsigned commits_in_term = 0;  // Commits sent in this term; a refusal is definite after just 1
    Time keep_until = never;       // in lagging_: when slow replicas are given up
    Time next_deadline = never;    // least deadline of its live items
    Time since = never;            // when its oldest entry arrived
    Sequence end() const { return reference.first + reference.count; }
  };
  using RunList = std::list<Run>;

  void add(Run& to, RunBuilder& builder, Item item, FrameKind kind, ByteSpan payload);
  void cut(Run& run, RunBuilder& builder);
  static bool keeps_apart(const Run& run, const AppendConditions& of_next);
  std::uint32_t run_target() const;
  void cut_when_due();
  void rebuild_from(RunList::iterator i);
  void upload(Time now, Run& run);
  void send_upload(Time now, Run& run, ReplicaUploads::Target& t, ConnectionId c);
  void upload_answered(Time now, Sequence first, NodeId node, ConnectionId c, const Message* m);
  void open_term(Time now);
  void no_term(Time now, Errc why, const std::string& detail);
  void term_is(Time now, ConnectionId from, const TermIs& m);
  void lose_term(Time now, Duration pause);
  void send_commits(Time now);
  void send_commit(Time now, Run& run);
  void committed(Time now, const Committed& m);
  void learn_set(Time now);
  void run_durable(Time now, ConnectionId from, const RunDurable& m);
  void observe(Time now, Sequence first);
  void refused(Time now, ConnectionId from, const Refused& m);
  void refused_by_leader(Time now, RunList::iterator run, Errc why);
  void condition_failed(Time now, const ConditionFailed& m);
  void gap_checked(Time now, Sequence first, Offset end, bool empty);
  void fail_fenced(Time now, const ConditionFailed& m);
  void upload_again(const UploadAgain& m);
  void resolve(Time now);
  void resolved(Time now, Resolver::Findings&& f);
  void settle(Time now, RunList::iterator run, bool was_committed);
  void end(Item& item, Completion c);
  void end_all(Run& run, Errc code, const std::string& detail);
  void expire(Time now);
  bool expire(Run& run, Time now);
  void drop_laggards(Time now);
  Sequence settled_through() const;
  std::size_t write_quorum() const;
  bool uploaded(const Run& run) const;
  bool goes_ahead(const Run& run) const;
  void judge_uploads(Time now, const Run& run, bool taken);
  std::string why_not_committed(Run& run) const;
  RunList::iterator find(Sequence first);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Output& out_;
  std::uint64_t& bytes_;
  LogId log_;
  ProducerId producer_;
  Sequence next_{1};  // of the next entry; never given twice (A6)
  Offset known_{};    // highest committed offset of the log that this client knows
  RunList runs_;      // unsettled, in sequence order; at most runs_in_flight_max are uploaded
  RunList lagging_;   // settled, and some replica still takes the upload
  Run open_;          // filled by builder_; its reference and frames are made when it is cut
  RunBuilder builder_;
  Term term_{};
  Offset term_start_{}, term_end_{};  // of term_'s start frame, as the leader told
  ConnectionId leader_{};             // receiver of Commits; 0: the term is not open
  bool opening_ = false;              // an OpenLog is under way
  Time open_at_{};                    // no OpenLog before
  // V1: a write quorum took the last uploads at once, so the next run may be committed along with
  // its uploads.
  bool prompt_ = false;
  ObservedCommits observed_;
  std::set<ConnectionId> observing_;    // connections over which Observe was sent (V2)
  bool asking_set_ = false;             // a GetTermSet is under way
  Time set_at_{};                       // no GetTermSet before
  Time commit_at_{};                    // no Commit before: pause after a refusal
  std::unique_ptr<Resolver> resolver_;  // while it reads, nothing is committed (A3)
  // A finished reader is destroyed in the next step, because its callback is still running.
  std::unique_ptr<Resolver> finished_;
  // F1: of the refused run. Only the producer's next run is judged, so there is a single check.
  std::unique_ptr<GapCheck> gap_;
  std::unique_ptr<GapCheck> finished_gap_;
};

}  // namespace loglog::client
