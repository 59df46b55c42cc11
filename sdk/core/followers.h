// The application's follow() calls: each is a sequence of subscriptions to replicas (spec/06
// "Follow and credit"). A follow moves to another replica when its replica fails, is silent while
// another has more, or gives bad bytes; its position never moves by itself (R1). Used by
// ClientMachine.
#pragma once
#include <map>
#include <set>

#include "sdk/core/answers.h"
#include "sdk/core/damage_reports.h"
#include "sdk/core/options.h"
#include "sdk/core/questions.h"
#include "sdk/core/replica_choice.h"

namespace loglog::client {

/// Owns the follows under way. Decides which replica each is subscribed at, and how far the replica
/// may push.
class Followers {
 public:
  /// All references must outlive this object.
  Followers(const Options& options, ClusterView& view, ReplicaChoice& choice, Answers& answers,
            Questions& questions)
      : options_(options), view_(view), choice_(choice), answers_(answers), questions_(questions) {}

  void follow(Time now, Token t, LogId log, Offset from);
  /// The application is done with `bytes` of frames.
  void consumed(Token t, std::uint64_t bytes);
  /// Ends a follow with Failure cancelled.
  void stop(Time now, Token t);
  /// Subscribes follows that have no replica, and looks after silent subscriptions.
  void tick(Time now);
  Time wake() const;
  /// Fails all follows with client_closed, and ends their streams at the replicas.
  void close(Time now);

 private:
  struct Call {
    Call(LogId l, Offset from) : log(l), cursor(l, from), reports(l) {}
    LogId log;
    FollowCursor cursor;
    NodeId node{};                              // of the current or last subscription
    ConnectionId connection{};                  // 0: not subscribed
    RequestId request{};                        // of the subscription
    std::uint64_t granted = 0, received = 0;    // bytes on this subscription
    std::uint64_t delivered = 0, consumed = 0;  // bytes of frames, since follow()
    std::set<NodeId> tried;                     // replicas that failed in this round
    DamageReports reports;
    // `due`: no new subscription before. `silent_at`: when a silent subscription is compared with
    // another replica.
    Time due{}, silent_at = never;
    bool probing = false;  // that comparison is under way
    bool looked = false;   // the first comparison was made: does the log reach the start offset?
    bool is_subscribed() const { return connection != ConnectionId{}; }
  };
  /// Subscribes at a replica, unless a subscription or a pause lasts.
  void subscribe(Time now, Token t, Call& f);
  /// Takes a page of a subscription; nullptr: its connection is gone. May end the call.
  void pushed(Time now, Token t, NodeId node, ConnectionId c, Message* m);
  void page(Time now, Token t, NodeId node, ConnectionId c, Page& p, Call& f);
  /// Ends the subscription; `failed`: the replica is not asked again in this round.
  void move_on(Time now, Call& f, bool failed);
  /// Moves on, and subscribes at another replica.
  void fail_over(Time now, Token t, Call& f);
  void end(Time now, Token t, Failure why);
  /// Only in the mutation build: tests/simulator/mutants.
  void skip_trimmed(Time now, Token t, Call& f, Offset begins);
  void follow_beyond_end(Time now, Token t, const Call& f);
  void give_credit(Call& f);
  void probe(Time now, Token t, Call& f);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Answers& answers_;
  Questions& questions_;
  std::map<Token, Call> calls_;
};

}  // namespace loglog::client
