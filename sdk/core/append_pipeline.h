// One producer: the appends of this client to one log. Entries gather into runs, runs go to the
// replicas, references to the leader, and every entry's fate is found out, whatever happens to the
// leader (§4, §8: A1–A6).
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
  /// `bytes`: the client's count of bytes in flight, kept here for this log's.
  AppendPipeline(const Options& options, ClusterView& view, ReplicaChoice& choice, Output& out,
                 std::uint64_t& bytes, BlockPool& blocks, LogId log, ProducerId producer);

  void append(Time now, Token token, const Bytes& payload, bool packed, Time deadline,
              const AppendConditions& conditions);
  /// Messages about this producer that no request waits for.
  void arrived(Time now, ConnectionId from, const Message& m);
  void disconnected(Time now, ConnectionId c);
  void tick(Time now);
  /// Cuts, uploads, opens the term, commits: all that can be done now.
  void pump(Time now);
  /// Ends every append that has not ended.
  void close();
  Time wake(Time now) const;

 private:
  struct Item {  // an entry
    Token token;
    Sequence sequence;
    Time deadline;
    std::uint32_t at, length;  // its frame in the run
    bool live = true;          // the caller still waits
    bool committing = false;   // a Commit named it since its last resolution
    Offset known{};            // a committed offset known before the first of those (A3)
    AppendConditions conditions{};
  };
  struct Run {
    Reference reference;
    Bytes frames;
    std::vector<Item> items;
    ReplicaUploads uploads;
    bool begun = false;  // uploads were begun
    bool stale = false;  // holds entries that are dead and were never committed: to be built anew
    bool commit_sent = false;  // and not refused
    bool absent = false;  // F1: the leader has said that it is not ordered in this term, and it was
                          // not committed again since
    bool cancelled = false;
    unsigned commits_in_term = 0;
    Time keep_until = never;  // settled: how long laggards are waited for
    Time next_deadline = never;
    Time since = never;  // its oldest entry came
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
  BlockPool& blocks_;
  LogId log_;
  ProducerId producer_;
  Sequence next_{1};
  Offset known_{};   // a committed offset of the log
  RunList runs_;     // unsettled, in sequence order; the last may be `open_`'s predecessor
  RunList lagging_;  // settled, some replica still takes the upload
  Run open_;         // being filled by builder_
  RunBuilder builder_;
  Term term_{};
  Offset term_start_{}, term_end_{};
  ConnectionId leader_{};  // whom Commits go to; 0: the term is not open
  bool opening_ = false;
  Time open_at_{};
  bool prompt_ = false;  // a write quorum took the last uploads at once: the next run may be
                         // committed along with its own (V1)
  ObservedCommits observed_;
  std::set<ConnectionId> observing_;  // they know that this producer is told RunDurable there
  bool asking_set_ = false;
  Time set_at_{};
  Time commit_at_{};  // pause after a refusal
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Resolver> finished_;  // kept until the next step: its own call is still under way
  std::unique_ptr<GapCheck> gap_;       // F1: of the run that was refused and stands first in line
  std::unique_ptr<GapCheck> finished_gap_;
};

}  // namespace loglog::client
