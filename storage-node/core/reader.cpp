// Reads and follows of one log. Each page passes the same three gates: the readable end (R1), the
// connection's share of memory (PageFlow), and the cache or disk (fetch). The disk answers in a
// later step, when the read, the follow or the log may be gone.
#include "storage-node/core/reader.h"

#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// spec/06: how often a follower of an unmatched log is told that this node cannot serve it.
constexpr Duration tell_unmatched_every = 1s;

void refuse_one_more(Node& node, ConnectionId from, RequestId request) {
  node.fail_request(from, request, Errc::too_many,
                    fmt::format("{} reads and follows of this connection wait here, the limit is "
                                "{}; let some of them end",
                                readers_per_connection_max, readers_per_connection_max));
}
}  // namespace

/// Every page carries the first and the committed offset that this node knows (R1).
void Reader::page(ConnectionId to, RequestId request, Offset at, Errc reason, Bytes frames) {
  s_.node.send(to, request, Page{s_.id, at, s_.first(), s_.committed, reason, std::move(frames)});
}

/// Bytes that may be given from `at` on: below the readable end, within one file and one page.
std::uint64_t Reader::available(Offset at, std::uint64_t max) const {
  if (s_.store.empty() || at < s_.store.first_kept()) return 0;
  const Offset end = std::min(s_.readable_end(), s_.store.segment_end(at, s_.readable_end()));
  return at < end ? std::min<std::uint64_t>(std::min<std::uint64_t>(max, page_size_max), end - at)
                  : 0;
}

/// R1: an answer without bytes says why.
Errc Reader::why_nothing(Offset at) const {
  if (at < s_.first_kept())
    // K3: the files in front are missing or cut here; another replica has the bytes.
    return s_.front_gone ? Errc::corrupt : Errc::not_here;
  return rules::may_claim_end(at, s_.committed, s_.leader_committed, s_.is_matched())
             ? Errc::past_end
             : Errc::not_here;
}

void Reader::end_read(ConnectionId to, RequestId request, Offset at, Errc reason, Bytes frames) {
  s_.node.flow.leave(to);
  page(to, request, at, reason, std::move(frames));
}

/// Returns true if the read was answered, is being fetched, or is held. Returns false if it may
/// wait for bytes.
bool Reader::answer_now(ConnectionId from, RequestId request, const Read& m) {
  if (m.offset < s_.first()) {
    end_read(from, request, m.offset, Errc::trimmed);
    return true;
  }
  const std::uint64_t wanted =
      available(m.offset, m.max_bytes == 0 ? page_size_default : m.max_bytes);
  if (wanted == 0) return false;
  const std::uint64_t n = s_.node.flow.allowed(from, wanted);
  if (n == 0) {
    hold(from, {request, m});
    return true;
  }
  s_.node.flow.started(from, n);
  fetch(m.offset, n, false, [this, from, request, at = m.offset, n](Errc error, Bytes b) {
    s_.node.flow.fetched(from, n, b.size());
    end_read(from, request, at, error, std::move(b));
  });
  return true;
}

void Reader::read(ConnectionId from, RequestId request, const Read& m) {
  if (!s_.node.flow.enter(from)) return refuse_one_more(s_.node, from, request);
  start_read(from, request, m);
}

void Reader::start_read(ConnectionId from, RequestId request, const Read& m) {
  if (answer_now(from, request, m)) return;
  // Waiting does not help: the bytes are committed, so another replica has them.
  const bool hopeless = m.offset < s_.committed || m.offset < s_.first_kept();
  if (m.wait_ms == 0 || hopeless) return end_read(from, request, m.offset, why_nothing(m.offset));
  const Time deadline =
      s_.node.now + std::chrono::milliseconds(std::min<std::uint32_t>(m.wait_ms, 600'000));
  waiting_.add({from, request, m, deadline});
  s_.node.wake_at(s_.id, deadline);
}

/// The follow starts to send at once; without readable bytes it becomes idle.
void Reader::follow(ConnectionId from, RequestId request, const Follow& m) {
  if (!s_.node.flow.enter_follow(from, request, s_.id))
    return refuse_one_more(s_.node, from, request);
  const Time tell_at = s_.node.now + tell_unmatched_every;
  const std::uint64_t credit = std::min(m.credit, follow_credit_max);
  follows_[{from, request}] = Following{m.offset, credit, false, false, tell_at, tell_at};
  tells_.insert({tell_at, {from, request}});
  s_.node.wake_at(s_.id, tell_at);
  push({from, request});
}

void Reader::credit(ConnectionId from, RequestId request, std::uint32_t bytes) {
  const auto it = follows_.find({from, request});
  if (it == follows_.end()) return;
  if (bytes == 0) return end_follow({from, request});
  it->second.credit = std::min<std::uint64_t>(it->second.credit + bytes, follow_credit_max);
  push({from, request});
}

void Reader::end_follow(FollowKey key) {
  const auto it = follows_.find(key);
  if (it == follows_.end()) return;
  idle_.erase({it->second.at, key});
  tells_.erase({it->second.in_tells, key});
  if (it->second.held) {
    auto& held = held_[key.first];
    std::erase_if(held, [&](const Held& h) { return h.request == key.second && !h.read; });
    if (held.empty()) held_.erase(key.first);
  }
  follows_.erase(it);
  s_.node.flow.leave_follow(key.first, key.second);
}

/// The order of held readers of a connection is kept, so that none of them starves.
void Reader::hold(ConnectionId to, Held what) {
  held_[to].push_back(what);
  s_.node.flow.hold(to, s_.id);
}

SegmentsAre Reader::segments(Offset from) const {
  SegmentsAre out{s_.id, s_.first(), s_.committed, {}, {}};
  const std::vector<Offset>& firsts = s_.store.segments();
  auto next = std::upper_bound(firsts.begin(), firsts.end(), from);
  if (next != firsts.begin()) --next;
  for (;
       next != firsts.end() && *next < s_.readable_end() && out.begins.size() < segments_listed_max;
       ++next)
    out.begins.push_back(*next);
  if (out.begins.empty()) return out;
  const Offset end = next == firsts.end() ? s_.readable_end() : std::min(*next, s_.readable_end());
  for (const TermStart& t : s_.terms)
    // Segments are listed already. The log's first term begins with its first segment, and a term
    // may begin with a later segment too.
    if (t.offset > out.begins.front() && t.offset < end &&
        !std::binary_search(firsts.begin(), firsts.end(), t.offset))
      out.terms.push_back(t.offset);
  return out;
}

/// Sends pages until the follow has no credit, is held, fetches from the disk, or is at the end. A
/// loop, because the cache answers within fetch(): recursion would be as deep as there are pages.
void Reader::push(FollowKey key) {
  for (;;) {
    const auto it = follows_.find(key);
    if (it == follows_.end() || it->second.fetching || it->second.held || it->second.credit == 0)
      return;
    Following& f = it->second;
    idle_.erase({f.at, key});
    if (f.at < s_.first()) {
      page(key.first, key.second, f.at, Errc::trimmed);
      return end_follow(key);
    }
    const std::uint64_t wanted =
        available(f.at, std::min<std::uint64_t>(f.credit, page_size_default));
    if (wanted == 0 && f.at < s_.first_kept()) {
      page(key.first, key.second, f.at, why_nothing(f.at));
      return end_follow(key);
    }
    // wake() finds the follow by its offset when bytes come.
    if (wanted == 0) {
      idle_.insert({f.at, key});
      return;
    }
    const std::uint64_t n = s_.node.flow.allowed(key.first, wanted);
    if (n == 0) {
      f.held = true;
      return hold(key.first, {key.second, {}});
    }
    f.fetching = true;
    pushing_ = true;
    s_.node.flow.started(key.first, n);
    fetch(f.at, n, false, [this, key, at = f.at, n](Errc error, Bytes b) {
      pushed(key, at, n, error, std::move(b));
    });
    pushing_ = false;
    const auto after = follows_.find(key);
    if (after == follows_.end() || after->second.fetching) return;
  }
}

/// A page of a follow has been fetched. The follow may have ended meanwhile, or a new follow may
/// have taken its request id; then the page is dropped, but its bytes must leave the count.
void Reader::pushed(FollowKey key, Offset at, std::uint64_t started, Errc error, Bytes frames) {
  const auto found = follows_.find(key);
  const bool wanted = found != follows_.end() && found->second.fetching && found->second.at == at;
  const std::uint64_t size = wanted ? frames.size() : 0;
  s_.node.flow.fetched(key.first, started, size);
  if (!wanted) return;
  page(key.first, key.second, at, error, std::move(frames));
  if (error != Errc::ok) return end_follow(key);
  Following& f = found->second;
  f.fetching = false;
  f.at += size;
  f.credit -= std::min(f.credit, size);
  f.tell_at = s_.node.now + tell_unmatched_every;
  // After an answer from the disk; after an answer from the cache, push() itself goes on.
  if (!pushing_) push(key);
}

/// Touches only the readers below the new end, however many wait at the end.
void Reader::wake() {
  const Offset end = std::max(s_.readable_end(), s_.first());
  for (const WaitingRead& w : waiting_.take_below(end))
    if (!answer_now(w.from, w.request, w.read)) waiting_.add(w);
  // push() changes idle_, so the keys are copied first.
  std::vector<FollowKey> keys;
  for (const auto& [at, key] : idle_) {
    if (at >= end) break;
    keys.push_back(key);
  }
  for (const FollowKey& key : keys) push(key);
}

/// Goes once through the readers that are held now. Reads and follows that are held again go to the
/// end of the queue.
void Reader::resume(ConnectionId connection) {
  for (std::size_t n = held_.contains(connection) ? held_[connection].size() : 0; n > 0; --n) {
    if (s_.node.flow.allowed(connection, 1) == 0) break;
    const Held next = held_[connection].front();
    held_[connection].pop_front();
    if (next.read) {
      start_read(connection, next.request, *next.read);
      continue;
    }
    // A held follow exists: end_follow() removes it from held_.
    const auto f = follows_.find({connection, next.request});
    f->second.held = false;
    push(f->first);
  }
  const auto left = held_.find(connection);
  if (left == held_.end()) return;
  if (left->second.empty()) held_.erase(left);
  else s_.node.flow.hold(connection, s_.id);
}

void Reader::forget(ConnectionId connection) {
  waiting_.forget(connection);
  held_.erase(connection);
  for (auto i = follows_.lower_bound({connection, RequestId{}});
       i != follows_.end() && i->first.first == connection;) {
    idle_.erase({i->second.at, i->first});
    tells_.erase({i->second.in_tells, i->first});
    i = follows_.erase(i);
  }
}

void Reader::end_all(Errc why) {
  for (const WaitingRead& w : waiting_.take_all()) end_read(w.from, w.request, w.read.offset, why);
  for (const auto& [connection, held] : held_)
    for (const Held& h : held)
      if (h.read) end_read(connection, h.request, h.read->offset, why);
  held_.clear();
  for (const auto& [key, f] : follows_) {
    page(key.first, key.second, f.at, why);
    s_.node.flow.leave_follow(key.first, key.second);
  }
  follows_.clear();
  idle_.clear();
  tells_.clear();
}

void Reader::tick() {
  for (const WaitingRead& w : waiting_.take_due(s_.node.now))
    end_read(w.from, w.request, w.read.offset, why_nothing(w.read.offset));
  while (!tells_.empty() && tells_.begin()->first <= s_.node.now) {
    const FollowKey key = tells_.begin()->second;
    tells_.erase(tells_.begin());
    Following& f = follows_.at(key);
    const bool due = f.tell_at <= s_.node.now;
    if (due) f.tell_at = s_.node.now + tell_unmatched_every;
    f.in_tells = f.tell_at;
    tells_.insert({f.in_tells, key});
    // A follower must not wait for ever on a node that has lost its leader, because another replica
    // may have more (spec/06).
    if (due && !f.fetching && !f.held && f.credit > 0 && why_nothing(f.at) == Errc::not_here)
      page(key.first, key.second, f.at, Errc::not_here);
  }
}

Time Reader::next_tick() const {
  return std::min(waiting_.next_deadline(), tells_.empty() ? never : tells_.begin()->first);
}

void Reader::written(Offset at, const Bytes& bytes) {
  s_.node.tail_caches.add(cache_, s_.node.now, at, bytes);
}

void Reader::drop_cache() { s_.node.tail_caches.clear(cache_); }

void Reader::fetch(Offset at, std::uint64_t length, bool exact, Fetched fetched) {
  // A partial answer from the cache is good enough unless the caller needs the whole range.
  Bytes cached = cache_.get(at, length);
  if (!cached.empty() && (!exact || cached.size() == length))
    return fetched(Errc::ok, std::move(cached));
  s_.store.read(at, length, [fetched = std::move(fetched), length](DiskDone&& d) {
    if (d.error != Errc::ok) return fetched(d.error, {});
    if (d.data.empty()) return fetched(Errc::io_error, {});
    if (d.data.size() > length) d.data = d.data.slice(0, length);
    fetched(Errc::ok, std::move(d.data));
  });
}

}  // namespace loglog::storage
