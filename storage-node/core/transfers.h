// What this node asks of its peers (FetchRun, Copy) for all of its logs: how many bytes at a time,
// which log is next, and how long an answer may take. Peers' own side of it is giving.h. Called by
// the logs' parts and by the machine.
#pragma once
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::storage {

class Node;

class Transfers {
 public:
  /// `append`: a run that may still be needed for its commit. `bulk`: all that is committed
  /// already; it waits for every `append`.
  enum class Urgency : std::uint8_t { append, bulk };
  enum class Came : std::uint8_t {
    in_time,
    late,     ///< the asker was told `nothing` before; the bytes are as good
    nothing,  ///< refused, no connection, or too slow; bytes may come late
  };
  /// The message (Copied, RunIs, Pong) is there unless `nothing` came, and is valid during the
  /// call.
  using Answer = std::function<void(Came, const Message*)>;
  using Id = std::uint32_t;

  explicit Transfers(Node& node) : node_(node) {}
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  /// Asks a peer for at most `bytes`, once there is room; the connection is opened if there is
  /// none. `answer` is called once (again after `nothing` if bytes come late), never from inside
  /// this call.
  Id ask(NodeId peer, LogId log, Message question, std::uint64_t bytes, Urgency urgency,
         Answer answer);
  /// Nobody waits for the answer any more. Unknown ids and 0 are taken.
  void cancel(Id id);
  /// The log is gone: none of its answers is given to anybody.
  void forget(LogId log);
  /// Tells a connected peer something; no answer is expected.
  void tell(NodeId peer, Message m);

  /// False: no question of this node's.
  bool answered(ConnectionId from, RequestId request, const Message& m);
  void connected(NodeId peer, ConnectionId connection);
  void lost(NodeId peer);
  void connection_lost(ConnectionId connection);
  void tick();
  Time next_tick() const;

  /// Bytes asked for whose answer has not come.
  std::uint64_t under_way() const { return under_way_; }
  /// When bytes of a peer came last.
  Time moved() const { return moved_; }

 private:
  enum class State : std::uint8_t {
    queued,
    asked,
    slow,       ///< the asker was told `nothing`, but the answer may come
    cancelled,  ///< the answer takes room until it has come
  };
  struct Question {
    NodeId peer;
    LogId log;
    Urgency urgency;
    std::uint64_t bytes;
    Message message;
    Answer answer;
    State state = State::queued;
    Time asked_at{};
  };
  struct Queue {  // of one urgency: the logs take turns
    std::map<LogId, std::deque<Id>> logs;
    LogId last{};
  };
  struct Peer {
    ConnectionId connection{};
    bool dialling = false;
    bool stalled = false;  // says nothing: it is asked nothing before it moves
    std::array<Queue, 2> queues;
    std::map<Id, std::uint64_t> asked;  // bytes; slow and cancelled too
    std::uint64_t under_way = 0;        // their sum
    std::uint64_t bulk_max = 0;         // what `bulk` questions may have under way
    Duration quickest{};                // answer to one of them; 0: none has come
    std::uint64_t untold = 0;           // taken, and the peer not told yet
    Time moved{};                       // an answer came, or the first question went out
    Time paused_until{};                // it was busy
  };

  void pump();
  bool start_next(Peer& p);
  bool has_room(const Peer& p, const Question& q) const;
  void adapt(Peer& p, const Question& q);
  std::deque<Id>* next_of(Queue& q);
  void start(Peer& p, Id id, Question& q);
  void dial(NodeId id, Peer& p);
  bool unqueue(Peer& p, Id id, const Question& q);
  void requeue(Peer& p, Id id, Question& q);
  void come(Peer& p, Id id, std::uint64_t bytes);
  Time patience(const Peer& p, const Question& q) const;
  void stall(Peer& p);
  void fail(const std::vector<Id>& ids);
  std::vector<Id> all_of(NodeId peer) const;

  Node& node_;
  Id next_ = 0;
  std::map<Id, Question> questions_;
  std::map<NodeId, Peer> peers_;
  std::vector<Id> hopeless_;  // to be answered at the next tick
  NodeId last_peer_{};
  std::uint64_t under_way_ = 0;
  Time moved_{};
};

}  // namespace loglog::storage
