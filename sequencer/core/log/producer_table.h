// The leader's memory of the producers of a log in a term (A1, A2). The table never forgets a
// producer within the term, so no commit of the term is ordered twice. It drops a run once the run
// is committed and its producer has settled it. Owned by LogTerm; sends nothing itself.
#pragma once
#include <deque>
#include <unordered_map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// The connection and the request that an answer goes to.
struct Client {
  ConnectionId connection;
  RequestId request;
  bool operator==(const Client&) const = default;
};

/// Bounded by producers and by runs; a full table asks for a new term of the log.
class ProducerTable {
 public:
  /// A run that was ordered in this term, or refused for good in it (F1).
  struct Run {
    Reference reference;
    Offset offset;                ///< of a refused run: the log's end when it was judged
    std::vector<Client> waiting;  ///< answered once the run is committed
    bool refused = false;  ///< F1: its sequence numbers are used up, and it is nowhere in the log
    /// The committed offset that covers the run.
    Offset end() const { return refused ? offset : offset + reference.length; }
  };
  /// The table's answer to a commit, as in A1's table (spec/07).
  enum class Verdict {
    accept,          ///< the next run in sequence: order it, then call add()
    repeat,          ///< the run was ordered, or refused for good, before: see `run`
    wrong_sequence,  ///< refuse it and tell `expected`
    other_bytes,     ///< the same first sequence and count with other bytes or length (D3)
    full             ///< A2: the table is full, so the log needs a new term
  };
  // `run` is set for `repeat` only and is valid until the next call.
  struct Judgement {
    Verdict verdict;
    Sequence expected{};
    Run* run = nullptr;
  };

  explicit ProducerTable(std::size_t producers_max, std::size_t runs_max)
      : producers_max_(producers_max), runs_max_(runs_max) {}

  /// Judges a commit (A1). Changes nothing but the record of which runs are settled. `committed`:
  /// the log's committed offset; a run above it stays although its producer calls it settled.
  Judgement judge(const Commit& c, Offset committed);
  /// Records an accepted run at offset `at`. The latest call of judge() must have accepted `c`.
  void add(const Commit& c, Offset at, Client client);
  /// Records that the run is refused for good (F1), so that no copy of it is accepted in this term.
  /// `end`: the end of the order stream. The latest call of judge() must have accepted `c`.
  void refuse(const Commit& c, Offset end, ConnectionId connection);
  /// The producer's run that begins with `first`, ordered or refused; nullptr: no such run, or
  /// dropped because it is settled.
  Run* find(ProducerId producer, Sequence first);
  /// The connection that the producer committed on last; 0: unknown producer.
  ConnectionId connection(ProducerId producer) const;
  /// The producer has used this connection; its later answers and UploadAgain go there.
  void seen_on(ProducerId producer, ConnectionId connection);
  std::size_t producers() const { return producers_.size(); }

 private:
  struct Producer {
    Sequence next{1};  // next sequence that the leader takes from it, unless it settles more
    ConnectionId connection{};
    std::deque<Run> runs;  // ascending by sequence
  };
  void use_up(const Commit& c, ConnectionId connection, Run run);
  void settle(Producer& p, Sequence through, Offset committed);
  static Run* find(Producer& p, Sequence first);
  // Only in the mutation build: tests/simulator/mutants
  void forget_if_committed(ProducerId producer, Offset committed);

  std::size_t producers_max_;
  std::size_t runs_max_;
  std::size_t runs_ = 0;
  std::unordered_map<ProducerId, Producer> producers_;  // looked up only, never iterated
};

}  // namespace loglog::sequencer
