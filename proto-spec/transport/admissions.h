// Which incoming connections a server keeps: so many clients and so many that have not said who
// they are, so that descriptors are left for files, storage nodes and sequencers. Also the clients
// that wait until there is memory for their message.
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

/// One for a server, shared by the connections that it accepted. Belongs to its loop's thread.
class Admissions {
 public:
  /// `descriptors`: how many the process may have. `progress_period`: a message that has begun ends
  /// within it, or goes on at message_rate_min; only tests are in a hurry.
  explicit Admissions(std::uint64_t descriptors, Duration progress_period = 30s);

  /// A connection is accepted. Returns the one that waits longest for its hello where there are too
  /// many of those; else null.
  std::shared_ptr<Connection> arrived(const std::shared_ptr<Connection>& c);
  /// It has said hello. False: it is a client too many.
  bool known(const Connection& c, bool client);
  /// It is closed. `client`: what known() was told, and answered with true.
  void left(const Connection& c, bool client);

  /// A client's message has begun, and receiving_bytes_max leaves no room for it.
  void wait_for_room(const std::shared_ptr<Connection>& c) { waiting_.push_back(c); }
  /// The client that has waited longest; null: none waits. It stays until it has room (has_room()).
  std::shared_ptr<Connection> first_waiting();
  void has_room() { waiting_.pop_front(); }
  /// The client holds a receive block, or holds none any more.
  void holds(const std::shared_ptr<Connection>& c, bool block);
  std::vector<std::shared_ptr<Connection>> holders() const;
  /// True for the first that asks while clients wait: it looks who stands still, until looked().
  bool may_look() { return !std::exchange(looking_, true); }
  void looked() { looking_ = false; }

  struct Figures {
    std::size_t clients = 0, clients_max = 0;
    std::size_t unknown = 0, unknown_max = 0;  ///< have not said hello
    std::uint64_t refused = 0;                 ///< since the start
  };
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
  std::list<std::weak_ptr<Connection>> unknown_;  // in the order in which they came
  std::list<std::weak_ptr<Connection>> waiting_;  // for room
  std::map<const Connection*, std::weak_ptr<Connection>> holders_;
  bool looking_ = false;
  std::size_t clients_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace loglog::transport
