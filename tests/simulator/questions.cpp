// The questions go round in the order of `Ask`. `completed` judges the answer to the last question
// and schedules the next.
#include "tests/simulator/questions.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/limits.h"

namespace loglog::simulator {

using client::Token;

Questions::Questions(World& world, Checkers& checkers, ClientProcess& process, Duration pause,
                     int logs)
    : world_(world), checkers_(checkers), process_(process), pause_(pause), logs_(logs) {}

void Questions::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  ask();
}

void Questions::ask() {
  if (resting_) next_ = Ask::status;
  const Time now = process_.now();
  const Time deadline = now + 3s;
  const Token t{++tokens_};
  if (log_ != LogId{}) floor_ = checkers_.of(log_).tail_floor();
  process_.call([&](client::ClientMachine& m) {
    const LogOptions usual{0, 0, segment_size_min, Durability::sync, {}};
    switch (next_) {
      case Ask::status:
        return m.status(now, t, true, deadline);
      case Ask::list:
        return m.list_logs(now, t, deadline);
      case Ask::open:
        return m.open_log(now, t, "log1", deadline);
      case Ask::tail:
        return m.tail(now, t, log_, deadline);
      case Ask::bad_name:
        return m.create_log(now, t, "two words", usual, deadline);
      case Ask::bad_quorum:
        return m.create_log(now, t, "refused", LogOptions{3, 4, segment_size_min, Durability::sync},
                            deadline);
      case Ask::bad_segments:
        return m.create_log(now, t, "refused",
                            LogOptions{0, 0, segment_size_min - 1, Durability::sync, {}}, deadline);
      case Ask::taken_name:
        return m.create_log(now, t, "log1", usual, deadline);
      case Ask::open_unknown:
        return m.open_log(now, t, "refused", deadline);
      case Ask::delete_unknown:
        return m.delete_log(now, t, "refused", deadline);
      case Ask::inside_entry:
        return m.read(now, t, log_, tail_.first + 1, 64u << 10, 0ms, deadline);
    }
  });
}

/// An error that allows a retry proves nothing; any other answer must be the expected refusal.
void Questions::refused(Errc expected, const client::Completion& result) {
  const auto* f = std::get_if<client::Failure>(&result);
  const Errc got = f != nullptr ? f->error.code : Errc::ok;
  if (got == Errc::deadline_exceeded || (got != Errc::ok && retry_of(got) != Retry::no)) return;
  ++answered_;
  if (got == expected) return;
  violated(world_, promise::refusals,
           fmt::format("question {} is answered with {}, not {}", static_cast<int>(next_),
                       name_of(got), name_of(expected)));
}

void Questions::completed(const client::Completed& c) {
  if (c.token.value != tokens_) return;
  const auto* failure = std::get_if<client::Failure>(&c.result);
  switch (next_) {
    case Ask::status:
      if (!failure) status(std::get<client::ClusterStatus>(c.result));
      break;
    case Ask::list:
      if (failure) break;
      ++answered_;
      for (const LogInfo& l : std::get<client::Metadatas>(c.result).metadata.logs)
        if (l.name == "refused" || l.name == "two words")
          violated(world_, promise::refusals,
                   fmt::format("a log is listed that was refused: {}", l.name));
      break;
    case Ask::open:
      if (!failure) log_ = std::get<client::LogDescription>(c.result).info.id;
      break;
    case Ask::tail:
      if (const auto* t = std::get_if<client::Tail>(&c.result)) {
        tail_ = *t;
        checkers_.of(log_).tail_answered(floor_, t->committed);
      }
      break;
    case Ask::bad_name:
    case Ask::bad_quorum:
    case Ask::bad_segments:
      refused(Errc::invalid_argument, c.result);
      break;
    case Ask::taken_name:
      refused(Errc::log_exists, c.result);
      break;
    case Ask::delete_unknown:
      // If an answer was lost, the SDK takes "no such log" for the work of its first attempt.
      if (std::holds_alternative<client::Succeeded>(c.result)) break;
      [[fallthrough]];
    case Ask::open_unknown:
      refused(Errc::no_such_log, c.result);
      break;
    case Ask::inside_entry:
      refused(Errc::not_an_entry, c.result);
      break;
  }
  next_ =
      static_cast<Ask>((static_cast<int>(next_) + 1) % (static_cast<int>(Ask::inside_entry) + 1));
  // Questions about log1 need its id and at least an entry.
  if (log_ == LogId{} && (next_ == Ask::tail || next_ == Ask::taken_name))
    next_ = Ask::open_unknown;
  if (next_ == Ask::inside_entry && tail_.committed <= tail_.first + frame_overhead)
    next_ = Ask::status;
  world_.scheduler.after(pause_, [this] {
    if (!well_) ask();
  });
}

// In any weather a log's first offset lies at or below its committed offset. The full comparison
// waits for the end.
void Questions::status(const client::ClusterStatus& s) {
  ++answered_;
  for (const Status& q : s.sequencers)
    for (const LogStatus& l : q.logs)
      if (l.committed != Offset{} && l.committed < l.first)
        violated(world_, promise::status,
                 fmt::format("{} is said to begin at {} and to be committed up to {}", l.name,
                             l.first.value, l.committed.value));
  if (!resting_) return;
  standing_ = amiss(s);
  well_ = standing_.empty();
}

// The cluster has healed, so every node must be up, every log open and every replica level with its
// log.
std::string Questions::amiss(const client::ClusterStatus& s) const {
  if (!s.unreachable.empty())
    return fmt::format("{} sequencers are called unreachable", s.unreachable.size());
  const Status* leader = nullptr;
  for (const Status& q : s.sequencers) {
    if (q.role != RaftRole::leader) continue;
    if (leader != nullptr) return "two sequencers say that they lead";
    leader = &q;
  }
  if (leader == nullptr) return "no sequencer leads";
  for (const Status& q : s.sequencers)
    if (q.leader != leader->id)
      return fmt::format("sequencer {} takes {} for the leader", q.id.value, q.leader.value);
  if (leader->health != Health::healthy) return "the leader's verdict is: " + leader->verdict;
  if (leader->storage.size() != world_.storage.size())
    return fmt::format("{} storage nodes are named", leader->storage.size());
  for (const StorageStatus& n : leader->storage)
    if (n.condition != NodeCondition::up)
      return fmt::format("node {} is called {}", n.id.value, name_of(n.condition));
  for (int i = 1; i <= logs_; ++i) {
    const auto l = std::find_if(leader->logs.begin(), leader->logs.end(), [&](const LogStatus& x) {
      return x.name == fmt::format("log{}", i);
    });
    if (l == leader->logs.end()) return fmt::format("log{} is not named", i);
    if (!l->open || l->halted) return fmt::format("log{} is not open", i);
    if (l->id == log_ && l->committed < floor_)
      return fmt::format("log{} is said to end at {}, below {}", i, l->committed.value,
                         floor_.value);
    for (const ReplicaStatus& r : l->replicas)
      if (r.state != ReplicaState::streaming || r.durable < l->committed)
        return fmt::format("node {} is said to hold log{} up to {}, in state {}", r.node.value, i,
                           r.durable.value, static_cast<int>(r.state));
  }
  return {};
}

}  // namespace loglog::simulator
