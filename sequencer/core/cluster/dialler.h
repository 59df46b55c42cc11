// Dials the other servers: every storage node of the options, and every sequencer with a higher id
// (spec/04, "Links between sequencers"). Decides when each is dialled, for ever. A part of
// SequencerState. SequencerMachine tells it how each connection begins and ends, and logs its
// lines. Which connection counts is decided in peers.h and leader_nodes.h.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/errors.h"
#include "proto-spec/vocabulary/random.h"
#include "proto-spec/vocabulary/retry_schedule.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// A peer is dialled, connected, or waits for its next dial. Dial::number names it; numbers that
/// name no peer, such as 0, are ignored.
class Dialler {
 public:
  /// All peers are to be dialled at once.
  explicit Dialler(const Options& options);

  /// When the next dial is due; never: every peer is connected or dialled.
  Time wake() const { return due_; }
  /// Appends the dials that are due to `out`. Costs a comparison while none is.
  void dial_due(Time now, std::vector<Dial>& out);

  void connected(std::uint32_t number);
  /// A dial has failed, or the connection has ended. Returns a line for the operator if the reason
  /// is another than the last reason of this peer. No effect on a peer that waits already.
  std::optional<std::string> failed(Time now, Random& random, std::uint32_t number,
                                    const Error& why);
  /// This sequencer itself closes the connection.
  void closed(Time now, Random& random, std::uint32_t number);

 private:
  struct Peer {
    Dial dial;
    RetrySchedule retry;
    Time due{};  // never: it is dialled or connected
    // The reason of the newest line about the peer, so that a reason that stays gives a single
    // line. ok: the peer has connected since.
    Errc told = Errc::ok;
  };
  void add(Role role, std::uint32_t id, const std::string& address);
  Peer* find(std::uint32_t number);
  void wait_until(Peer& p, Time due);

  std::vector<Peer> peers_;  // Dial::number is 1 + the index
  Time due_{};               // earliest Peer::due
};

}  // namespace loglog::sequencer
