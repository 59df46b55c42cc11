// The state of a run's upload at each replica of its log. Pure bookkeeping: RunUploads decides,
// AppendPipeline sends the messages.
#pragma once
#include <algorithm>
#include <utility>
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

  /// Whether the uploads have their targets.
  bool has_begun() const { return phase_ != Phase::none; }
  /// Starts over with these members.
  void begin(const std::vector<Member>& members) {
    phase_ = Phase::begun;
    targets_.clear();
    since_ = never;
    for (const Member& m : members) targets_.push_back({m.node, State::wanted, {}, {}, Errc::ok});
  }
  /// All replicas need the run once more, after a resolution (A4). begin() is the next call.
  void renew() { phase_ = Phase::none; }
  /// The leader is told that the client does not upload the run again. False: it was told before.
  bool cancel() { return std::exchange(phase_, Phase::cancelled) != Phase::cancelled; }
  bool is_cancelled() const { return phase_ == Phase::cancelled; }
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
  const std::vector<Target>& targets() const { return targets_; }
  /// When the next pause of a replica ends. A target without a pause waits for its connection,
  /// which wakes the core by itself.
  Time wake(Time now) const {
    Time t = never;
    for (const Target& target : targets_)
      if (target.state == State::wanted && target.not_before > now)
        t = std::min(t, target.not_before);
    return t;
  }
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

 private:
  enum class Phase : std::uint8_t { none, begun, cancelled };

  Phase phase_ = Phase::none;
  std::vector<Target> targets_;
  Time since_ = never;  // see since()
};

}  // namespace loglog::client
