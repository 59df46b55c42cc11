// The orders of a leader in a log in its term: which frame stands at which offset (D1), when a
// segment begins, and which orders and committed offsets each replica is sent (spec/05 steps 6 and
// 9). Owned by LogTerm, which says what to order and how far the log is committed.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/order_stream.h"
#include "sequencer/core/log/replica_set.h"

namespace loglog::sequencer {

/// A segment that was begun. `newest_below`: a wall clock, milliseconds, that no entry below
/// `begin` is younger than.
struct NewSegment {
  Offset begin;
  std::uint64_t newest_below;
};

/// See the top of the file. All references given to the constructor must outlive it.
class Ordering {
 public:
  Ordering(const Options& options, LogHost& host, const LogInfo& info, Term term)
      : options_(options), host_(host), info_(info), term_(term) {}

  /// S3: this term's orders begin at the base's tail.
  void take_base(const StateIs& base);
  /// spec/04 "Begin": orders the term start frame, and returns its offset. `previous`: the start of
  /// the term before; nullptr: there is none. `members`: the disks that count.
  Offset begin(Time now, const TermStart* previous, std::vector<Member> members);
  /// True once the term start was ordered.
  bool has_begun() const { return has_begun_; }

  /// Begins a new segment before a run if the open segment is full, or older than `span`.
  std::optional<NewSegment> roll_segment(Time now, std::uint32_t run_length, Duration span);
  /// nullopt: the open segment holds nothing but its own start.
  std::optional<NewSegment> open_segment(Time now);
  /// Gives the run its offset, and returns it.
  Offset order(Time now, const Reference& run);

  /// Drops items that no replica needs. `begins`: where the log begins for readers.
  void prune(const ReplicaSet& replicas, Offset committed, Offset begins);
  /// True if items were dropped that the replica must still be sent.
  bool has_dropped(const Replica& r) const { return r.orders.sent < stream_.begin(); }
  /// Sends orders to all streaming replicas and tells the committed offset, which travels with an
  /// Order if possible. `is_open`: the term start is committed. `more_to_come`: runs are in flight.
  void send(Time now, ReplicaSet& replicas, Offset committed, bool is_open, bool more_to_come);
  /// Tells replicas again whose tail was shorter when they were told (D5).
  void tick(Time now, ReplicaSet& replicas, Offset committed);
  Time wake() const { return std::min(idle_due_, watermark_due_); }

  const OrderStream& stream() const { return stream_; }
  Offset end() const { return stream_.end(); }
  Offset last_segment() const { return last_segment_; }
  Offset term_start() const { return term_start_; }
  Offset term_start_end() const { return term_start_end_; }
  Time last_run() const { return last_run_; }
  /// True if the open segment holds nothing but its own start and this term's start.
  bool segment_is_idle() const;
  /// Gives the offset `at` again. Only in the mutation build: tests/simulator/mutants.
  void order_again_from(Offset at, ReplicaSet& replicas);

 private:
  void place(Reference run, Bytes frame);
  void send_orders(Replica& r, Offset committed);
  void tell_committed(Replica& r, Offset committed);

  const Options& options_;
  LogHost& host_;
  const LogInfo& info_;
  Term term_;
  OrderStream stream_;
  bool has_begun_ = false;
  Offset term_start_{};
  Offset term_start_end_{};
  Offset last_segment_{};  // start of the open segment
  Time segment_since_{};   // when the open segment began, or the term start if the segment is older
  Time last_run_{};  // when the newest run was ordered; for runs of earlier terms, the term start
  // When a replica that was not told the newest committed offset gets a Watermark, because no Order
  // has come to carry it.
  Time watermark_due_ = never;
  // When a replica that was told it while its tail was shorter is told again.
  Time idle_due_ = never;
};

}  // namespace loglog::sequencer
