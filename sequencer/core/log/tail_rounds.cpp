// Request ids match a confirmation to its round; ids count by connection, so the node is part of
// the key.
#include "sequencer/core/log/tail_rounds.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {

void TailRounds::add(WaitingAnswer question) {
  by_.add(question.client.connection);
  waiting_.push_back(std::move(question));
}

void TailRounds::begin_round(Time now, const ReplicaSet& replicas) {
  if (waiting_.empty() || rounds_.size() >= tail_rounds_max) return;
  Round round;
  round.questions = std::exchange(waiting_, {});
  round.deadline = now + patience_;
  for (const Replica& r : replicas) {
    if (!r.streams()) continue;
    const RequestId id = host_.to_node(r.member.node, ConfirmTerm{log_, term_});
    if (id != RequestId{}) round.asked[r.member.node] = id;
  }
  rounds_.push_back(std::move(round));
}

void TailRounds::confirmed(NodeId from, RequestId request, Offset tail) {
  for (Round& round : rounds_)
    if (const auto a = round.asked.find(from); a != round.asked.end() && a->second == request)
      round.confirmed[from] = tail;
}

template <class Ends>
std::vector<WaitingAnswer> TailRounds::take(Ends ends) {
  std::vector<WaitingAnswer> out;
  for (auto round = rounds_.begin(); round != rounds_.end();) {
    if (!ends(*round)) {
      ++round;
      continue;
    }
    for (const WaitingAnswer& w : round->questions) by_.remove(w.client.connection);
    std::ranges::move(round->questions, std::back_inserter(out));
    round = rounds_.erase(round);
  }
  return out;
}

/// R2 needs max(W, N - W + 1) confirmations. W of them meet every seal quorum, so no later term had
/// begun before the question. N - W + 1 of them meet every write quorum, so the largest tail among
/// them covers every run that a client knows as committed, also by V2. The leader's committed
/// offset must reach that tail.
std::vector<WaitingAnswer> TailRounds::take_confirmed(Quorum q, Offset committed) {
  const std::size_t need = rules::confirm_quorum(q);
  return take([&](const Round& round) {
    Offset largest{};
    for (const auto& [node, o] : round.confirmed) largest = std::max(largest, o);
    return round.confirmed.size() >= need && rules::has_reached_tail(committed, largest);
  });
}

std::vector<WaitingAnswer> TailRounds::take_expired(Time now) {
  return take([&](const Round& round) { return now >= round.deadline; });
}

std::vector<WaitingAnswer> TailRounds::take_all() {
  std::vector<WaitingAnswer> out = std::exchange(waiting_, {});
  for (Round& round : rounds_) std::ranges::move(round.questions, std::back_inserter(out));
  rounds_.clear();
  by_.clear();
  return out;
}

Time TailRounds::wake() const {
  Time t = never;
  for (const Round& round : rounds_) t = std::min(t, round.deadline);
  return t;
}

}  // namespace loglog::sequencer
