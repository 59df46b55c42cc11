// The cluster as a person sees it on the page of any sequencer: the leader's overview if the leader
// answers, otherwise the view of the sequencer itself. verdict.h and alarms.h judge this picture;
// no rule of the protocol reads it. Pure.
#pragma once
#include <optional>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// A view of the cluster, with its source and its age.
struct ClusterPicture {
  enum class Source : std::uint8_t {
    leads,          ///< this sequencer leads; the overview is its own
    leader_told,    ///< the leader answered a question that was asked just now
    leader_silent,  ///< a leader is known and did not answer in time
    no_leader       ///< this sequencer knows of no leader
  };
  SequencerId served_by{};
  Source source = Source::no_leader;
  /// The leader's overview (leads, leader_told). Otherwise this sequencer's own view, with the
  /// offsets of logs that a leader told last.
  Overview overview;
  /// Age of the logs' offsets; nullopt if no leader has told any yet.
  std::optional<Duration> logs_age;
};

/// The newest overview that a leader told this sequencer, and when it came.
struct Told {
  Overview overview;
  Time at{};
  bool operator==(const Told&) const = default;
};

/// The picture at `now`. `own`: the view of this sequencer. `told`: the newest answer of a leader,
/// if any. `fresh`: `told` answers a question that was asked just now, so the picture takes it
/// whole. Otherwise the picture takes only the offsets from it, which `own` cannot know.
ClusterPicture picture_of(Time now, Overview own, const std::optional<Told>& told, bool fresh);

}  // namespace loglog::sequencer
