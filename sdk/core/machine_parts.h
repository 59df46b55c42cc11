// What ClientMachine is made of.
#pragma once
#include <map>
#include <memory>
#include <optional>

#include "sdk/core/append_pipeline.h"
#include "sdk/core/blame.h"
#include "sdk/core/time_search.h"

namespace loglog::client {

struct ReadCall {
  Time deadline;
  LogId log;
  bool alone = false;  ///< one replica is asked, no other
  bool asks_end =
      false;  ///< it lies beyond all that a replica knows: the leader is asked where the log ends
  Errc last = Errc::unavailable;
  std::shared_ptr<PageReader> reader;
};

struct TimeCall {
  Time deadline;
  Errc last = Errc::unavailable;
  std::shared_ptr<TimeSearch> search;
};

/// A subscription.
struct FollowCall {
  FollowCall(LogId l, Offset from) : log(l), cursor(l, from), blame(l) {}
  LogId log;
  FollowCursor cursor;
  NodeId node{};
  ConnectionId connection{};  ///< 0: not subscribed
  RequestId request{};
  std::uint64_t granted = 0, received = 0;    ///< on this subscription
  std::uint64_t delivered = 0, consumed = 0;  ///< by the application, in all
  std::set<NodeId> tried;
  Blame blame;
  Time due{}, silent_at = never;
  bool probing = false;
  bool looked = false;  ///< whether the log reaches to where it began
};

/// The position is nobody's.
Failure past_end(Offset end);

/// A question to one node that is asked until it is answered or the deadline passes.
struct Question {
  enum class To : std::uint8_t { leader, anybody };
  Message message;
  To to = To::leader;
  Time deadline;
  Time begun_at{};
  /// Whether that answer ends the call (then it has completed it). Not asked for not_leader and the
  /// like.
  std::function<bool(Time, ConnectionId, Message&)> answer;
  bool asked = false;
  bool ours = false;      ///< no call of the application: it ends without a completion
  bool repeated = false;  ///< it was sent before, to somebody who may have done it
  Time due{};
  Errc last = Errc::unavailable;
};

struct StatusCall {
  ClusterStatus result;
  std::map<SequencerId, bool> asked;  ///< false: answered
  bool logs = false;
  Time begun_at{}, deadline{};
  std::optional<Time> known_at;  ///< when the sequencers were known
};

struct ClientMachine::Parts {
  Parts(Options o, std::uint64_t seed)
      : options(std::move(o)),
        random(seed),
        change_ids(~seed),
        boot{random.next_id()},
        view(options, random, out),
        choice(options.preferred_node) {}

  void complete(Token t, Completion c, bool last = true) {
    out.completed.push_back({t, std::move(c), last});
  }
  void fail(Token t, Errc e, std::string detail = {}) {
    complete(t, Failure{Error{e, std::move(detail)}});
  }
  /// A call whose deadline has passed: who could not be reached, and why, belongs to the answer.
  void fail_late(Token t, Errc e) {
    const std::string whom = e == Errc::unavailable ? view.failures() : std::string();
    fail(t, e, "the deadline passed" + (whom.empty() ? whom : "; " + whom));
  }

  // machine_reads.cpp
  void read_step(Time now, Token t, PageReader::Step&& s);
  void subscribe(Time now, Token t, FollowCall& f);
  void pushed(Time now, Token t, NodeId node, ConnectionId c, Message* m);
  void move_on(Time now, FollowCall& f, bool failed);
  void end_follow(Token t, Errc why, std::string detail, Offset begins = {});
  void end_follow(Token t, Failure why);
  void read_beyond_end(Time now, Token t, ReadCall& r);
  void follow_beyond_end(Time now, Token t, const FollowCall& f);
  void give_credit(FollowCall& f);
  void probe(Time now, Token t, FollowCall& f);
  void tick_reads(Time now);
  Time reads_wake() const;

  // machine_times.cpp
  void time_step(Token t, Errc e, Offset found);
  void tick_times(Time now);
  void close_times();
  Time times_wake() const;

  // machine_questions.cpp
  void ask(Time now, Token t, Message m, Time deadline,
           std::function<bool(Time, ConnectionId, Message&)> answer,
           Question::To to = Question::To::leader);
  void ask_end(Time now, LogId log, Time until, std::function<void(Time, const TailIs*)> told);
  void change(Time now, Token t, std::function<Message(const Basis&)> request, Time deadline,
              std::function<bool(const Message&)> succeeded);
  void poll(Time now, Token t, Question& q);
  void tick_questions(Time now);
  Time questions_wake() const;
  Time status_ends(const StatusCall& s) const;
  void dial_for(const LogInfo& log);
  void poll_status(Time now, Token t, StatusCall& s);

  const Options options;
  Random random;
  Random change_ids;  ///< of its own, so that a change moves no other draw
  BootId boot;
  Output out;
  Time now{};
  BlockPool blocks;
  std::uint64_t bytes = 0;
  bool closed = false;
  ClusterView view;
  ReplicaChoice choice;
  std::map<LogId, std::unique_ptr<AppendPipeline>> pipelines;
  std::map<Token, ReadCall> reads;
  std::map<LogId, Offset>
      read_through;  ///< where the entries of the last read ended: another entry begins there
  std::map<Token, FollowCall> follows;
  std::map<Token, TimeCall> times;
  std::map<Token, Question> questions;
  std::uint64_t own_questions = 0;
  std::map<Token, StatusCall> statuses;
};

}  // namespace loglog::client
