// Which incoming connections a server keeps (W9), and which of its clients wait for receive memory
// (W10). It counts and queues; connection.cpp closes, refuses and reads. A bound on clients and
// on unknown connections leaves descriptors for files, storage nodes and sequencers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/time.h"

namespace loglog::transport {

class Connection;

/// Shared by all connections that a server accepted; a server has a single object. Loop's thread
/// only. Connections are held weakly.
class Admissions {
 public:
  /// `descriptors`: how many the process may have. `progress_period`: an unfinished message must
  /// end within it or go on at message_rate_min; only tests shorten it.
  explicit Admissions(std::uint64_t descriptors, Duration progress_period = 30s);

  /// Counts an accepted connection whose role is not known yet. If there are too many of those,
  /// returns the connection that has waited longest for its hello, for the caller to refuse;
  /// otherwise null.
  std::shared_ptr<Connection> arrived(const std::shared_ptr<Connection>& c);
  /// The connection has said hello. False if it is a client above the limit; the caller refuses it.
  bool known(const Connection& c, bool client);
  /// The connection is closed. `client`: true only if known() has counted it as a client.
  void left(const Connection& c, bool client);

  /// Queues a client whose message has begun while receiving_bytes_max leaves no room for it.
  void wait_for_room(const std::shared_ptr<Connection>& c) { waiting_.push_back(c); }
  /// The client that has waited longest; null if none waits. It stays in the queue until
  /// has_room().
  std::shared_ptr<Connection> first_waiting();
  /// Removes the first waiting client, which has room now.
  void has_room() { waiting_.pop_front(); }
  /// Records whether an accepted connection holds a receive block.
  void holds(const std::shared_ptr<Connection>& c, bool block);
  /// All accepted connections that hold a receive block, including those of servers.
  std::vector<std::shared_ptr<Connection>> holders() const;
  /// Guards the look for connections that hold memory and send nothing: true for the first caller,
  /// then false until looked().
  bool may_look() { return !std::exchange(looking_, true); }
  void looked() { looking_ = false; }

  /// Counts for metrics; the maxima are fixed at the start.
  struct Figures {
    std::size_t clients = 0, clients_max = 0;
    std::size_t unknown = 0, unknown_max = 0;  ///< without a hello
    std::uint64_t refused = 0;                 ///< connections refused since the start
  };
  /// Present counts, for metrics and refusals.
  Figures figures() const {
    return {clients_, clients_max_, unknown_.size(), unknown_max_, refused_};
  }
  std::uint64_t descriptors() const { return descriptors_; }
  Duration progress_period() const { return progress_period_; }

 private:
  std::uint64_t descriptors_;
  Duration progress_period_;
  std::size_t clients_max_;
  std::size_t unknown_max_;
  std::list<std::weak_ptr<Connection>> unknown_;  // oldest first
  std::list<std::weak_ptr<Connection>> waiting_;  // for room, oldest first
  std::map<const Connection*, std::weak_ptr<Connection>> holders_;
  bool looking_ = false;
  std::size_t clients_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace loglog::transport
