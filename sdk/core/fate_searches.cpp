// A call goes around: it learns up to where to read, reads there, and rests. It leaves the circle
// with the entry, with a proof of absence, with a reason that is final, or at its deadline.
#include "sdk/core/fate_searches.h"

#include <algorithm>
#include <utility>

#include "sdk/core/rules.h"

namespace loglog::client {
namespace {
constexpr Duration look_pause = 100ms;  ///< between looks at a log whose term has not changed
constexpr const char* commit_open = "a commit of the entry is still under way";
constexpr const char* term_lasts =
    "the log's term has not changed since, so a late commit may still come";
constexpr const char* no_leader = "no leader told the log's term";
}  // namespace

void FateSearches::resolve(Time now, Token t, LogId log, const EntryName& entry, Time deadline) {
  const auto i = calls_.emplace(t, Call(log, entry, deadline)).first;
  look(now, t, i->second);
}

/// Begins a round, unless a round or a pause lasts. May end the call.
void FateSearches::look(Time now, Token t, Call& c) {
  if (c.reader) return c.reader->poll(now);
  if (c.asks || now < c.due) return;
  const auto own = producers_.knows(c.log, c.entry);
  switch (own.fate) {
    case AppendPipeline::Knowledge::Fate::open:  // the pipeline settles it, in this term or the
                                                 // next
      c.open = commit_open;
      return;
    case AppendPipeline::Knowledge::Fate::known:
      return read(now, t, c, own.until, true);
    case AppendPipeline::Knowledge::Fate::nothing:
      return ask_tail(now, t, c);
  }
}

/// The entry is of another client, or of a run that was let go. Its Commit may still be on its way
/// to a leader, but only to a leader of the Commit's own term. So a later term makes absence final
/// (A4), and the tail of that term covers all entries of earlier terms (R2).
void FateSearches::ask_tail(Time now, Token t, Call& c) {
  c.asks = true;
  questions_.ask_end(now, c.log, std::min(c.deadline, now + options_.answer_timeout),
                     [this, t](Time then, const TailIs* tail) {
                       const auto i = calls_.find(t);
                       if (i == calls_.end()) return;
                       Call& call = i->second;
                       call.asks = false;
                       // Without a leader the entry may still be found: reads need no sequencer.
                       if (tail == nullptr) {
                         call.open = no_leader;
                         return read(then, t, call, no_offset, false);
                       }
                       const bool is_later = tail->term > call.entry.term;
                       call.open = term_lasts;
                       read(then, t, call, tail->committed, is_later);
                     });
}

/// Reads on up to `until`. May end the call.
void FateSearches::read(Time now, Token t, Call& c, Offset until, bool is_final) {
  c.until = until;
  c.is_final = is_final;
  if (c.next >= until) return is_final ? absent(t, c) : pause(now, c);
  c.reader = std::make_shared<PageReader>(
      options_, view_, choice_, c.log, c.next, until, page_size_default, 100ms,
      [this, t](Time at, PageReader::Step&& s) { step(at, t, s); });
  const auto reader = c.reader;  // a step may end the call
  reader->poll(now);
}

/// Takes a page. A producer's entries stand in the order of their numbers, so that a higher number
/// ends the search: the entry does not stand behind it.
void FateSearches::step(Time now, Token t, const PageReader::Step& s) {
  const auto i = calls_.find(t);
  if (i == calls_.end()) return;
  Call& c = i->second;
  for (const Entry& e : s.entries) {
    if (e.producer != c.entry.producer) continue;
    if (e.sequence == c.entry.sequence) return end(t, Resolved{true, e.offset, e.next, e.term});
    if (e.sequence > c.entry.sequence) return absent(t, c);
    c.lower = e.next;
  }
  if (s.reason == Errc::no_such_log || s.reason == Errc::not_an_entry)
    return end(t, Failure{Error{s.reason, "offset " + std::to_string(c.next.value)}});
  if (s.reason == Errc::trimmed && s.first > c.reader->next()) {  // A5: read on behind the trim
    c.clipped = s.first;
    c.reader->jump(s.first);
  }
  c.next = c.reader->next();
  const bool at_end = c.until == no_offset && s.reason == Errc::past_end;
  if (c.next < c.until && !at_end) return c.reader->poll(now);
  if (c.is_final) return absent(t, c);
  pause(now, c);
}

/// The entry is not in the part of the log that was read, and will not come. It may have been in
/// the part that was trimmed (A5).
void FateSearches::absent(Token t, const Call& c) {
  if (rules::may_have_been_trimmed(c.clipped, c.lower))
    return end(t,
               Failure{Error{Errc::outcome_unknown,
                             "the log was trimmed past the place where the entry may have been"}});
  end(t, Resolved{});
}

/// The fate is still open: the call looks again after a pause.
void FateSearches::pause(Time now, Call& c) {
  if (c.reader) c.reader->stop();
  c.reader.reset();
  c.due = now + look_pause;
}

void FateSearches::end(Token t, Completion result) {
  const auto i = calls_.find(t);
  if (i->second.reader) i->second.reader->stop();
  calls_.erase(i);
  answers_.complete(t, std::move(result));
}

void FateSearches::end_late(Token t, const Call& c) {
  if (c.open == nullptr) {
    if (c.reader) c.reader->stop();
    calls_.erase(t);
    return answers_.fail_late(t, Errc::unavailable);
  }
  Failure late{Error{Errc::outcome_unknown, std::string("the deadline passed; ") + c.open}};
  late.timed_out = true;
  end(t, std::move(late));
}

void FateSearches::look_at_all(Time now) {
  for (auto i = calls_.begin(); i != calls_.end();) {
    const auto c = i++;  // the call may end
    if (c->second.deadline <= now) end_late(c->first, c->second);
    else look(now, c->first, c->second);
  }
}

Time FateSearches::next_look() const {
  Time w = never;
  for (const auto& [t, c] : calls_) {
    w = std::min(w, c.deadline);
    if (c.reader) w = std::min(w, c.reader->wake());
    else if (!c.asks && c.open != commit_open) w = std::min(w, c.due);
  }
  return w;
}

void FateSearches::close() {
  for (auto& [t, c] : calls_) {
    if (c.reader) c.reader->stop();
    answers_.fail(t, Errc::client_closed);
  }
  calls_.clear();
}

}  // namespace loglog::client
