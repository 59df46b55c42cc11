// A round that is under way takes no further question: Raft confirms the lead as of the round's
// beginning, and a question must come before its confirmation (R2).
#include "sequencer/core/confirmations.h"

#include <utility>

namespace loglog::sequencer {

bool Confirmations::add(Question q) {
  std::size_t& n = waiting_[q.client.connection];
  if (n >= per_connection_max_) return false;
  ++n;
  gathered_.push_back(std::move(q));
  return true;
}

std::optional<std::uint64_t> Confirmations::begin_round() {
  if (!is_due()) return {};
  under_way_ = std::exchange(gathered_, {});
  return ++token_;
}

std::vector<Confirmations::Question> Confirmations::end_round(std::uint64_t token) {
  if (token != token_) return {};
  for (const Question& q : under_way_)
    if (const auto n = waiting_.find(q.client.connection); n != waiting_.end() && --n->second == 0)
      waiting_.erase(n);
  return std::exchange(under_way_, {});
}

/// Questions of the round under way stay in it until end_round(). If they left and the round became
/// empty, is_due() would begin a second round beside it.
void Confirmations::forget(ConnectionId c) {
  std::erase_if(gathered_, [c](const Question& q) { return q.client.connection == c; });
  waiting_.erase(c);
}

}  // namespace loglog::sequencer
