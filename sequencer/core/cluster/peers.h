// Links to the other sequencers (spec/04, "Links between sequencers"). Of two sequencers the lower
// id dials, and only a single link at a time counts. A part of SequencerState. SequencerMachine
// closes connections and raises alarms as this part answers, and tells Raft of links.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// `options` must outlive it.
class Peers {
 public:
  explicit Peers(const Options& options) : options_(options) {}

  /// The answer to a new connection.
  struct Admission {
    bool counts = false;  ///< it is the peer's link from now on
    std::optional<CloseConnection> close;
    std::optional<std::string> alarm;
  };
  /// A connection to or from a sequencer stands.
  Admission connected(Time now, const Connected& c);
  /// True if that was the peer's link; a displaced connection has been replaced already.
  bool disconnected(SequencerId id, ConnectionId c);
  /// A message has come over this connection. False: it is not the peer's link, because the peer
  /// speaks over its newer connection now. `answers`: it shows that the peer hears this sequencer.
  bool heard(Time now, SequencerId id, ConnectionId c, bool answers);

  /// The peer's link; 0: there is none.
  ConnectionId link(SequencerId id) const;
  /// Sequencers with a link, ascending.
  std::vector<SequencerId> linked() const;
  bool any() const { return !links_.empty(); }
  /// Since when the peer is not known to hear this sequencer; nullopt: it never was.
  std::optional<Duration> silent(Time now, SequencerId id) const;
  /// Sequencers ping each other every reach_every, so a live peer is heard within this.
  Duration silence_max() const { return 3 * options_.reach_every; }
  /// When a second process under the id was told of last.
  std::optional<Time> twin_at(SequencerId id) const;

 private:
  struct Link {
    ConnectionId connection;
    BootId boot;
  };
  struct Heard {
    Time any{};     // the last message
    Time answer{};  // the last message that shows that the peer hears this sequencer
  };
  std::string no_link_for(SequencerId id, bool dialled) const;
  bool is_heard(Time now, SequencerId id) const;
  Admission refuse_twin(Time now, SequencerId id, ConnectionId c);

  const Options& options_;
  std::map<SequencerId, Link> links_;
  std::map<SequencerId, Heard> heard_;
  // When a second process under the id was refused with an alarm.
  std::map<SequencerId, Time> twins_;
};

}  // namespace loglog::sequencer
