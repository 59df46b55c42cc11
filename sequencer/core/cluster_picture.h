// What one sequencer knows of the whole cluster, for people: the leader's overview where there is
// one, else what it sees itself.
#pragma once
#include <optional>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

struct ClusterPicture {
  enum class Source : std::uint8_t {
    leads,          ///< this sequencer leads
    leader_told,    ///< the leader answered just now
    leader_silent,  ///< a leader is known and did not answer in time
    no_leader       ///< this sequencer knows none
  };
  SequencerId served_by{};
  Source source = Source::no_leader;
  Overview overview;  ///< the leader's (leads, leader_told); else this sequencer's own, with what a
                      ///< leader told last of the logs
  /// How old the logs' offsets and replicas are; nullopt: nobody told any.
  std::optional<Duration> logs_age;
};

/// What a leader told this sequencer.
struct Told {
  Overview overview;
  Time at{};
  bool operator==(const Told&) const = default;
};

/// The picture at `now`. `own`: what this sequencer sees. `told`: the newest answer of a leader, if
/// any; it is taken whole if it is the answer to a question asked just now (`fresh`), else only for
/// what `own` cannot know.
ClusterPicture picture_of(Time now, Overview own, const std::optional<Told>& told, bool fresh);

}  // namespace loglog::sequencer
