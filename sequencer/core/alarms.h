// Alarms: each fault of a cluster in plain words, with the action that an operator should take.
// Judged from the same picture as verdict.h, for Status and the status page. Pure; decides nothing
// in the protocol.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sequencer/core/cluster_picture.h"

namespace loglog::sequencer {

/// A kind of alarm. sequencer/README.md repeats the list word for word, and a test compares the
/// two.
struct AlarmKind {
  std::string_view id;  ///< never changes, because people search for it
  Severity severity;
  std::string_view meaning;
};
inline constexpr std::array alarm_kinds{
    AlarmKind{"no-quorum", Severity::critical,
              "So many sequencers cannot be reached that the rest may not elect a leader. Nothing "
              "can be appended; what is committed can be "
              "read."},
    AlarmKind{"no-leader", Severity::critical,
              "Enough sequencers can be reached, and none of them leads. An election takes a few "
              "seconds at most; until it ends nothing can "
              "be appended."},
    AlarmKind{"leader-silent", Severity::warning,
              "The leader did not answer the sequencer that serves this page, so what the page "
              "says of nodes and logs is not the leader's "
              "word."},
    AlarmKind{"sequencer-unreachable", Severity::warning,
              "A sequencer cannot be reached. The others go on as long as they are more than half "
              "of all."},
    AlarmKind{"clocks-differ", Severity::warning,
              "The wall clocks of the sequencers differ by more than five seconds, or one of them "
              "was just set. Nothing is trimmed by age "
              "meanwhile."},
    AlarmKind{"sequencer-twice", Severity::critical,
              "A second process runs under a sequencer's id. It is refused as long as the first "
              "one is heard; where both were heard, they "
              "could vote twice in one election."},
    AlarmKind{"node-unreachable", Severity::warning,
              "A storage node cannot be reached. Each log with a replica there goes on as long as "
              "its write quorum is there without it."},
    AlarmKind{"node-foreign-disk", Severity::critical,
              "A storage node came with another disk than the one it is registered with: its "
              "directory is new, or another node's. It is "
              "refused and counts as down."},
    AlarmKind{"node-refuses-leader", Severity::critical,
              "A storage node refuses the leader, because the leader's metadata are older than the "
              "node's copy: the sequencers were given older directories. The node counts as down."},
    AlarmKind{"node-data-loss", Severity::critical,
              "A storage node's disk lost something that the node had promised or acknowledged, or "
              "it is an older copy of the directory. The "
              "node counts as down."},
    AlarmKind{"node-lagging", Severity::warning,
              "A storage node is connected and has not promised the leader's term yet. Until then "
              "it takes no appends."},
    AlarmKind{"node-suspect", Severity::warning,
              "A storage node found damaged bytes in a log and copies them anew from its peers. "
              "Readers are served by other replicas "
              "meanwhile."},
    AlarmKind{"node-disk-full", Severity::critical,
              "The disk of a storage node gives no space, or fails, so the node refuses what is "
              "uploaded to some logs. What it holds can be "
              "read."},
    AlarmKind{"node-parted", Severity::warning,
              "A storage node gets no answer from another one that holds the same logs. Appends "
              "need no such connection, but each "
              "failover and each repair may."},
    AlarmKind{"node-staging-full", Severity::warning,
              "The memory where a storage node keeps uploads until they are on its disk is nearly "
              "full. When it is, producers are told to "
              "wait."},
    AlarmKind{"log-halted", Severity::critical,
              "Replicas of a log contradict each other, so the log takes no appends rather than "
              "lose what was acknowledged."},
    AlarmKind{"log-lost-quorum", Severity::critical,
              "The disks of so many replicas of a log were replaced at once that nobody knows all "
              "that was acknowledged. The log takes no "
              "appends any more; what the replicas that are left know as committed can be read."},
    AlarmKind{"log-no-space", Severity::critical,
              "The disks of so many replicas of a log are full that appends to it are refused. "
              "Committed entries can be read, and the log "
              "can be trimmed."},
    AlarmKind{"log-below-quorum", Severity::critical,
              "Fewer replicas of a log take appends than its write quorum, so appends to it wait, "
              "or end as unknown at their deadline."},
    AlarmKind{"log-recovering", Severity::warning,
              "A log is being recovered after a change of leader. Appends wait until it opens; "
              "what is committed can be read."},
    AlarmKind{"log-no-spare", Severity::warning,
              "Just as many replicas of a log take appends as its write quorum: one more that is "
              "lost stops appends to it."},
    AlarmKind{"replica-behind", Severity::warning,
              "A replica lacks much that is committed, or has lacked it for long. It catches up by "
              "itself, and counts for new appends only "
              "then."},
};

/// An alarm at a moment, with the names and numbers of the case at hand.
struct Alarm {
  std::string_view id;  ///< the id of an entry of alarm_kinds
  Severity severity{};
  std::string what;    ///< the fault, in a sentence or two
  std::string action;  ///< the step that an operator should take
};

/// The alarms of this picture: the critical alarms first, then in the order of alarm_kinds. Empty
/// if no fault can be seen.
std::vector<Alarm> alarms_of(const ClusterPicture& p);

/// Sizes and durations as a sentence shows them: "1.5 KiB", "12 s".
std::string bytes_text(std::uint64_t bytes);
std::string duration_text(Duration d);

}  // namespace loglog::sequencer
