// One log on this node: takes the leader's commands and the clients' runs, and drives writer,
// orders, reader and repair. The machine has checked the sender's term against the promise (T3)
// before it calls a command here.
#pragma once
#include "storage-node/core/order_queue.h"
#include "storage-node/core/reader.h"
#include "storage-node/core/recovery_scan.h"
#include "storage-node/core/repair.h"
#include "storage-node/core/segment_writer.h"

namespace loglog::storage {

class LogReplica {
 public:
  LogReplica(Node& node, const PromiseKeeper& node_promise, LogId id);
  LogReplica(const LogReplica&) = delete;
  LogReplica& operator=(const LogReplica&) = delete;

  LogCore state;
  Reader reader;

  void recovered(RecoveredLog&& r);
  /// The log's members and trim point as the metadata says them.
  void described(const LogInfo& info, RaftIndex version);

  // Commands of the leader.
  void get_state(ConnectionId from, RequestId request, const GetState& m);
  void reconcile(ConnectionId from, RequestId request, const Reconcile& m);
  void order(ConnectionId from, RequestId request, const Order& m);
  void watermark(const Watermark& m);
  void trim_to(Offset point);
  void confirm_term(ConnectionId from, RequestId request, const ConfirmTerm& m);
  void drop();

  // Clients and peers.
  void upload(ConnectionId from, RequestId request, const Upload& m);
  void copy(ConnectionId from, RequestId request, const Copy& m);
  void fetch_run(ConnectionId from, RequestId request, const FetchRun& m);
  void report_corrupt(const ReportCorrupt& m);
  /// Returns the connection that loses a place by it: the producer's observer before, or `from`
  /// where the log has no place. nullopt: none.
  std::optional<ConnectionId> observe(ConnectionId from, const Observe& m);
  /// Producers that the connection observes here.
  std::size_t observed_by(ConnectionId c) const;
  /// The connection is gone: nobody observes there any more.
  void forget(ConnectionId c);

  /// See SegmentWriter::opening_waits().
  void opening_waits() { writer_.opening_waits(); }
  void tick();
  /// No more will come: what was ordered and is here is written, then the marks.
  void begin_stop();
  std::uint64_t disk_bytes() const { return writer_.disk_bytes(); }
  /// None of that is left.
  bool at_rest() const { return !writer_.busy() && !orders_.ready() && marks_at_ == never; }

 private:
  struct Asked {
    ConnectionId from;
    RequestId request;
    Term term;
  };

  StateIs state_is(Term term) const;
  void look_at_front();
  void settle();
  void pump();
  void group_durable(const OrderQueue::Group& group);
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

  SegmentWriter writer_;
  OrderQueue orders_;
  Repair repair_;
  std::vector<Asked> state_asked_;             // S1: answered when the strand is idle
  std::vector<Asked> misfit_;                  // D2: an Order that did not fit
  std::optional<Reconcile> reconcile_wanted_;  // waits for the strand
  Asked reconcile_from_{};
  std::map<ProducerId, Sequence>
      durable_through_;  // last sequence written since the log was last cut
  std::map<ProducerId, ConnectionId> observers_;  // V2
  Time marks_at_ = never;
  int marks_put_off_ = 0;
  Time next_report_{};  // of damage, that is looked at
  bool stopping_ = false;
};

}  // namespace loglog::storage
