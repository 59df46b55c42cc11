// Questions to the cluster: a request that is repeated, perhaps to another node, until an answer
// ends it or its deadline passes. Calls of the application ask them through ClusterCalls; reads and
// follows ask for the end of a log.
#pragma once
#include <functional>
#include <map>
#include <variant>

#include "sdk/core/answers.h"
#include "sdk/core/cluster_view.h"
#include "sdk/core/options.h"

namespace loglog::client {

/// Owns the questions under way. Decides when a question is asked, and of which node.
class Questions {
 public:
  enum class To : std::uint8_t { leader, anybody };  ///< anybody: the leader if it is known
  /// ended: the call has its completion. again: the same question is asked after a pause. A
  /// message: it is asked at once, in place of the former.
  struct Ended {};
  struct Again {};
  using Next = std::variant<Ended, Again, Message>;
  /// An answer of the node at the other end of `from`. `repeated`: an earlier copy of the message
  /// got no definite answer and may have been done. Errors with a retry class (not_leader,
  /// unavailable) do not come here.
  using OnAnswer = std::function<Next(Time, ConnectionId from, Message&, bool repeated)>;

  /// All references must outlive this object.
  Questions(const Options& options, ClusterView& view, Answers& answers)
      : options_(options), view_(view), answers_(answers) {}

  /// Begins the question of a call. At its deadline the call fails with the last temporary reason.
  void ask(Time now, Token t, Message m, Time deadline, OnAnswer on_answer, To to = To::leader);
  /// Asks the leader for the tail on behalf of a read or a follow. Calls `told` with the answer, or
  /// with nullptr if no leader answered by `until`. Completes no call of the application.
  void ask_end(Time now, LogId log, Time until, std::function<void(Time, const TailIs*)> told);

  /// Ends questions that are due, and continues the others.
  void tick(Time now);
  Time wake() const;
  /// Fails all calls with client_closed.
  void close();

 private:
  struct Question {
    Message message;
    To to = To::leader;
    Time deadline;
    Time begun_at{};
    OnAnswer on_answer;
    bool asked = false;             // a request is under way
    bool ours = false;              // asked by the core itself: ends without a completion
    bool repeated = false;          // see OnAnswer
    Time due{};                     // not asked again before
    Errc last = Errc::unavailable;  // result if the deadline passes
  };
  using Table = std::map<Token, Question>;

  void poll(Time now, Token t, Question& q);
  void answered(Time now, Token t, ConnectionId from, Message* m);
  Question take_out(Table::iterator q);

  const Options& options_;
  ClusterView& view_;
  Answers& answers_;
  Table questions_;
  std::uint64_t own_questions_ = 0;  // counter for the tokens of Question::ours
};

}  // namespace loglog::client
