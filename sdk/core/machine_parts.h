// The state behind ClientMachine: its calls under way and the functions that continue them. Private
// to client_machine.cpp and the machine_*.cpp files; each section of Parts names its file.
#pragma once
#include <map>
#include <memory>
#include <optional>

#include "sdk/core/append_pipeline.h"
#include "sdk/core/blame.h"
#include "sdk/core/client_machine.h"
#include "sdk/core/time_search.h"

namespace loglog::client {

/// A read() under way.
struct ReadCall {
  Time deadline;
  LogId log;
  bool alone = false;  ///< a single replica is asked (ReadFrom::replica)
  /// The offset lies beyond the committed offset that a replica knows, so the leader is being asked
  /// for the end of the log. The question ends the call, also at the deadline.
  bool asks_end = false;
  Errc last = Errc::unavailable;  ///< result if the deadline passes
  std::shared_ptr<PageReader> reader;
};

/// An offset_at() or segment_of() under way.
struct TimeCall {
  Time deadline;
  Errc last = Errc::unavailable;  ///< result if the deadline passes
  std::shared_ptr<TimeSearch> search;
};

/// A follow() under way: a sequence of subscriptions, each to a replica (spec/06 "Follow and
/// credit").
struct FollowCall {
  FollowCall(LogId l, Offset from) : log(l), cursor(l, from), blame(l) {}
  LogId log;
  FollowCursor cursor;
  NodeId node{};                              ///< of the current or last subscription
  ConnectionId connection{};                  ///< 0: not subscribed
  RequestId request{};                        ///< of the subscription
  std::uint64_t granted = 0, received = 0;    ///< bytes on this subscription
  std::uint64_t delivered = 0, consumed = 0;  ///< bytes of frames, since follow()
  std::set<NodeId> tried;                     ///< replicas that failed in this round
  Blame blame;
  /// `due`: no new subscription before. `silent_at`: when a silent subscription is compared with
  /// another replica.
  Time due{}, silent_at = never;
  bool probing = false;  ///< that comparison is under way
  bool looked = false;   ///< the first comparison was made: does the log reach the start offset?
};

/// Failure past_end: no entry can begin at the asked offset, because the log ends at `end`.
Failure past_end(Offset end);

/// A question to a node. It is asked again, perhaps of another node, until it is answered or the
/// deadline passes.
struct Question {
  enum class To : std::uint8_t { leader, anybody };
  Message message;
  To to = To::leader;  ///< anybody: the leader if it is known, else any node
  Time deadline;
  Time begun_at{};
  /// Takes an answer. True: the answer ended the call, and the function has completed it. False:
  /// the question is asked again, with a new `message` if the function has set it. Errors with a
  /// retry class (not_leader, unavailable) do not come here.
  std::function<bool(Time, ConnectionId, Message&)> answer;
  bool asked = false;             ///< a request is under way
  bool ours = false;              ///< asked by the core itself: ends without a completion
  bool repeated = false;          ///< an earlier copy got no definite answer and may have been done
  Time due{};                     ///< not asked again before
  Errc last = Errc::unavailable;  ///< result if the deadline passes
};

/// A status() under way.
struct StatusCall {
  ClusterStatus result;
  std::map<SequencerId, bool> asked;  ///< true: request under way; false: answered, or timed out
  bool logs = false;                  ///< ask for the list of logs
  Time begun_at{}, deadline{};
  std::optional<Time> known_at;  ///< when the list of sequencers became known
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
  /// Fails a call whose deadline has passed. With `unavailable` the text names the nodes that could
  /// not be reached, and the causes.
  void fail_late(Token t, Errc e) {
    const std::string whom = e == Errc::unavailable ? view.failures() : std::string();
    Failure late{Error{e, "the deadline passed" + (whom.empty() ? whom : "; " + whom)}};
    late.timed_out = true;
    complete(t, std::move(late));
  }

  // machine_reads.cpp
  void read_step(Time now, Token t, PageReader::Step&& s);
  /// Subscribes at a replica, unless a subscription or a pause lasts.
  void subscribe(Time now, Token t, FollowCall& f);
  /// Takes a page of a subscription; nullptr: its connection is gone. May end the call.
  void pushed(Time now, Token t, NodeId node, ConnectionId c, Message* m);
  /// Ends the subscription; `failed`: the replica is not asked again in this round.
  void move_on(Time now, FollowCall& f, bool failed);
  void end_follow(Token t, Errc why, std::string detail, Offset begins = {});
  void end_follow(Token t, Failure why);
  /// Only in the mutation build: tests/simulator/mutants.
  void skip_trimmed(Time now, Token t, FollowCall& f, Offset begins);
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
  Random change_ids;  ///< separate, so that a change of metadata does not shift the other draws
  BootId boot;
  Output out;
  Time now{};               ///< of the step under way
  std::uint64_t bytes = 0;  ///< in flight, all pipelines together
  bool closed = false;
  ClusterView view;
  ReplicaChoice choice;
  std::map<LogId, std::unique_ptr<AppendPipeline>> pipelines;
  std::map<Token, ReadCall> reads;
  /// Where the entries of the last read of each log ended. A frame begins there, so bytes that do
  /// not verify at that offset are damage and not a wrong offset.
  std::map<LogId, Offset> read_through;
  std::map<Token, FollowCall> follows;
  std::map<Token, TimeCall> times;
  std::map<Token, Question> questions;
  std::uint64_t own_questions = 0;  ///< counter for the tokens of Question::ours
  std::map<Token, StatusCall> statuses;
};

}  // namespace loglog::client
