// Every answer that names no term leads to another attempt, unless the log takes no appends.
#include "sdk/core/term_session.h"

#include <algorithm>

#include "sdk/core/rules.h"
#include "sdk/core/run.h"

namespace loglog::client {
namespace {
constexpr Duration leader_pause = 10ms;  // between attempts to open the term
}

ConnectionId TermSession::ask(Time now) {
  if (asking_ || now < ask_at_) return {};
  const ConnectionId c = view_.leader(now);
  ask_at_ = now + leader_pause;
  asking_ = c != ConnectionId{};
  return c;
}

Error TermSession::answered(Time now, ConnectionId to, const Message* m) {
  asking_ = false;
  if (m != nullptr && std::holds_alternative<TermIs>(*m)) return {};
  const auto* failed = m ? std::get_if<Failed>(m) : nullptr;
  const auto* refusal = m ? std::get_if<Refused>(m) : nullptr;
  const Errc why = failed ? failed->error : refusal ? refusal->error : Errc::unavailable;
  if (m == nullptr || why == Errc::not_leader)
    view_.not_leader(to, refusal ? refusal->leader : SequencerId{});
  ask_at_ = now + refusal_pause;
  if (why == Errc::no_such_log || why == Errc::log_deleted || why == Errc::log_halted)
    return {why, failed ? failed->detail : ""};
  return {};
}

TermSession::News TermSession::take(ConnectionId from, const TermIs& m, Offset known) {
  if (m.term < term_ || !view_.is_sequencer(from)) return News::ignored;
  leader_ = from;
  if (m.term == term_) return News::same;
  const bool first = term_ == Term{};
  term_ = m.term;
  start_ = rules::resolution_end(m.start, known);
  end_ = m.end;
  return first ? News::first_term : News::next_term;
}

void TermSession::lose(Time now, Duration pause) {
  leader_ = {};
  ask_at_ = std::max(ask_at_, now + pause);
}

}  // namespace loglog::client
