// One log on this node. Takes the leader's commands, the clients' runs and the peers' questions,
// and drives the log's parts: store, order queue, reader and repair. StorageMachine owns
// it, and has compared the sender's term with the promise (T3) before it calls a command here. The
// code is in two files: log_replica.cpp has commands and acknowledgements, log_transfers.cpp has
// uploads and bytes for peers.
#pragma once
#include "storage-node/core/order_queue.h"
#include "storage-node/core/reader.h"
#include "storage-node/core/repair.h"
#include "storage-node/core/store/segments/recovery_scan.h"

namespace loglog::storage {

class LogReplica {
 public:
  LogReplica(Node& node, const PromiseKeeper& node_promise, LogId id);
  LogReplica(const LogReplica&) = delete;
  LogReplica& operator=(const LogReplica&) = delete;

  LogCore state;
  Reader reader;

  /// Takes the log that the start found on disk. Called at most once, before anything else.
  void recovered(RecoveredLog&& r);
  /// Takes the log's members, options and trim point from the metadata.
  void described(const LogInfo& info, RaftIndex version);

  // Commands of the leader. Each of them is answered exactly once, if its request expects an
  /// answer.
  /// Answers StateIs once the group in flight has ended (S1), and drops orders of an older term.
  void get_state(ConnectionId from, RequestId request, const GetState& m);
  /// Cuts and copies as the leader says (S4, S5), and answers Reconciled.
  void reconcile(ConnectionId from, RequestId request, const Reconcile& m);
  /// Queues the ordered items, or answers StateIs if they do not continue the log (D2).
  void order(ConnectionId from, RequestId request, const Order& m);
  /// Learns the committed offset (D5).
  void watermark(const Watermark& m);
  /// R3: learns the trim point.
  void trim_to(Offset point);
  /// R2: confirms that this node still obeys the leader of the term.
  void confirm_term(ConnectionId from, RequestId request, const ConfirmTerm& m);
  /// The log is deleted (T5): ends its readers and drops its staged runs. Work in flight still
  /// ends.
  void drop();

  // Clients and peers.
  /// Stages a run, and answers Uploaded or Busy (spec/05 step 3).
  void upload(ConnectionId from, RequestId request, const Upload& m);
  /// Answers a peer's Copy with bytes of the log (S5).
  void copy(ConnectionId from, RequestId request, const Copy& m);
  /// Answers a peer's FetchRun with a run that is staged or durable here.
  void fetch_run(ConnectionId from, RequestId request, const FetchRun& m);
  /// Looks at bytes that a reader or peer found bad (K4).
  void report_corrupt(const ReportCorrupt& m);
  /// V2: registers `from` as the observer of a producer. Returns the connection that loses its
  /// place by that: the former observer, or `from` itself if the log has no room; nullopt: none.
  std::optional<ConnectionId> observe(ConnectionId from, const Observe& m);
  /// Number of producers of this log that the connection observes.
  std::size_t observed_by(ConnectionId c) const;
  /// Forgets a connection that is gone: its reads, follows and observed producers.
  void forget(ConnectionId c);

  /// An operation of the log's store has ended.
  void disk_done(const DiskDone& d);
  /// See LogStore::opening_waits().
  void opening_waits() { state.store.opening_waits(); }
  void tick();
  /// The node stops and nothing more will come: writes the ordered runs that are here, then the
  /// marks.
  void begin_stop();
  std::uint64_t disk_bytes() const { return state.store.disk_bytes(); }
  /// True if nothing of that work is left.
  bool at_rest() const { return !state.store.busy() && !orders_.ready() && marks_at_ == never; }

 private:
  /// A question of a leader that waits for the strand.
  struct Asked {
    ConnectionId from;
    RequestId request;
    Term term;
  };

  StateIs state_is(Term term) const;
  void look_at_front();
  void settle();
  void pump();
  void group_durable();
  void ordered_group_durable();
  bool may_acknowledge() const;
  void acknowledge();
  void tell_observers(const OrderQueue::Group& group);
  void advance_committed(Offset leader_committed);
  void schedule();
  void marks_within(Duration d);
  bool marks_give_way();
  void reconcile_now();
  void reconciled(const Reconcile& m, Errc e);
  void hole_found();
  void answer_reconcile(const Reconcile& m, Errc e);
  void refuse_upload(ConnectionId from, RequestId request, const Reference& run, Errc e);
  void accept_upload(ConnectionId from, RequestId request, const Reference& run);
  template <class M>
  void give(ConnectionId from, RequestId request, Errc e, M&& bytes);

  OrderQueue orders_;
  Repair repair_;
  /// The ordered group that is under way, and whether there is one.
  OrderQueue::Group group_;
  bool group_under_way_ = false;
  /// S1: answered when the strand is idle.
  std::vector<Asked> state_asked_;
  /// D2: an Order that did not fit; answered when the strand is idle.
  std::vector<Asked> misfit_;
  /// A Reconcile that waits for the strand.
  std::optional<Reconcile> reconcile_wanted_;
  Asked reconcile_from_{};
  /// For each producer, the last sequence that has become durable since the log was last cut. A
  /// late copy of the same upload is answered from here and not staged again.
  std::map<ProducerId, Sequence> durable_through_;
  /// V2: the connection that hears RunDurable for a producer.
  std::map<ProducerId, ConnectionId> observers_;
  /// When to write marks alone (K3), and how often that write has given way to appends.
  Time marks_at_ = never;
  int marks_put_off_ = 0;
  /// Reports of damage before this time are counted only.
  Time next_report_{};
  bool stopping_ = false;
};

}  // namespace loglog::storage
