// The queue of ordered items, and the search for missing runs (spec/05, when a payload is missing).
// A search waits fetch_wait for the upload, asks the members one after the other, then reports
// Missing and starts over.
#include "storage-node/core/order_queue.h"

#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// Number of missing runs that are searched for at a time, from the front of the queue.
constexpr std::size_t searches_max = 32;
/// Pause of a search that the limit on fetched bytes holds up.
constexpr Duration search_pause = 20ms;

/// Returns a token. The bytes count as fetched from the question to a peer until the run is written
/// or dropped, which frees the token.
std::shared_ptr<const void> counted(Node& node, std::uint64_t bytes) {
  node.fetched_bytes += bytes;
  return {nullptr, [&node, bytes](const void*) { node.fetched_bytes -= bytes; }};
}
}  // namespace

Errc OrderQueue::add(const OrderItem& item) {
  if (items_.size() >= s_.node.options.orders_waiting_max) return Errc::too_many;
  Ordered o;
  o.at = ordered_end();
  o.run = item.run;
  // The leader's own frames come with the order; a client's run was uploaded.
  if (item.run.producer == ProducerId{}) {
    if (item.frame.size() < frame_overhead) return Errc::malformed_message;
    const auto prefix = read_prefix(item.frame.data());
    if (!prefix || prefix->frame_length() != item.frame.size()) return Errc::malformed_message;
    if (prefix->kind != FrameKind::term_start && prefix->kind != FrameKind::segment_start)
      return Errc::malformed_message;
    o.leader_frame = true;
    o.opens_segment = prefix->kind == FrameKind::segment_start;
    o.frames = Bytes::copy_of(item.frame);
    o.run.length = static_cast<std::uint32_t>(item.frame.size());
  } else if (item.run.length < frame_overhead || item.run.length > run_size_max) {
    return Errc::malformed_message;
  } else if (StagedRun* staged = s_.node.staging.find(s_.id, item.run.producer, item.run.first);
             staged && rules::is_same_run(staged->run, item.run)) {
    staged->pinned = true;
    o.frames = staged->frames;
  } else {
    // D3: a staged run of the same name with other bytes is not the ordered run. It makes room for
    // the ordered run.
    if (staged) s_.node.staging.remove(s_.id, item.run.producer, item.run.first);
    missing_[{item.run.producer, item.run.first}] = o.at;
    ++s_.node.figures.missing_runs;
    o.next_step = s_.node.now + s_.node.options.fetch_wait;
    s_.node.wake_at(s_.id, o.next_step);
  }
  items_.push_back(std::move(o));
  return Errc::ok;
}

/// items_ is ascending, so the search is binary.
OrderQueue::Ordered* OrderQueue::at(Offset offset) {
  const auto it = std::lower_bound(items_.begin(), items_.end(), offset,
                                   [](const Ordered& o, Offset v) { return o.at < v; });
  return it == items_.end() || it->at != offset ? nullptr : &*it;
}

bool OrderQueue::offer(const Reference& run, Bytes frames) {
  const auto it = missing_.find({run.producer, run.first});
  if (it == missing_.end()) return false;
  // The item may have been dropped and ordered again with other bytes under the same name (D3).
  Ordered* o = at(it->second);
  if (o == nullptr || !rules::is_same_run(o->run, run)) return false;
  s_.node.staging.remove(s_.id, run.producer, run.first);
  frames = frames.to_keep();
  const Errc e = s_.node.staging.add(
      s_.node.now, s_.id, run, frames,
      rules::ordered_runs_pass_limits() ? Staging::Claim::ordered : Staging::Claim::upload);
  if (e != Errc::ok) return false;
  s_.node.transfers.cancel(std::exchange(o->asked, 0));
  o->fetched = {};
  o->frames = std::move(frames);
  missing_.erase(it);
  return true;
}

std::optional<OrderQueue::Front> OrderQueue::ready() const {
  if (items_.empty() || items_.front().frames.empty()) return std::nullopt;
  return Front{items_.front().opens_segment, items_.front().frames.size()};
}

void OrderQueue::take_group(Group& group, std::uint64_t room) {
  group.term = s_.matched;
  while (!items_.empty() && group.bytes < s_.node.options.group_bytes_max) {
    Ordered& o = items_.front();
    if (o.frames.empty() || (o.opens_segment && !group.frames.empty()) ||
        // A segment start opens a file, so it must be the first frame of its group.
        group.bytes + o.frames.size() > room)
      break;
    if (o.opens_segment) group.opens_segment = true;
    stamp_run(o.frames, s_.id, s_.matched, s_.written, s_.terms);
    group.bytes += o.frames.size();
    group.frames.push_back(std::move(o.frames));
    if (!o.leader_frame) group.runs.push_back({o.run, o.at});
    // The token lives until the group is durable.
    if (o.fetched) group.fetched.push_back(std::move(o.fetched));
    items_.pop_front();
  }
}

/// The staged runs stay: the next leader may order them again.
void OrderQueue::drop() {
  for (const Ordered& o : items_) {
    if (StagedRun* staged =
            o.leader_frame ? nullptr : s_.node.staging.find(s_.id, o.run.producer, o.run.first))
      staged->pinned = false;
    s_.node.transfers.cancel(o.asked);
  }
  items_.clear();
  missing_.clear();
}

void OrderQueue::tick() {
  std::size_t searched = 0;
  if (missing_.empty()) return;
  for (Ordered& o : items_) {
    if (!o.frames.empty()) continue;
    if (++searched > searches_max) return;
    if (o.asked == 0 && o.next_step <= s_.node.now) search(o, searched == 1);
  }
}

/// The first missing run of a log blocks its queue and so has the larger limit; runs behind it wait
/// in memory (D6). Bytes that are asked for count like bytes that are here. Otherwise runs behind
/// the missing runs of all logs could take all the room, and no log could write.
bool OrderQueue::may_fetch(const Ordered& o, bool first) const {
  const Options& options = s_.node.options;
  // The largest run passes alone.
  if (first && s_.node.fetched_bytes == 0) return true;
  const std::uint64_t with = s_.node.fetched_bytes + o.run.length;
  return rules::may_ask_for(with,
                            first ? options.fetched.bytes_max : options.fetched.ahead_bytes_max);
}

/// Asks the next member for the run, or ends the round with Missing if each member was asked.
void OrderQueue::search(Ordered& o, bool first) {
  if (!may_fetch(o, first)) {
    o.next_step = s_.node.now + search_pause;
    s_.node.wake_at(s_.id, o.next_step);
    return;
  }
  // Logs start with different peers, so that the runs of all logs do not load a single peer's link.
  const auto& members = s_.info.members;
  const auto member = [&] { return members[(o.peer + s_.id.value) % members.size()].node; };
  while (o.peer < members.size() && member() == s_.node.options.id) ++o.peer;
  if (o.peer >= members.size()) {
    // No peer has the run. The leader can ask the producer to upload it again.
    s_.node.send(s_.leader, RequestId{}, Missing{s_.id, s_.matched, o.at, o.run});
    o.peer = 0;
    o.next_step = s_.node.now + s_.node.options.missing_repeat;
    s_.node.wake_at(s_.id, o.next_step);
    return;
  }
  const NodeId peer = member();
  ++o.peer;
  o.fetched = counted(s_.node, o.run.length);
  // Bytes that are committed already need not be fetched for an append, so they wait behind runs
  // that are not (P1).
  const bool committed = o.at + o.run.length <= std::max(s_.committed, s_.leader_committed);
  o.asked = s_.node.transfers.ask(
      peer, s_.id, FetchRun{s_.id, s_.matched, o.at, o.run}, o.run.length,
      committed ? Transfers::Urgency::bulk : Transfers::Urgency::append,
      [this, offset = o.at, term = s_.matched](Transfers::Came came, const Message* m) {
        peer_answered(offset, term, came, m);
      });
}

/// Takes bytes whenever they come, even after the peer was given up: the reference proves that they
/// are the right bytes (D3).
void OrderQueue::peer_answered(Offset offset, Term term, Transfers::Came came, const Message* m) {
  Ordered* o = at(offset);
  if (o == nullptr || !o->frames.empty() || s_.matched != term) return;
  if (came != Transfers::Came::late) {
    o->asked = 0;
    o->fetched = {};
  }
  if (const RunIs* run = m ? std::get_if<RunIs>(m) : nullptr) {
    // The peer's answer lies in a block with other messages, and stamping changes bytes in place,
    // so the run is copied.
    const auto checked = check_images(run->frames, true);
    if (checked && *checked == o->run && offer(o->run, Bytes::copy_of(run->frames))) {
      o->fetched = counted(s_.node, run->frames.size());
      s_.node.figures.copied_bytes += run->frames.size();
      return resume_();
    }
  }
  // After a late answer without the run the search has gone on already.
  if (came == Transfers::Came::late) return;
  o->next_step = s_.node.now;
  s_.node.wake_at(s_.id, s_.node.now);
}

Time OrderQueue::next_tick() const {
  Time t = never;
  std::size_t searched = 0;
  if (missing_.empty()) return t;
  for (const Ordered& o : items_) {
    if (!o.frames.empty()) continue;
    if (++searched > searches_max) break;
    if (o.asked == 0) t = std::min(t, o.next_step);
  }
  return t;
}

}  // namespace loglog::storage
