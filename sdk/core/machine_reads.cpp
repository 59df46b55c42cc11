// Reads and follows (spec/06). A read is a PageReader and its deadline. A follow subscribes to a
// replica and moves to another when the replica fails, is silent while another has more, or gives
// bad bytes; its position never moves by itself (R1).
#include <algorithm>
#include <utility>

#include "sdk/core/machine_parts.h"
#include "sdk/core/rules.h"

namespace loglog::client {
namespace {
constexpr Duration follow_pause = 20ms;  ///< between attempts to subscribe
constexpr Duration round_pause = 200ms;  ///< after all replicas have failed
/// A follow that begins inside the log checks after this time whether the log reaches its offset,
/// so that a mistaken position fails soon.
constexpr Duration first_look = 200ms;
}  // namespace

void ClientMachine::read(Time now, Token token, LogId log, Offset from, std::uint32_t max_bytes,
                         Duration wait, Time deadline, ReadFrom whom) {
  Parts& p = *parts_;
  p.now = now;
  ++p.view.figures().reads;
  if (p.closed) return p.fail(token, Errc::client_closed);
  auto reader = std::make_shared<PageReader>(
      p.options, p.view, p.choice, log, from, no_offset, std::max(max_bytes, frame_overhead), wait,
      [&p, token](Time at, PageReader::Step&& s) { p.read_step(at, token, std::move(s)); }, whom);
  // A read that continues the last read begins at a frame, so bad bytes there are damage.
  if (const auto known = p.read_through.find(log);
      known != p.read_through.end() && known->second == from)
    reader->trust_begin();
  p.reads[token] = {deadline, log, whom.replica != NodeId{}, false, Errc::unavailable, reader};
  reader->poll(now);
}

/// Takes a step of a read's PageReader: the first entries or the first final reason end the call.
void ClientMachine::Parts::read_step(Time at, Token t, PageReader::Step&& s) {
  const auto i = reads.find(t);
  if (i == reads.end()) return;
  const std::shared_ptr<PageReader> reader = i->second.reader;
  const Offset next = reader->next();
  const auto finish = [&](Completion c) {
    reader->stop();
    reads.erase(i);
    complete(t, std::move(c));
  };
  if (!s.entries.empty()) read_through[i->second.log] = next;
  view.figures().read_entries += s.entries.size();
  for (const Entry& e : s.entries) view.figures().read_bytes += e.payload.size();
  // The replica knows no committed bytes up to the offset: it lags, or the log does not reach
  // there.
  if (s.reason == Errc::past_end && s.committed < next && !i->second.alone)
    return read_beyond_end(at, t, i->second);
  if (!s.entries.empty() || !s.frames.empty() || s.reason == Errc::past_end)
    return finish(Delivered{std::move(s.entries), next, std::move(s.frames)});
  if (s.reason == Errc::ok) return reader->poll(at);  // the page held only term and segment starts
  if (s.reason == Errc::trimmed)
    return finish(Failure{
        Error{Errc::trimmed, "the log begins at " + std::to_string(s.first.value)}, s.first});
  // A named replica that answers has the final word; if it is silent, it is asked until the
  // deadline.
  const bool final_word = i->second.alone && s.reason != Errc::unavailable;
  if (s.reason == Errc::not_an_entry || s.reason == Errc::no_such_log || final_word)
    return finish(Failure{Error{s.reason, "offset " + std::to_string(next.value)}});
  i->second.last = s.reason;
}

/// The offset lies beyond the end that a replica knows. The replica may lag, so the leader decides
/// whether the read fails with past_end. If no leader answers, the read ends as at the committed
/// end, because reads need no sequencer (decision 0035).
void ClientMachine::Parts::read_beyond_end(Time at, Token t, ReadCall& r) {
  r.asks_end = true;
  const Time until = std::min(r.deadline, at + options.answer_timeout);
  ask_end(at, r.log, until, [this, t, next = r.reader->next()](Time, const TailIs* tail) {
    const auto i = reads.find(t);
    if (i == reads.end()) return;
    i->second.reader->stop();
    reads.erase(i);
    if (tail != nullptr && tail->committed < next) complete(t, past_end(tail->committed));
    else complete(t, Delivered{{}, next});
  });
}

/// The same for a follow: the leader's word ends it with past_end; without a leader it goes on.
void ClientMachine::Parts::follow_beyond_end(Time at, Token t, const FollowCall& f) {
  ask_end(at, f.log, at + options.answer_timeout,
          [this, t, asked = f.cursor.ask()](Time, const TailIs* tail) {
            const auto i = follows.find(t);
            // Entries that came meanwhile prove that the log reaches the offset.
            if (i == follows.end() || i->second.cursor.ask() != asked) return;
            if (tail != nullptr && tail->committed < asked)
              end_follow(t, past_end(tail->committed));
          });
}

void ClientMachine::follow(Time now, Token token, LogId log, Offset from) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return p.fail(token, Errc::client_closed);
  const auto i = p.follows.emplace(token, FollowCall(log, from)).first;
  p.subscribe(now, token, i->second);
}

void ClientMachine::Parts::subscribe(Time at, Token t, FollowCall& f) {
  if (f.connection != ConnectionId{} || at < f.due) return;
  f.due = at + follow_pause;
  const LogInfo* info = view.log(f.log);
  if (info == nullptr) return view.want_log(at, f.log);
  f.node = choice.pick(at, info->members, f.tried);
  ConnectionId c = f.node == NodeId{} ? ConnectionId{} : view.node(at, f.node);
  for (std::size_t i = 0; c == ConnectionId{} && i < info->members.size(); ++i)
    if (!f.tried.contains(info->members[i].node)) c = view.node(at, f.node = info->members[i].node);
  if (c == ConnectionId{}) {  // no replica can be asked: start the round over
    f.tried.clear();
    f.blame.clear();
    return;
  }
  f.connection = c;
  f.received = 0;
  // A new subscription has credit for all that the application can take, and for a byte at least,
  // since a node sends nothing without credit.
  const std::uint64_t unread = f.delivered - std::min(f.delivered, f.consumed);
  f.granted = std::max<std::uint64_t>(
      1, options.follow_credit - std::min<std::uint64_t>(options.follow_credit, unread));
  f.silent_at = at +
                (f.looked || f.cursor.ask() == Offset{} ? options.follow_silence : first_look) +
                view.distance(c);
  f.request = view.request(
      at, c, Follow{f.log, f.cursor.ask(), static_cast<std::uint32_t>(f.granted)}, Duration::max(),
      [this, t, n = f.node, c](Time now_, Message* m) { pushed(now_, t, n, c, m); }, true);
}

void ClientMachine::Parts::move_on(Time at, FollowCall& f, bool failed) {
  if (f.connection != ConnectionId{}) {
    view.tell(f.connection, f.request, Credit{0});  // ends the stream at the node
    view.forget(f.connection, f.request);
  }
  f.connection = {};
  f.cursor.drop_partial();
  if (failed) {
    choice.failed(at, f.node);
    f.tried.insert(f.node);
  }
  const LogInfo* info = view.log(f.log);
  const bool all = info && std::all_of(info->members.begin(), info->members.end(),
                                       [&f](const Member& m) { return f.tried.contains(m.node); });
  f.due = all ? at + round_pause : at;
  if (!all) return;
  f.tried.clear();
  f.blame.clear();
}

void ClientMachine::Parts::end_follow(Token t, Errc why, std::string detail, Offset begins) {
  end_follow(t, Failure{Error{why, std::move(detail)}, begins});
}

void ClientMachine::Parts::end_follow(Token t, Failure why) {
  const auto i = follows.find(t);
  if (i == follows.end()) return;
  move_on(now, i->second, false);
  follows.erase(i);
  complete(t, std::move(why));
}

/// `m`: a page with bytes; a page without bytes and a reason; another refusal; or nullptr.
void ClientMachine::Parts::pushed(Time at, Token t, NodeId node, ConnectionId c, Message* m) {
  const auto i = follows.find(t);
  if (i == follows.end() || i->second.connection != c) return;
  FollowCall& f = i->second;
  if (m == nullptr) f.connection = {};  // the connection is gone, so nothing is sent on it
  auto* p = m ? std::get_if<Page>(m) : nullptr;
  if (p == nullptr ||
      (p->frames.empty() && p->reason != Errc::trimmed && p->reason != Errc::past_end)) {
    if (p && p->reason == Errc::no_such_log) return end_follow(t, Errc::no_such_log, {});
    move_on(at, f, true);
    return subscribe(at, t, f);
  }
  f.silent_at = at + options.follow_silence;
  if (p->frames.empty()) {
    if constexpr (mutations) {
      if (p->reason == Errc::trimmed && !rules::reports_trimmed_position())
        return skip_trimmed(at, t, f, p->first);
    }
    if (p->reason == Errc::trimmed)
      end_follow(t, Errc::trimmed, "the log begins at " + std::to_string(p->first.value), p->first);
    return;
  }
  if (p->offset != f.cursor.ask()) {  // bytes of another offset: the stream is out of step
    move_on(at, f, true);
    return subscribe(at, t, f);
  }
  f.received += p->frames.size();
  Delivered d;
  const Offset begin = f.cursor.next();
  // Entries may wait long for the application. to_keep() copies a small page, so that it does not
  // keep the whole block that its connection received into.
  const bool good = f.cursor.take(p->frames.to_keep(), p->committed, d.entries);
  d.next = f.cursor.next();
  for (const Entry& e : d.entries) {
    f.delivered += e.next - e.offset;
    view.figures().followed_bytes += e.payload.size();
  }
  view.figures().followed_entries += d.entries.size();
  f.blame.taken(view, f.cursor, begin, c, good);
  // Without entries the page held frames of the log's own, and only the position moves.
  if (d.next != begin) complete(t, std::move(d), false);
  if (good) {
    f.tried.clear();
    return give_credit(f);
  }
  if (const LogInfo* info = view.log(f.log); info && f.blame.all_of(*info))
    return end_follow(t, Errc::not_an_entry, "offset " + std::to_string(f.cursor.next().value));
  f.node = node;
  move_on(at, f, true);
  subscribe(at, t, f);
}

/// Gives the replica credit for received bytes, up to follow_credit ahead of the bytes that the
/// application has consumed. Bytes of a partial frame count as consumed, so that a frame may be
/// larger than the window (spec/06).
void ClientMachine::Parts::give_credit(FollowCall& f) {
  if (f.connection == ConnectionId{}) return;
  const std::uint64_t unread = f.delivered - std::min(f.delivered, f.consumed);
  const std::uint64_t ahead = f.granted - std::min(f.granted, f.received);
  if (unread + ahead >= options.follow_credit) return;
  const std::uint64_t give = options.follow_credit - unread - ahead;
  // Small steps are saved up, so that not every page costs a message.
  if (ahead > 0 && give < options.follow_credit / 8) return;
  f.granted += give;
  view.tell(f.connection, f.request, Credit{static_cast<std::uint32_t>(give)});
}

/// A silent subscription may mean an idle log, a replica that is cut off, or a position beyond the
/// end. A small read from another replica tells them apart (spec/06).
void ClientMachine::Parts::probe(Time at, Token t, FollowCall& f) {
  f.silent_at = at + options.follow_silence;
  const LogInfo* info = view.log(f.log);
  if (info == nullptr || f.probing) return;
  const bool first = !std::exchange(f.looked, true);
  NodeId other = choice.pick(at, info->members, {f.node});
  if (other == NodeId{} && first) other = f.node;  // a log with a single replica
  const ConnectionId c = other == NodeId{} ? ConnectionId{} : view.node(at, other);
  if (c == ConnectionId{}) return;
  f.probing = true;
  view.request(at, c, Read{f.log, f.cursor.ask(), frame_overhead, 0}, options.answer_timeout,
               [this, t, asked = f.cursor.ask()](Time then, Message* m) {
                 const auto i = follows.find(t);
                 if (i == follows.end()) return;
                 i->second.probing = false;
                 const auto* p = m ? std::get_if<Page>(m) : nullptr;
                 // Without credit the silence is due to a slow application, not to the replica.
                 const bool starved = i->second.granted <= i->second.received;
                 if (p && p->reason == Errc::past_end && p->committed < asked)
                   return follow_beyond_end(then, t, i->second);
                 if (!p || p->frames.empty() || starved || i->second.cursor.ask() != asked) return;
                 move_on(then, i->second, true);
                 subscribe(then, t, i->second);
               });
}

void ClientMachine::consumed(Time now, Token token, std::uint64_t bytes) {
  parts_->now = now;
  const auto i = parts_->follows.find(token);
  if (i == parts_->follows.end()) return;
  i->second.consumed += bytes;
  parts_->give_credit(i->second);
}

void ClientMachine::stop(Time now, Token token) {
  parts_->now = now;
  parts_->end_follow(token, Errc::cancelled, {});
}

/// Ends reads whose deadline has passed, and continues the other reads and all follows.
void ClientMachine::Parts::tick_reads(Time at) {
  for (auto i = reads.begin(); i != reads.end();) {
    const auto r = i++;
    if (r->second.asks_end) continue;  // the question for the tail ends the call
    if (r->second.deadline <= at) {
      const Token t = r->first;
      const Errc why = r->second.reader->doubts_begin() ? Errc::not_an_entry : r->second.last;
      r->second.reader->stop();
      reads.erase(r);
      fail_late(t, why);
    } else {
      r->second.reader->poll(at);
    }
  }
  for (auto& [t, f] : follows) {
    if (f.connection == ConnectionId{}) subscribe(at, t, f);
    else if (f.silent_at <= at) probe(at, t, f);
  }
}

Time ClientMachine::Parts::reads_wake() const {
  Time w = never;
  for (const auto& [t, r] : reads)
    if (!r.asks_end) w = std::min({w, r.deadline, r.reader->wake()});
  for (const auto& [t, f] : follows)
    w = std::min(w, f.connection == ConnectionId{} ? f.due : f.silent_at);
  return w;
}

}  // namespace loglog::client
