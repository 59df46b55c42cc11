// Questions of this node to its peers (FetchRun, Copy, Ping) for all of its logs: how many bytes at
// a time, in which order, and how long an answer may take (P1). Opens and uses the connections to
// other storage nodes. Called by OrderQueue, Repair, PeerReach and StorageMachine. The answering
// side is giving.h.
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
  /// `append`: a run that may still be needed for its commit. `bulk`: bytes that are committed
  /// already; they wait for every `append` question to the same peer.
  enum class Urgency : std::uint8_t { append, bulk };
  /// The outcome that the asker is told.
  enum class Came : std::uint8_t {
    in_time,
    /// The asker was told `nothing` before, but the bytes are good and may be used.
    late,
    /// The question was refused, or there is no connection, or the peer is silent. The bytes may
    /// still come late.
    nothing,
  };
  /// The message (Copied, RunIs or Pong) is null after `nothing`. It is valid during the call only.
  using Answer = std::function<void(Came, const Message*)>;
  using Id = std::uint32_t;

  explicit Transfers(Node& node) : node_(node) {}
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  /// Asks a peer for at most `bytes`, when the limits allow. Opens a connection if there is none.
  /// `answer` runs once, and a second time if bytes come after `nothing`; it never runs within this
  /// call. Returns an id for cancel().
  Id ask(NodeId peer, LogId log, Message question, std::uint64_t bytes, Urgency urgency,
         Answer answer);
  /// Cancels a question; its `answer` runs no more. Unknown ids and 0 are ignored.
  void cancel(Id id);
  /// Cancels all questions of a log that is gone.
  void forget(LogId log);
  /// Sends a message that needs no answer to a peer, if it is connected.
  void tell(NodeId peer, Message m);

  /// Takes an answer that has arrived. Returns false if it answers no question of this node.
  bool answered(ConnectionId from, RequestId request, const Message& m);
  /// A connection to the peer is up.
  void connected(NodeId peer, ConnectionId connection);
  /// The peer cannot be reached: its questions end with `nothing`.
  void lost(NodeId peer);
  void connection_lost(ConnectionId connection);
  /// Ends the wait for silent peers, and starts questions that waited.
  void tick();
  Time next_tick() const;

  /// Bytes asked for whose answer has not come.
  std::uint64_t under_way() const { return under_way_; }
  /// When bytes of any peer last came.
  Time moved() const { return moved_; }

 private:
  /// State: queued -> asked -> answered. An asked question may become slow or cancelled before
  /// that.
  enum class State : std::uint8_t {
    queued,
    asked,
    /// The asker was told `nothing`, but the answer may still come.
    slow,
    /// Nobody wants the answer, but it takes room on the link until it has come.
    cancelled,
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
  /// Questions of the same urgency to a peer. The logs take turns; `last` is the log that had its
  /// turn.
  struct Queue {
    std::map<LogId, std::deque<Id>> logs;
    LogId last{};
  };
  /// State of a peer, from the first question or connection until the connection is lost.
  struct Peer {
    ConnectionId connection{};
    bool dialling = false;
    /// The peer is silent: no question goes out before an answer comes.
    bool stalled = false;
    /// Indexed by Urgency.
    std::array<Queue, 2> queues;
    /// Bytes of each question that has gone out, slow and cancelled questions included.
    std::map<Id, std::uint64_t> asked;
    /// Sum of `asked`.
    std::uint64_t under_way = 0;
    /// Limit on the bytes that `bulk` questions may have under way; see adapt().
    std::uint64_t bulk_max = 0;
    /// The quickest answer to a `bulk` question, forgotten slowly; 0: no answer has come.
    Duration quickest{};
    /// Bytes that were received since the last Taken.
    std::uint64_t untold = 0;
    /// When the last answer came, or when the first question went out after an idle time.
    Time moved{};
    /// The peer was busy: no question goes out before this time.
    Time paused_until{};
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
  /// Questions that cannot be asked. They end with `nothing` at the next tick, because ask() must
  /// not call back.
  std::vector<Id> hopeless_;
  NodeId last_peer_{};
  std::uint64_t under_way_ = 0;
  Time moved_{};
};

}  // namespace loglog::storage
