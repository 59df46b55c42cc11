// The state of a run's upload at each replica of its log. Pure bookkeeping: AppendPipeline sends
// the messages.
#pragma once
#include <algorithm>
#include <vector>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

class ReplicaUploads {
 public:
  /// wanted: to be sent, at first or again. sent: no answer yet. taken: the node staged the run.
  /// dropped: not worth sending any more.
  enum class State : std::uint8_t { wanted, sent, taken, dropped };
  struct Target {
    NodeId node;
    State state = State::wanted;
    ConnectionId on{};  ///< connection of the last attempt
    Time not_before{};  ///< not sent again before: pause after Busy
    Errc refusal{};     ///< reason of the last Busy; ok: there was none
  };

  /// Starts over with these members, also after a resolution (A4).
  void begin(const std::vector<Member>& members) {
    targets_.clear();
    since_ = never;
    for (const Member& m : members) targets_.push_back({m.node, State::wanted, {}, {}, Errc::ok});
  }
  /// A replica misses the run (UploadAgain): every replica gets it again. An upload without an
  /// answer is not sent twice, because it will arrive or its connection will end.
  void again() {
    for (Target& t : targets_)
      if (t.state != State::sent) t = {t.node, State::wanted, {}, {}, Errc::ok};
  }
  void sent(Target& t, ConnectionId on, Time now) {
    t.state = State::sent;
    t.on = on;
    since_ = std::min(since_, now);
  }
  /// When the first upload was sent; never: none was.
  Time since() const { return since_; }
  std::vector<Target>& targets() { return targets_; }
  Target* find(NodeId n) {
    const auto i = std::find_if(targets_.begin(), targets_.end(),
                                [n](const Target& t) { return t.node == n; });
    return i == targets_.end() ? nullptr : &*i;
  }
  /// Number of replicas that took the run.
  std::size_t taken() const {
    return static_cast<std::size_t>(std::count_if(
        targets_.begin(), targets_.end(), [](const Target& t) { return t.state == State::taken; }));
  }
  /// Number of replicas that took the run, or to which it is under way.
  std::size_t taken_or_sent() const {
    return static_cast<std::size_t>(std::count_if(
        targets_.begin(), targets_.end(),
        [](const Target& t) { return t.state == State::taken || t.state == State::sent; }));
  }
  /// Whether a replica has still to take the run.
  bool pending() const {
    return std::any_of(targets_.begin(), targets_.end(), [](const Target& t) {
      return t.state == State::wanted || t.state == State::sent;
    });
  }
  /// After the commit only uploads under way are worth their bytes: the other replicas catch up
  /// from their peers.
  void drop_unsent() {
    for (Target& t : targets_)
      if (t.state == State::wanted) t.state = State::dropped;
  }
  /// Uploads under way on this connection have to be sent again.
  void connection_lost(ConnectionId c) {
    for (Target& t : targets_)
      if (t.state == State::sent && t.on == c) t.state = State::wanted;
  }

 private:
  std::vector<Target> targets_;
  Time since_ = never;  // see since()
};

}  // namespace loglog::client
