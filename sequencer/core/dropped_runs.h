// V1: addresses of clients whose runs a new term had to drop because nobody uploaded them. Each
// dropped run stops the log for all producers. A connection costs a client nothing, so the bound is
// by address. LeaderLogs asks (admits_commit). See decision 0039.
#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::sequencer {

class DroppedRuns {
 public:
  /// Dropped runs that an address may have within `forgotten_after`; a client that crashes costs
  /// one run.
  static constexpr unsigned free_max = 4;
  static constexpr Duration forgotten_after = 60s;
  /// Pause between two new connections of a suspect address that may commit before a run of theirs
  /// is committed.
  static constexpr Duration newcomer_pause = 5s;
  /// Addresses that are remembered. A further address replaces the address whose last drop is the
  /// oldest.
  static constexpr std::size_t addresses_max = 4096;
  /// How long, and how many, closed connections are remembered. A run is reported missing a second
  /// or two after its commit.
  static constexpr Duration closed_remembered = 5s;
  static constexpr std::size_t closed_max = 65'536;

  /// A run that came from `address` was dropped. An empty address means a peer in this process,
  /// which is never limited.
  void dropped(Time now, const std::string& address);
  /// A connection from `address` that had asked for commits has closed; its last runs may have to
  /// be dropped.
  void closed(Time now, ConnectionId connection, const std::string& address);
  /// A run that came over this closed connection was dropped.
  void dropped_after_close(Time now, ConnectionId connection);
  /// True if more than `free_max` runs from this address were dropped, each within
  /// `forgotten_after` of the run before.
  bool is_suspect(Time now, const std::string& address) const;
  /// True if a connection from this address may commit although none of its runs was committed yet.
  /// For a suspect address, true uses up the turn of the next `newcomer_pause`.
  bool admit_newcomer(Time now, const std::string& address);
  std::size_t addresses() const { return by_address_.size(); }

 private:
  // `runs` dropped, the newest at `last`. The next new connection may commit at `next_newcomer`.
  struct Seen {
    unsigned runs = 0;
    Time last{};
    Time next_newcomer{};
  };
  struct Closed {
    ConnectionId connection;
    std::string address;
    Time at;
  };
  std::map<std::string, Seen> by_address_;
  std::deque<Closed> closed_;  // in the order of time
};

}  // namespace loglog::sequencer
