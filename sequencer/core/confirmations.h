// Answers that wait until a majority of sequencers has confirmed the leader's lead (R2), used by
// client_requests.cpp. Questions that gather during a round of Raft's read index share the next
// round. So a client that asks without end costs the sequencers no more than a client that asks
// once. No thread safety; sends nothing itself.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sequencer/core/log/producer_table.h"

namespace loglog::sequencer {

/// Questions of the gathering round and of the round under way.
class Confirmations {
 public:
  struct Question {
    Client client;
    Message request;  ///< handled anew if the lead was lost
    Message answer;   // sent if the lead is confirmed
  };

  /// `per_connection_max`: questions of a connection that may wait at a time.
  explicit Confirmations(std::size_t per_connection_max)
      : per_connection_max_(per_connection_max) {}

  /// Adds a question to the next round. False: its connection has the largest allowed number
  /// waiting.
  bool add(Question q);
  /// Begins a round and returns its token for Raft::read_index(). nullopt: no question waits, or a
  /// round is under way.
  std::optional<std::uint64_t> begin_round();
  /// True if begin_round() would begin a round now.
  bool is_due() const { return under_way_.empty() && !gathered_.empty(); }
  /// Ends the round, confirmed or failed, and returns its questions. Empty if no round of that
  /// token is under way.
  std::vector<Question> end_round(std::uint64_t token);
  /// The connection is gone, so nobody would hear its answers.
  void forget(ConnectionId c);
  /// Questions in both rounds.
  std::size_t waiting() const { return gathered_.size() + under_way_.size(); }

 private:
  std::size_t per_connection_max_;
  std::uint64_t token_ = 0;  // of the newest round; tokens ascend, so a late token never matches
  std::vector<Question> gathered_;
  std::vector<Question> under_way_;
  std::map<ConnectionId, std::size_t> waiting_;  // questions by connection, of both rounds
};

}  // namespace loglog::sequencer
