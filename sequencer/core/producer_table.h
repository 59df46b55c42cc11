// What the leader knows of the producers of one log in one term (A1, A2). It never forgets a
// producer within the term; it drops the offsets of runs that the producer has confirmed.
#pragma once
#include <deque>
#include <unordered_map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// Where an answer goes.
struct Client {
  ConnectionId connection;
  RequestId request;
  bool operator==(const Client&) const = default;
};

class ProducerTable {
 public:
  /// A run that was ordered in this term, or refused for good in it.
  struct Run {
    Reference reference;
    Offset offset;                ///< refused: where the log ended when it was judged
    std::vector<Client> waiting;  ///< answered once committed
    bool refused = false;         ///< F1: its number is used up, and it is nowhere in the log
    Offset end() const { return refused ? offset : offset + reference.length; }
  };
  enum class Verdict {
    accept,          ///< next in sequence: order it, then add()
    repeat,          ///< ordered already, or refused for good: `run`
    wrong_sequence,  ///< refuse with `expected`
    other_bytes,     ///< the same first sequence with another digest (D3)
    full             ///< A2: a new term for this log is needed
  };
  struct Judgement {
    Verdict verdict;
    Sequence expected{};
    Run* run = nullptr;  ///< valid until the next call
  };

  explicit ProducerTable(std::size_t producers_max, std::size_t runs_max)
      : producers_max_(producers_max), runs_max_(runs_max) {}

  /// A1. Changes nothing but the record of what is settled.
  Judgement judge(const Commit& c, Offset committed);
  /// The accepted run goes at `at`; `c` was just judged `accept`.
  void add(const Commit& c, Offset at, Client client);
  /// The run is refused for good: no copy of it is accepted in this term. `end`: of what is
  /// ordered; `c` was just judged `accept`.
  void refuse(const Commit& c, Offset end, ConnectionId connection);
  /// The run of this producer that begins with `first`; nullptr: none, or confirmed already.
  Run* find(ProducerId producer, Sequence first);
  /// The connection it last committed on; 0: unknown producer.
  ConnectionId connection(ProducerId producer) const;
  void seen_on(ProducerId producer, ConnectionId connection);
  std::size_t producers() const { return producers_.size(); }

 private:
  struct Producer {
    Sequence next{1};
    ConnectionId connection{};
    std::deque<Run> runs;  // ascending by sequence
  };
  void use_up(const Commit& c, ConnectionId connection, Run run);
  void settle(Producer& p, Sequence through, Offset committed);
  static Run* find(Producer& p, Sequence first);
  static bool all_committed(const Producer& p, Offset committed);

  std::size_t producers_max_;
  std::size_t runs_max_;
  std::size_t runs_ = 0;
  std::unordered_map<ProducerId, Producer> producers_;  // looked up only, never iterated
};

}  // namespace loglog::sequencer
