// An Order names all items from the replica's last item on; the committed offset travels with it.
#include "sequencer/core/log/ordering.h"

#include <algorithm>
#include <utility>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// Most items in an Order: keeps the message far below the size that a peer accepts.
constexpr std::size_t order_items_max = 4096;
/// Most items that are ordered to a replica and not yet durable there.
constexpr std::size_t ordered_ahead_max = 65'536;

/// D5: the replica takes the smaller of the committed offset and its own tail. True if it may take
/// more now than when it was told last.
bool may_take_more(const Replica& r, Offset committed) {
  return std::min(r.orders.told, r.orders.told_at) < std::min(committed, r.durable);
}

/// The replica's lag in time, approximate: the leader remembers a single past committed offset for
/// each replica instead of all of them.
void note_lag(Replica& r, Time now, Offset committed) {
  if (r.durable >= committed) {
    r.lag.since = never;
  } else if (r.lag.since == never || r.durable >= r.lag.lacking) {
    r.lag.lacking = committed;
    r.lag.since = now;
  }
}

}  // namespace

void Ordering::take_base(const StateIs& base) {
  last_segment_ = base.last_segment;
  stream_ = OrderStream(term_, base.tail, base.last_frame_term);
}

/// D1: the only function that gives an offset. `frame`: an image of the leader's own frame; empty
/// for a producer's run.
void Ordering::place(Reference run, Bytes frame) {
  if (!frame.empty()) {
    run.count = 1;
    run.length = static_cast<std::uint32_t>(frame.size());
  }
  stream_.push({run, std::move(frame)});
}

/// An empty log gets its first segment start before the term start.
Offset Ordering::begin(Time now, const TermStart* previous, std::vector<Member> members) {
  has_begun_ = true;
  if (stream_.end() == Offset{}) {
    last_segment_ = Offset{};
    place({}, make_segment_start_image({host_.wall_ms(), Term{}, no_offset}));
  }
  TermStartPayload p;
  if (previous != nullptr) {
    p.previous_start = previous->offset;
    p.previous_term = previous->term;
  }
  p.instance = host_.instance();
  p.clock_ms = host_.wall_ms();
  p.write_quorum = info_.options.write_quorum;
  p.members = std::move(members);
  term_start_ = stream_.end();
  place({}, make_term_start_image(p));
  term_start_end_ = stream_.end();
  segment_since_ = last_run_ = now;
  return term_start_;
}

/// A segment file keeps to the log's segment size unless a single run is larger. It also covers a
/// bounded time, because retention by age trims whole segments (R5), and a reader from a point in
/// time begins at a segment (R6).
std::optional<NewSegment> Ordering::roll_segment(Time now, std::uint32_t run_length,
                                                 Duration span) {
  const bool full = stream_.end() - last_segment_ + run_length > info_.options.segment_size;
  const bool old = now - segment_since_ >= span && !segment_is_idle();
  return full || old ? open_segment(now) : std::nullopt;
}

std::optional<NewSegment> Ordering::open_segment(Time now) {
  const std::uint64_t wall = host_.wall_ms();
  const Bytes image = make_segment_start_image({wall, term_, stream_.base()});
  if (stream_.end() - last_segment_ <= image.size()) return std::nullopt;
  last_segment_ = stream_.end();
  const auto idle = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_run_);
  const std::uint64_t newest_below =
      wall == no_clock ? no_clock : wall - static_cast<std::uint64_t>(idle.count());
  segment_since_ = now;
  place({}, image);
  return NewSegment{last_segment_, newest_below};
}

bool Ordering::segment_is_idle() const {
  const std::uint64_t own =
      segment_start_size + (term_start_ >= last_segment_ ? term_start_end_ - term_start_ : 0);
  return stream_.end() - last_segment_ <= own;
}

Offset Ordering::order(Time now, const Reference& run) {
  const Offset at = stream_.end();
  place(run, {});
  last_run_ = now;
  return at;
}

void Ordering::send(Time now, ReplicaSet& replicas, Offset committed, bool is_open,
                    bool more_to_come) {
  bool untold = false, soon = false;
  // While runs are in flight, an Order is likely to come and to carry the committed offset.
  const bool by_order = more_to_come && now < watermark_due_;
  for (Replica& r : replicas) {
    note_lag(r, now, committed);
    if (rules::tells_unmatched_nodes() && !r.streams() && r.phase != ReplicaPhase::absent &&
        r.orders.told < committed)
      tell_committed(r, committed);
    if (!r.streams()) continue;
    send_orders(r, committed);
    if (is_open && r.orders.told < committed) {
      if (by_order) soon = true;
      else tell_committed(r, committed);
    }
    if (may_take_more(r, committed)) untold = true;
  }
  if (!soon) watermark_due_ = never;
  else if (watermark_due_ == never) watermark_due_ = now + options_.watermarks.delay;
  // When a replica that was told too early has caught up and nothing else is due, it is told once
  // more.
  if (!untold || !is_open) idle_due_ = never;
  else if (idle_due_ == never) idle_due_ = now + options_.watermarks.idle_interval;
}

void Ordering::tick(Time now, ReplicaSet& replicas, Offset committed) {
  if (now < idle_due_) return;
  idle_due_ = never;
  for (Replica& r : replicas)
    if (r.streams() && may_take_more(r, committed)) tell_committed(r, committed);
}

/// At most order_window_bytes are ordered ahead of the replica's durable tail, so that a slow disk
/// does not grow the node's queue without a bound.
void Ordering::send_orders(Replica& r, Offset committed) {
  while (r.orders.sent < stream_.end()) {
    const std::uint64_t ahead = r.orders.sent - r.durable;
    if (ahead >= options_.order_window_bytes ||
        stream_.items_between(r.durable, r.orders.sent) >= ordered_ahead_max)
      return;
    Order o{info_.id,
            term_,
            host_.metadata_version(),
            r.orders.sent,
            stream_.term_before(r.orders.sent),
            committed,
            {}};
    const Offset end = stream_.collect(r.orders.sent, order_items_max,
                                       options_.order_window_bytes - ahead, o.items);
    if (end == r.orders.sent) return;
    host_.to_node(r.member.node, std::move(o));
    r.orders.sent = end;
    r.orders.furthest = std::max(r.orders.furthest, end);
    r.orders.told = committed;
    r.orders.told_at = r.durable;
  }
}

void Ordering::tell_committed(Replica& r, Offset committed) {
  host_.to_node(r.member.node, Watermark{info_.id, term_, committed});
  r.orders.told = committed;
  r.orders.told_at = r.durable;
}

/// Items stay from the least durable replica of the stream on, and from the target of a repair
/// under way. Beyond the reference window the oldest committed items go; replicas that need them
/// lag and are reconciled from a peer later (S4).
void Ordering::prune(const ReplicaSet& replicas, Offset committed, Offset begins) {
  Offset keep = committed;
  for (const Replica& r : replicas) {
    if (r.phase == ReplicaPhase::reconciling) keep = std::min(keep, r.copy.target);
    else if (r.joined && !r.is_lost()) keep = std::min(keep, r.durable);
  }
  stream_.drop_below(keep);
  // Items below the trim point are not kept for a replica that comes late, because no replica need
  // hold them any more. That replica copies or is re-based.
  while (stream_.items() > 0 && stream_.end_of_front() <= committed &&
         (stream_.items() > options_.reference_window || stream_.end_of_front() <= begins))
    stream_.drop_front();
}

}  // namespace loglog::sequencer
