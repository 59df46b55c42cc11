// Answers that wait until a majority has confirmed the lead (R2). All that gather while a round of
// Raft's read index is under way share the next one, so that a client that asks without end costs
// the sequencers no more than one that asks once.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sequencer/core/producer_table.h"

namespace loglog::sequencer {

class Confirmations {
 public:
  struct Question {
    Client client;
    Message request;  ///< asked again where the lead was lost
    Message answer;
  };

  explicit Confirmations(std::size_t per_connection_max)
      : per_connection_max_(per_connection_max) {}

  /// False: so many of this connection's wait already.
  bool add(Question q);
  /// The token of a round that Raft is to be asked for now; nullopt: nobody waits, or a round is
  /// under way.
  std::optional<std::uint64_t> begin_round();
  bool is_due() const { return under_way_.empty() && !gathered_.empty(); }
  /// The round has ended, either way: those that waited for it. Empty for a token that is not under
  /// way.
  std::vector<Question> end_round(std::uint64_t token);
  /// The connection is gone, and so is everybody who would hear an answer.
  void forget(ConnectionId c);
  std::size_t waiting() const { return gathered_.size() + under_way_.size(); }

 private:
  std::size_t per_connection_max_;
  std::uint64_t token_ = 0;
  std::vector<Question> gathered_;
  std::vector<Question> under_way_;
  std::map<ConnectionId, std::size_t> waiting_;
};

}  // namespace loglog::sequencer
