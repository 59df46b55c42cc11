// The first entries or the first final reason end a read; every other reason is remembered for the
// deadline.
#include "sdk/core/reads.h"

#include <algorithm>
#include <utility>

namespace loglog::client {

void Reads::read(Time now, Token t, LogId log, Offset from, std::uint32_t max_bytes, Duration wait,
                 Time deadline, ReadFrom whom) {
  auto reader = std::make_shared<PageReader>(
      options_, view_, choice_, log, from, no_offset, std::max(max_bytes, frame_overhead), wait,
      [this, t](Time at, PageReader::Step&& s) { step(at, t, std::move(s)); }, whom);
  // A read that continues the last read begins at a frame, so bad bytes there are damage.
  if (const auto known = read_through_.find(log);
      known != read_through_.end() && known->second == from)
    reader->trust_begin();
  calls_[t] = {deadline, log, whom.replica != NodeId{}, false, Errc::unavailable, reader};
  reader->poll(now);
}

/// Takes a step of a read's PageReader: the first entries or the first final reason end the call.
void Reads::step(Time now, Token t, PageReader::Step&& s) {
  const auto i = calls_.find(t);
  if (i == calls_.end()) return;
  const std::shared_ptr<PageReader> reader = i->second.reader;
  const Offset next = reader->next();
  const auto finish = [&](Completion c) {
    reader->stop();
    calls_.erase(i);
    answers_.complete(t, std::move(c));
  };
  if (!s.entries.empty()) read_through_[i->second.log] = next;
  view_.figures().read_entries += s.entries.size();
  for (const Entry& e : s.entries) view_.figures().read_bytes += e.payload.size();
  // The replica knows no committed bytes up to the offset: it lags, or the log does not reach
  // there.
  if (s.reason == Errc::past_end && s.committed < next && !i->second.alone)
    return read_beyond_end(now, t, i->second);
  if (!s.entries.empty() || !s.frames.empty() || s.reason == Errc::past_end)
    return finish(Delivered{std::move(s.entries), next, std::move(s.frames)});
  if (s.reason == Errc::ok) return reader->poll(now);  // only term and segment starts
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
void Reads::read_beyond_end(Time now, Token t, Call& c) {
  c.asks_end = true;
  const Time until = std::min(c.deadline, now + options_.answer_timeout);
  questions_.ask_end(now, c.log, until,
                     [this, t, next = c.reader->next()](Time, const TailIs* tail) {
                       const auto i = calls_.find(t);
                       if (i == calls_.end()) return;
                       i->second.reader->stop();
                       calls_.erase(i);
                       if (tail != nullptr && tail->committed < next)
                         answers_.complete(t, past_end(tail->committed));
                       else answers_.complete(t, Delivered{{}, next});
                     });
}

void Reads::tick(Time now) {
  for (auto i = calls_.begin(); i != calls_.end();) {
    const auto r = i++;
    if (r->second.asks_end) continue;  // the question for the tail ends the call
    if (r->second.deadline > now) {
      r->second.reader->poll(now);
      continue;
    }
    const Token t = r->first;
    const Errc why = r->second.reader->doubts_begin() ? Errc::not_an_entry : r->second.last;
    r->second.reader->stop();
    calls_.erase(r);
    answers_.fail_late(t, why);
  }
}

Time Reads::wake() const {
  Time w = never;
  for (const auto& [t, r] : calls_)
    if (!r.asks_end) w = std::min({w, r.deadline, r.reader->wake()});
  return w;
}

void Reads::close() {
  for (auto& [t, r] : calls_) {
    r.reader->stop();
    answers_.fail(t, Errc::client_closed);
  }
  calls_.clear();
}

}  // namespace loglog::client
