// In the order of a follow's life: subscribing, pages, credit, silence, endings.
#include "sdk/core/followers.h"

#include <algorithm>
#include <utility>

#include "sdk/core/rules.h"

namespace loglog::client {
namespace {
constexpr Duration follow_pause = 20ms;  ///< between attempts to subscribe
constexpr Duration round_pause = 200ms;  ///< after all replicas have failed
/// A follow that begins inside the log checks after this time whether the log reaches its offset,
/// so that a mistaken position fails soon.
constexpr Duration first_look = 200ms;
}  // namespace

void Followers::follow(Time now, Token t, LogId log, Offset from) {
  const auto i = calls_.emplace(t, Call(log, from)).first;
  subscribe(now, t, i->second);
}

void Followers::subscribe(Time now, Token t, Call& f) {
  if (f.is_subscribed() || now < f.due) return;
  f.due = now + follow_pause;
  const LogInfo* info = view_.log(f.log);
  if (info == nullptr) return view_.want_log(now, f.log);
  f.node = choice_.pick(now, info->members, f.tried);
  ConnectionId c = f.node == NodeId{} ? ConnectionId{} : view_.node(now, f.node);
  for (std::size_t i = 0; c == ConnectionId{} && i < info->members.size(); ++i)
    if (!f.tried.contains(info->members[i].node))
      c = view_.node(now, f.node = info->members[i].node);
  if (c == ConnectionId{}) {  // no replica can be asked: start the round over
    f.tried.clear();
    f.reports.clear();
    return;
  }
  f.connection = c;
  f.received = 0;
  // A new subscription has credit for all that the application can take, and for a byte at least,
  // since a node sends nothing without credit.
  const std::uint64_t unread = f.delivered - std::min(f.delivered, f.consumed);
  f.granted = std::max<std::uint64_t>(
      1, options_.follow_credit - std::min<std::uint64_t>(options_.follow_credit, unread));
  f.silent_at = now +
                (f.looked || f.cursor.ask() == Offset{} ? options_.follow_silence : first_look) +
                view_.distance(c);
  f.request = view_.request(
      now, c, Follow{f.log, f.cursor.ask(), static_cast<std::uint32_t>(f.granted)}, Duration::max(),
      [this, t, n = f.node, c](Time at, Message* m) { pushed(at, t, n, c, m); }, true);
}

void Followers::move_on(Time now, Call& f, bool failed) {
  if (f.is_subscribed()) {
    view_.tell(f.connection, f.request, Credit{0});  // ends the stream at the node
    view_.forget(f.connection, f.request);
  }
  f.connection = {};
  f.cursor.drop_partial();
  if (failed) {
    choice_.failed(now, f.node);
    f.tried.insert(f.node);
  }
  const LogInfo* info = view_.log(f.log);
  const bool all = info && std::all_of(info->members.begin(), info->members.end(),
                                       [&f](const Member& m) { return f.tried.contains(m.node); });
  f.due = all ? now + round_pause : now;
  if (!all) return;
  f.tried.clear();
  f.reports.clear();
}

void Followers::fail_over(Time now, Token t, Call& f) {
  move_on(now, f, true);
  subscribe(now, t, f);
}

/// `m`: a page with bytes; a page without bytes and a reason; another refusal; or nullptr.
void Followers::pushed(Time now, Token t, NodeId node, ConnectionId c, Message* m) {
  const auto i = calls_.find(t);
  if (i == calls_.end() || i->second.connection != c) return;
  Call& f = i->second;
  if (m == nullptr) f.connection = {};  // the connection is gone, so nothing is sent on it
  auto* p = m ? std::get_if<Page>(m) : nullptr;
  if (p == nullptr ||
      (p->frames.empty() && p->reason != Errc::trimmed && p->reason != Errc::past_end)) {
    if (p && p->reason == Errc::no_such_log)
      return end(now, t, Failure{Error{Errc::no_such_log, {}}});
    return fail_over(now, t, f);
  }
  f.silent_at = now + options_.follow_silence;
  if (!p->frames.empty()) {
    if (p->offset == f.cursor.ask()) return page(now, t, node, c, *p, f);
    return fail_over(now, t, f);  // bytes of another offset: the stream is out of step
  }
  if constexpr (mutations) {
    if (p->reason == Errc::trimmed && !rules::reports_trimmed_position())
      return skip_trimmed(now, t, f, p->first);
  }
  if (p->reason == Errc::trimmed)
    end(now, t,
        Failure{Error{Errc::trimmed, "the log begins at " + std::to_string(p->first.value)},
                p->first});
}

/// Takes the bytes of a page: gives their entries to the application, or moves on if they do not
/// verify.
void Followers::page(Time now, Token t, NodeId node, ConnectionId c, Page& p, Call& f) {
  f.received += p.frames.size();
  Delivered d;
  const Offset begin = f.cursor.next();
  // Entries may wait long for the application. to_keep() copies a small page, so that it does not
  // keep the whole block that its connection received into.
  const bool good = f.cursor.take(p.frames.to_keep(), p.committed, d.entries);
  d.next = f.cursor.next();
  for (const Entry& e : d.entries) {
    f.delivered += e.next - e.offset;
    view_.figures().followed_bytes += e.payload.size();
  }
  view_.figures().followed_entries += d.entries.size();
  f.reports.taken(view_, f.cursor, begin, c, good);
  // Without entries the page held frames of the log's own, and only the position moves.
  if (d.next != begin) answers_.complete(t, std::move(d), false);
  if (good) {
    f.tried.clear();
    return give_credit(f);
  }
  if (const LogInfo* info = view_.log(f.log); info && f.reports.all_of(*info))
    return end(
        now, t,
        Failure{Error{Errc::not_an_entry, "offset " + std::to_string(f.cursor.next().value)}});
  f.node = node;
  fail_over(now, t, f);
}

/// Gives the replica credit for received bytes, up to follow_credit ahead of the bytes that the
/// application has consumed. Bytes of a partial frame count as consumed, so that a frame may be
/// larger than the window (spec/06).
void Followers::give_credit(Call& f) {
  if (!f.is_subscribed()) return;
  const std::uint64_t unread = f.delivered - std::min(f.delivered, f.consumed);
  const std::uint64_t ahead = f.granted - std::min(f.granted, f.received);
  if (unread + ahead >= options_.follow_credit) return;
  const std::uint64_t give = options_.follow_credit - unread - ahead;
  // Small steps are saved up, so that not every page costs a message.
  if (ahead > 0 && give < options_.follow_credit / 8) return;
  f.granted += give;
  view_.tell(f.connection, f.request, Credit{static_cast<std::uint32_t>(give)});
}

void Followers::consumed(Token t, std::uint64_t bytes) {
  const auto i = calls_.find(t);
  if (i == calls_.end()) return;
  i->second.consumed += bytes;
  give_credit(i->second);
}

/// A silent subscription may mean an idle log, a replica that is cut off, or a position beyond the
/// end. A small read from another replica tells them apart (spec/06).
void Followers::probe(Time now, Token t, Call& f) {
  f.silent_at = now + options_.follow_silence;
  const LogInfo* info = view_.log(f.log);
  if (info == nullptr || f.probing) return;
  const bool first = !std::exchange(f.looked, true);
  NodeId other = choice_.pick(now, info->members, {f.node});
  if (other == NodeId{} && first) other = f.node;  // a log with a single replica
  const ConnectionId c = other == NodeId{} ? ConnectionId{} : view_.node(now, other);
  if (c == ConnectionId{}) return;
  f.probing = true;
  view_.request(now, c, Read{f.log, f.cursor.ask(), frame_overhead, 0}, options_.answer_timeout,
                [this, t, asked = f.cursor.ask()](Time then, Message* m) {
                  const auto i = calls_.find(t);
                  if (i == calls_.end()) return;
                  i->second.probing = false;
                  const auto* p = m ? std::get_if<Page>(m) : nullptr;
                  // Without credit the silence is due to a slow application, not to the replica.
                  const bool starved = i->second.granted <= i->second.received;
                  if (p && p->reason == Errc::past_end && p->committed < asked)
                    return follow_beyond_end(then, t, i->second);
                  if (!p || p->frames.empty() || starved || i->second.cursor.ask() != asked) return;
                  fail_over(then, t, i->second);
                });
}

/// A replica knows no committed bytes up to the follow's offset. The leader's word ends the follow
/// with past_end; without a leader it goes on, because the replica may lag.
void Followers::follow_beyond_end(Time now, Token t, const Call& f) {
  questions_.ask_end(now, f.log, now + options_.answer_timeout,
                     [this, t, asked = f.cursor.ask()](Time then, const TailIs* tail) {
                       const auto i = calls_.find(t);
                       // Entries that came meanwhile prove that the log reaches the offset.
                       if (i == calls_.end() || i->second.cursor.ask() != asked) return;
                       if (tail != nullptr && tail->committed < asked)
                         end(then, t, past_end(tail->committed));
                     });
}

void Followers::end(Time now, Token t, Failure why) {
  const auto i = calls_.find(t);
  if (i == calls_.end()) return;
  move_on(now, i->second, false);
  calls_.erase(i);
  answers_.complete(t, std::move(why));
}

void Followers::stop(Time now, Token t) { end(now, t, Failure{Error{Errc::cancelled, {}}}); }

/// A follow is ended properly, so that its replica stops sending.
void Followers::close(Time now) {
  while (!calls_.empty()) end(now, calls_.begin()->first, Failure{Error{Errc::client_closed, {}}});
}

void Followers::tick(Time now) {
  for (auto& [t, f] : calls_) {
    if (!f.is_subscribed()) subscribe(now, t, f);
    else if (f.silent_at <= now) probe(now, t, f);
  }
}

Time Followers::wake() const {
  Time w = never;
  for (const auto& [t, f] : calls_) w = std::min(w, f.is_subscribed() ? f.silent_at : f.due);
  return w;
}

}  // namespace loglog::client
