#include "storage-node/core/reader.h"

#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {
namespace {
constexpr Duration tell_unmatched_every = 1s;
}

void Reader::page(ConnectionId to, RequestId request, Offset at, Errc reason, Bytes frames) {
  s_.node.send(to, request, Page{s_.id, at, s_.first(), s_.committed, reason, std::move(frames)});
}

std::uint64_t Reader::available(Offset at, std::uint64_t max) const {
  if (s_.segments.empty() || at < s_.segments.front()) return 0;
  const Offset end = std::min(s_.readable_end(), s_.segments.end_of(at, s_.readable_end()));
  return at < end ? std::min<std::uint64_t>(std::min<std::uint64_t>(max, page_size_max), end - at) : 0;
}

Errc Reader::why_nothing(Offset at) const {
  if (at < s_.first_kept()) return s_.front_gone ? Errc::corrupt : Errc::not_here;  // K3: another replica has it
  if (removed(Rule::R1_lagging)) return Errc::past_end;
  if (at < s_.committed || at < s_.leader_committed) return Errc::not_here;  // a hole, or this node lags (R1)
  return s_.is_matched() ? Errc::past_end : Errc::not_here;                  // only a matched node knows the end
}

bool Reader::answer_now(ConnectionId from, RequestId request, const Read& m) {
  if (m.offset < s_.first()) {
    page(from, request, m.offset, Errc::trimmed);
    return true;
  }
  const std::uint64_t n = available(m.offset, m.max_bytes == 0 ? page_size_default : m.max_bytes);
  if (n == 0) return false;
  fetch(m.offset, n, false, [this, from, request, at = m.offset](Errc error, Bytes b) { page(from, request, at, error, std::move(b)); });
  return true;
}

void Reader::read(ConnectionId from, RequestId request, const Read& m) {
  if (answer_now(from, request, m)) return;
  const bool hopeless = m.offset < s_.committed || m.offset < s_.first_kept();
  if (m.wait_ms == 0 || hopeless) return page(from, request, m.offset, why_nothing(m.offset));
  const Time deadline = s_.node.now + std::chrono::milliseconds(std::min<std::uint32_t>(m.wait_ms, 600'000));
  waiting_.push_back({from, request, m, deadline});
  s_.node.wake_at(s_.id, deadline);
}

void Reader::follow(ConnectionId from, RequestId request, const Follow& m) {
  follows_[{from, request}] = Following{m.offset, m.credit, false, s_.node.now + tell_unmatched_every};
  s_.node.wake_at(s_.id, s_.node.now + tell_unmatched_every);
  push({from, request});
}

void Reader::credit(ConnectionId from, RequestId request, std::uint32_t bytes) {
  const auto it = follows_.find({from, request});
  if (it == follows_.end()) return;
  if (bytes == 0) {
    follows_.erase(it);
    return;
  }
  it->second.credit += bytes;
  push({from, request});
}

SegmentsAre Reader::segments(Offset from) const {
  SegmentsAre out{s_.id, s_.first(), s_.committed, {}, {}};
  const std::vector<Offset>& firsts = s_.segments.firsts();
  auto next = std::upper_bound(firsts.begin(), firsts.end(), from);
  if (next != firsts.begin()) --next;
  for (; next != firsts.end() && *next < s_.readable_end() && out.begins.size() < segments_listed_max; ++next) out.begins.push_back(*next);
  if (out.begins.empty()) return out;
  const Offset end = next == firsts.end() ? s_.readable_end() : std::min(*next, s_.readable_end());
  for (const TermStart& t : s_.terms)
    // The log's first term begins with its first segment.
    if (t.offset > out.begins.front() && t.offset < end && !std::binary_search(firsts.begin(), firsts.end(), t.offset))
      out.terms.push_back(t.offset);
  return out;
}

void Reader::push(FollowKey key) {
  for (;;) {
    const auto it = follows_.find(key);
    if (it == follows_.end() || it->second.fetching || it->second.credit == 0) return;
    Following& f = it->second;
    if (f.at < s_.first()) {
      page(key.first, key.second, f.at, Errc::trimmed);
      follows_.erase(it);
      return;
    }
    const std::uint64_t n = available(f.at, std::min<std::uint64_t>(f.credit, page_size_default));
    if (n == 0 && f.at < s_.first_kept()) {
      page(key.first, key.second, f.at, why_nothing(f.at));
      follows_.erase(it);
      return;
    }
    if (n == 0) return;
    f.fetching = true;
    pushing_ = true;
    fetch(f.at, n, false, [this, key, at = f.at](Errc error, Bytes b) {
      const auto found = follows_.find(key);
      if (found == follows_.end() || !found->second.fetching || found->second.at != at) return;
      const std::uint64_t size = b.size();
      page(key.first, key.second, at, error, std::move(b));
      if (error != Errc::ok) {
        follows_.erase(found);
        return;
      }
      Following& g = found->second;
      g.fetching = false;
      g.at += size;
      g.credit -= std::min(g.credit, size);
      g.tell_at = s_.node.now + tell_unmatched_every;
      if (!pushing_) push(key);  // answered by the disk; from the cache the loop outside goes on
    });
    pushing_ = false;
    const auto after = follows_.find(key);
    if (after == follows_.end() || after->second.fetching) return;
  }
}

void Reader::wake() {
  std::vector<Waiting> waiting;
  waiting.swap(waiting_);
  for (const Waiting& w : waiting)
    if (!answer_now(w.from, w.request, w.read)) waiting_.push_back(w);
  std::vector<FollowKey> keys;
  for (const auto& [key, f] : follows_)
    if (f.credit > 0 && !f.fetching) keys.push_back(key);
  for (const FollowKey& key : keys) push(key);
}

void Reader::forget(ConnectionId connection) {
  std::erase_if(waiting_, [&](const Waiting& w) { return w.from == connection; });
  std::erase_if(follows_, [&](const auto& f) { return f.first.first == connection; });
}

void Reader::end_all(Errc why) {
  for (const Waiting& w : waiting_) page(w.from, w.request, w.read.offset, why);
  for (const auto& [key, f] : follows_) page(key.first, key.second, f.at, why);
  waiting_.clear();
  follows_.clear();
}

void Reader::tick() {
  std::erase_if(waiting_, [&](const Waiting& w) {
    if (w.deadline > s_.node.now) return false;
    page(w.from, w.request, w.read.offset, why_nothing(w.read.offset));
    return true;
  });
  for (auto& [key, f] : follows_) {
    if (f.tell_at > s_.node.now) continue;
    f.tell_at = s_.node.now + tell_unmatched_every;
    // A follower must not wait for ever on a node that has lost its leader: another replica may have more.
    if (!f.fetching && f.credit > 0 && why_nothing(f.at) == Errc::not_here) page(key.first, key.second, f.at, Errc::not_here);
  }
}

Time Reader::next_tick() const {
  Time t = never;
  for (const Waiting& w : waiting_) t = std::min(t, w.deadline);
  for (const auto& [key, f] : follows_) t = std::min(t, f.tell_at);
  return t;
}

void Reader::written(Offset at, const Bytes& bytes) {
  const std::uint64_t before = cache_.bytes();
  const std::uint64_t others = s_.node.cached_bytes - before;
  const std::uint64_t left = s_.node.options.tail_cache_bytes_node > others ? s_.node.options.tail_cache_bytes_node - others : 0;
  cache_.add(at, bytes, std::min(s_.node.options.tail_cache_bytes, left));
  s_.node.cached_bytes = others + cache_.bytes();
}

void Reader::drop_cache() {
  s_.node.cached_bytes -= cache_.bytes();
  cache_.clear();
}

void Reader::fetch(Offset at, std::uint64_t length, bool exact, Fetched fetched) {
  Bytes cached = cache_.get(at, length);
  if (!cached.empty() && (!exact || cached.size() == length)) return fetched(Errc::ok, std::move(cached));
  const Offset file = s_.segments.holding(at);
  s_.node.disk(ReadSegment{s_.id, file, segment_header_size + (at - file), static_cast<std::uint32_t>(length)},
               [fetched = std::move(fetched), length](DiskDone&& d) {
                 if (d.error != Errc::ok) return fetched(d.error, {});
                 if (d.data.empty()) return fetched(Errc::io_error, {});
                 if (d.data.size() > length) d.data = d.data.slice(0, length);
                 fetched(Errc::ok, std::move(d.data));
               });
}

}  // namespace loglog::storage
