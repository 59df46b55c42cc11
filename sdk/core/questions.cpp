// A request that got no definite answer may have been done all the same. Question::repeated records
// that, so that a change of the metadata knows which answers are definite (T6).
#include "sdk/core/questions.h"

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/check.h"

namespace loglog::client {
namespace {
constexpr Duration ask_pause = 20ms;  // between attempts of a question
}

/// The question goes out at once if a node can be asked.
void Questions::ask(Time now, Token t, Message m, Time deadline, OnAnswer on_answer, To to) {
  Question q;
  q.message = std::move(m);
  q.to = to;
  q.deadline = deadline;
  q.begun_at = now;
  q.on_answer = std::move(on_answer);
  poll(now, t, questions_.insert_or_assign(t, std::move(q)).first->second);
}

/// A token of its own keeps the question apart from the call that it serves, which has the call's
/// token in the table of its part.
void Questions::ask_end(Time now, LogId log, Time until,
                        std::function<void(Time, const TailIs*)> told) {
  constexpr std::uint64_t own_bit = 1ull << 62;  // keeps these tokens apart from those of calls
  const Token t{own_bit | ++own_questions_};
  Question q;
  q.message = GetTail{log};
  q.deadline = until;
  q.ours = true;
  q.on_answer = [told = std::move(told)](Time then, ConnectionId, Message& m, bool) {
    told(then, std::get_if<TailIs>(&m));
    return Ended{};
  };
  poll(now, t, questions_.insert_or_assign(t, std::move(q)).first->second);
}

/// Sends the question if it is due and a node can be asked.
void Questions::poll(Time now, Token t, Question& q) {
  if (q.asked || now < q.due) return;
  q.due = now + ask_pause;
  ConnectionId c = view_.leader(now);
  if (c == ConnectionId{} && q.to == To::anybody) c = view_.any(now);
  if (c == ConnectionId{}) return;
  q.asked = true;
  view_.request(now, c, q.message, options_.answer_timeout,
                [this, t, c](Time then, Message* m) { answered(then, t, c, m); });
}

/// `m`: nullptr if the answer was lost. A lost answer or a temporary error makes the question due
/// again.
void Questions::answered(Time now, Token t, ConnectionId from, Message* m) {
  const auto i = questions_.find(t);
  if (i == questions_.end()) return;
  Question& q = i->second;
  q.asked = false;
  q.due = now + ask_pause;
  const auto* failed = m ? std::get_if<Failed>(m) : nullptr;
  if (m == nullptr) {
    q.repeated = true;
    return view_.not_leader(from, {});
  }
  if (failed && retry_of(failed->error) != Retry::no) {
    q.repeated = true;
    if (failed->error == Errc::not_leader) view_.not_leader(from, {});
    else q.last = failed->error;
    return;
  }
  const OnAnswer on_answer = q.on_answer;  // a copy: the handler may ask other questions
  Next next = on_answer(now, from, *m, q.repeated);
  if (std::holds_alternative<Ended>(next)) {
    questions_.erase(t);
  } else if (auto* message = std::get_if<Message>(&next)) {
    q.message = std::move(*message);
    q.repeated = false;
    q.due = now;
  }
}

/// A question leaves the table before its call ends, so that no late answer finds it.
Questions::Question Questions::take_out(Table::iterator q) {
  Question ended = std::move(q->second);
  questions_.erase(q);
  return ended;
}

/// Late: the deadline has passed. Hopeless: no node ever answered, every address has failed, and
/// the options say that the client does not wait for a cluster to appear.
void Questions::tick(Time now) {
  for (auto i = questions_.begin(); i != questions_.end();) {
    const auto q = i++;
    const Token t = q->first;
    const bool is_late = q->second.deadline <= now;
    const bool is_hopeless = !is_late && !options_.wait_for_cluster && view_.all_refused() &&
                             q->second.begun_at + options_.refused_patience <= now;
    if (!is_late && !is_hopeless) {
      poll(now, t, q->second);
      continue;
    }
    const Question ended = take_out(q);
    if (ended.ours) {
      Message none = Failed{is_late ? ended.last : Errc::unavailable, {}};
      ended.on_answer(now, {}, none, false);
    } else if (is_late) {
      answers_.fail_late(t, ended.last);
    } else {
      answers_.fail(t, Errc::unavailable, view_.failures());
    }
  }
}

Time Questions::wake() const {
  Time w = never;
  for (const auto& [t, q] : questions_) {
    w = std::min({w, q.deadline, q.asked ? never : q.due});
    if (!options_.wait_for_cluster && view_.all_refused())
      w = std::min(w, q.begun_at + options_.refused_patience);
  }
  return w;
}

void Questions::close() {
  for (const auto& [t, q] : questions_)
    if (!q.ours) answers_.fail(t, Errc::client_closed);
  questions_.clear();
}

}  // namespace loglog::client
