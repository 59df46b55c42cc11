// Where the upload of one run stands at each replica of its log.
#pragma once
#include <algorithm>
#include <vector>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

class ReplicaUploads {
 public:
  enum class State : std::uint8_t { wanted, sent, taken, dropped };
  struct Target {
    NodeId node;
    State state = State::wanted;
    ConnectionId on{};  ///< where it was sent
    Time not_before{};  ///< Busy: not again before
    Errc refusal{};     ///< what its last Busy said
  };

  /// Everything from the start (also after a resolution, A4); members that left are forgotten.
  void begin(const std::vector<Member>& members) {
    targets_.clear();
    since_ = never;
    for (const Member& m : members) targets_.push_back({m.node, State::wanted, {}, {}, Errc::ok});
  }
  /// Somebody misses it. What is on its way is not sent twice: it comes, or its connection ends.
  void again() {
    for (Target& t : targets_)
      if (t.state != State::sent) t = {t.node, State::wanted, {}, {}, Errc::ok};
  }
  void sent(Target& t, ConnectionId on, Time now) {
    t.state = State::sent;
    t.on = on;
    since_ = std::min(since_, now);
  }
  /// When the first upload went out; never: none has.
  Time since() const { return since_; }
  std::vector<Target>& targets() { return targets_; }
  Target* find(NodeId n) {
    const auto i = std::find_if(targets_.begin(), targets_.end(),
                                [n](const Target& t) { return t.node == n; });
    return i == targets_.end() ? nullptr : &*i;
  }
  std::size_t taken() const {
    return static_cast<std::size_t>(std::count_if(
        targets_.begin(), targets_.end(), [](const Target& t) { return t.state == State::taken; }));
  }
  /// Taken, or on its way on a connection that stands.
  std::size_t taken_or_sent() const {
    return static_cast<std::size_t>(std::count_if(
        targets_.begin(), targets_.end(),
        [](const Target& t) { return t.state == State::taken || t.state == State::sent; }));
  }
  /// Whether some replica is still to take it.
  bool pending() const {
    return std::any_of(targets_.begin(), targets_.end(), [](const Target& t) {
      return t.state == State::wanted || t.state == State::sent;
    });
  }
  /// After the commit only what is on its way already is worth waiting for (the rest catches up
  /// from peers).
  void drop_unsent() {
    for (Target& t : targets_)
      if (t.state == State::wanted) t.state = State::dropped;
  }
  void connection_lost(ConnectionId c) {
    for (Target& t : targets_)
      if (t.state == State::sent && t.on == c) t.state = State::wanted;
  }

 private:
  std::vector<Target> targets_;
  Time since_ = never;
};

}  // namespace loglog::client
