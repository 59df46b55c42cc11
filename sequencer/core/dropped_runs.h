// V1: the addresses of clients over whose connections runs came that a new term had to drop,
// because nobody uploaded them. Each of them stops the log for all others, and a connection costs
// nothing, so the bound is by address. Only the leader asks.
#pragma once
#include <cstddef>
#include <map>
#include <string>

#include "proto-spec/vocabulary/time.h"

namespace loglog::sequencer {

class DroppedRuns {
 public:
  /// Of one address, within `forgotten_after`; a crashed client costs one.
  static constexpr unsigned free_max = 4;
  static constexpr Duration forgotten_after = 60s;
  /// Above that, so long between two connections from there that may commit before a run of theirs
  /// is committed.
  static constexpr Duration newcomer_pause = 5s;
  /// Addresses that are remembered; of more, the one whose last drop is longest ago is forgotten.
  static constexpr std::size_t addresses_max = 4096;

  /// A run from `address` was dropped. An empty address, a peer in this process, is never limited.
  void dropped(Time now, const std::string& address);
  /// More than `free_max` runs from there were dropped lately.
  bool is_suspect(Time now, const std::string& address) const;
  /// Whether a connection from there, none of whose runs was committed yet, may commit. True uses
  /// up the turn.
  bool admit_newcomer(Time now, const std::string& address);
  std::size_t addresses() const { return by_address_.size(); }

 private:
  struct Seen {
    unsigned runs = 0;
    Time last{};
    Time next_newcomer{};
  };
  std::map<std::string, Seen> by_address_;
};

}  // namespace loglog::sequencer
