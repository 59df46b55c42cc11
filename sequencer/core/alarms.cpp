// Each function of Finder looks at a kind of thing and adds alarms; all() orders them. Only a
// leader's picture shows logs and clocks.
#include "sequencer/core/alarms.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/log_condition.h"

namespace loglog::sequencer {
namespace {

/// Logs that a sentence names; further logs are counted.
constexpr std::size_t names_max = 4;
constexpr const char* make_room =
    "Let old entries go, which needs no free space: loglog logs trim NAME --keep-bytes 1GiB, or "
    "loglog logs set NAME --retention-bytes N. "
    "Or make "
    "room "
    "on the file system of the data directories. Appends go on by themselves.";

/// Collects the alarms of a picture. `led_`: a leader with a begun term has made the picture.
class Finder {
 public:
  explicit Finder(const ClusterPicture& p)
      : p_(p),
        o_(p.overview),
        led_(p.source <= ClusterPicture::Source::leader_told && o_.term != Term{}) {}

  std::vector<Alarm> all() {
    leader();
    sequencers();
    if (led_) clocks();
    for (const NodeSeen& n : o_.storage) node(n);
    if (led_) logs();
    std::ranges::stable_sort(found_, {}, [](const Alarm& a) {
      return std::pair(-static_cast<int>(a.severity), index_of(a.id));
    });
    return std::move(found_);
  }

 private:
  // The place in alarm_kinds orders alarms of the same severity.
  static std::size_t index_of(std::string_view id) {
    const auto k = std::ranges::find(alarm_kinds, id, &AlarmKind::id);
    check(k != alarm_kinds.end(), "an alarm has a kind");
    return static_cast<std::size_t>(k - alarm_kinds.begin());
  }
  void add(std::string_view id, std::string what, std::string action) {
    found_.push_back({id, alarm_kinds[index_of(id)].severity, std::move(what), std::move(action)});
  }

  // At most a single alarm about the lead: the causes exclude each other.
  void leader() {
    const std::size_t reached = static_cast<std::size_t>(
        std::ranges::count(o_.sequencers, true, &SequencerSeen::reachable));
    const std::size_t majority = o_.sequencers.size() / 2 + 1;
    if (p_.source == ClusterPicture::Source::leader_silent)
      return add("leader-silent",
                 fmt::format("Sequencer {} leads, and did not answer sequencer {} in time.",
                             o_.leader.value, p_.served_by.value),
                 "If this lasts, look at the process and the machine of the leader: it hangs, or "
                 "has more to do than it can.");
    if (led_) return;
    if (reached < majority)
      return add("no-quorum",
                 fmt::format("No leader can be elected: sequencer {} reaches {} of {} sequencers, "
                             "itself included, and {} are needed. Nothing can "
                             "be appended.",
                             p_.served_by.value, reached, o_.sequencers.size(), majority),
                 "Start the sequencers that are unreachable, each with its own data directory, or "
                 "repair the network to them.");
    add("no-leader",
        o_.role == RaftRole::leader
            ? fmt::format("Sequencer {} was elected, and its term is not begun yet.", o_.id.value)
            : fmt::format("No sequencer leads, though sequencer {} reaches {} of {}.",
                          p_.served_by.value, reached, o_.sequencers.size()),
        "Wait five seconds. If it stays so, read the sequencers' logs: they must reach each other "
        "at the addresses shown here, and be able "
        "to "
        "write to their data directories.");
  }

  void clocks() {
    std::string off;
    for (const SequencerSeen& s : o_.sequencers) {
      if (s.clock_off_ms <= clock_skew_ms_max) continue;
      off += fmt::format(
          "{}that of sequencer {} at {} {}", off.empty() ? "" : ", ", s.id.value, s.address,
          s.clock_off_ms == ~std::uint32_t{0}
              ? std::string("was just set")
              : fmt::format("is {} off", duration_text(std::chrono::milliseconds(s.clock_off_ms))));
    }
    if (off.empty()) return;
    add("clocks-differ",
        fmt::format("The sequencers' clocks differ: {}. Retention by age waits, and logs that have "
                    "one grow.",
                    off),
        "Set the clocks of those machines, and let NTP keep them. Nothing is trimmed by age until "
        "they agree to five seconds; a clock that "
        "was set counts again after an hour.");
  }

  void sequencers() {
    const auto reached = static_cast<std::size_t>(
        std::ranges::count(o_.sequencers, true, &SequencerSeen::reachable));
    const bool last = reached == o_.sequencers.size() / 2 + 1;
    for (const SequencerSeen& s : o_.sequencers) {
      if (s.twice)
        add("sequencer-twice",
            fmt::format("A second process runs as sequencer {}, and is refused.", s.id.value),
            fmt::format("Stop the one that is not at {}: it was started with a wrong --id, or its "
                        "directory is a copy.",
                        s.address));
      if (s.reachable) continue;
      add("sequencer-unreachable",
          fmt::format("Sequencer {} at {} {}.{}", s.id.value, s.address, silence(s.silent_ms),
                      led_ && last ? " One more that is lost stops all appends." : ""),
          "Start it with its own data directory, or repair the network to it. It catches up by "
          "itself.");
    }
  }

  void node(const NodeSeen& n) {
    const std::string who = fmt::format("Storage node {} at {}", n.id.value, n.address);
    switch (n.condition) {
      case NodeCondition::unreachable:
        add("node-unreachable", fmt::format("{} {}.", who, silence(n.silent_ms)),
            "Start it with the data directory it had, or repair the network to it. It catches up "
            "by itself.");
        return;
      case NodeCondition::refuses_leader:
        add("node-refuses-leader",
            who + " refuses this leader: the sequencers have gone back to older directories.",
            "Its log says how. Stop all sequencers and put back their newest directories. Do not "
            "start further sequencers before: a sequencer that joins this leader loses the newer "
            "metadata that it holds.");
        return;
      case NodeCondition::foreign_disk:
        add("node-foreign-disk",
            who + " comes with another disk than the one it is registered with, and is refused.",
            fmt::format("Start it with the data directory it had. If that is gone for good, have "
                        "the new one copied full from the other "
                        "replicas: loglog nodes replace-disk {}",
                        n.id.value));
        return;
      case NodeCondition::data_loss:
        add("node-data-loss",
            who + " lost data that it had promised or acknowledged, and counts as down.",
            fmt::format("Its log says what is missing. Do not restore an old copy over its "
                        "directory: move it aside, start the node with "
                        "an empty one, then loglog nodes replace-disk {}",
                        n.id.value));
        return;
      case NodeCondition::lagging:
        if (led_)
          add("node-lagging", fmt::format("{} has not promised term {} yet.", who, o_.term.value),
              "This is over in a second as a rule. If it lasts, the node's disk is stuck or very "
              "slow: read its log.");
        break;
      case NodeCondition::suspect:
        add("node-suspect", who + " found damaged bytes and copies them anew from its peers.",
            "Nothing now: the node mends itself. If it comes again, the disk is going bad; look at "
            "the kernel's log of that machine.");
        break;
      case NodeCondition::up:
        break;
    }
    if (n.logs_without_space > 0)
      add("node-disk-full",
          fmt::format("{} refuses what is uploaded to {} log{}: its disk gives no space{}.", who,
                      n.logs_without_space, n.logs_without_space == 1 ? "" : "s",
                      n.disk_size_bytes == 0
                          ? ""
                          : fmt::format(", {} of {} are free", bytes_text(n.disk_free_bytes),
                                        bytes_text(n.disk_size_bytes))),
          make_room);
    if (!n.cannot_reach.empty())
      add("node-parted",
          fmt::format("{} gets no answer from storage node{} {}.", who,
                      n.cannot_reach.size() == 1 ? "" : "s", numbers(n)),
          "Look at firewalls between storage nodes, and at the addresses above: they must hold "
          "from every node's own network.");
    if (n.staged_bytes_max > 0 && n.staged_bytes / 9 >= n.staged_bytes_max / 10)
      add("node-staging-full",
          fmt::format("{} holds {} of {} for uploads.", who, bytes_text(n.staged_bytes),
                      bytes_text(n.staged_bytes_max)),
          "More is uploaded than its disk takes, or producers upload and do not commit. Give them "
          "more nodes or less to send, or raise "
          "--staging-bytes.");
  }

  // A dead node is in many logs, so a single alarm covers all logs in the same condition.
  void logs() {
    const LogsByCondition logs(o_.logs);
    const auto& halted = logs[LogCondition::halted];
    const auto& lost = logs[LogCondition::lost];
    const auto& full = logs[LogCondition::full];
    const auto& below = logs[LogCondition::below_quorum];
    const auto& recovering = logs[LogCondition::recovering];
    const auto& no_spare = logs[LogCondition::no_spare];
    if (!halted.empty())
      add("log-halted",
          fmt::format("{} halted: {} replicas contradict each other.", names(halted), its(halted)),
          "Stop the storage nodes that hold it, keep copies of their directories, and compare the "
          "segments with loglog inspect.");
    if (!lost.empty())
      add("log-lost-quorum",
          fmt::format("So many disks with {} were replaced that nobody knows all that was "
                      "acknowledged. No appends are taken any more.",
                      names(lost)),
          "Save what can still be read: loglog read NAME. Then delete the log, make it anew, and "
          "append what was saved.");
    if (!full.empty())
      add("log-no-space",
          full.size() == 1
              ? fmt::format(
                    "Appends to {} are refused: {} of {} replicas {} space, and {} are needed.",
                    full[0]->name, streaming(*full[0]), full[0]->replicas.size(),
                    streaming(*full[0]) == 1 ? "has" : "have", full[0]->write_quorum)
              : fmt::format("Appends to {} are refused: too few of their replicas have space.",
                            names(full)),
          make_room);
    if (!below.empty())
      add("log-below-quorum",
          below.size() == 1
              ? fmt::format("Appends to {} wait: {} of {} replicas take them, and {} are needed.",
                            below[0]->name, streaming(*below[0]), below[0]->replicas.size(),
                            below[0]->write_quorum)
              : fmt::format("Appends to {} wait: too few of their replicas take them.",
                            names(below)),
          "Bring back the storage nodes that hold it: what is wrong with each is said here too.");
    if (!recovering.empty())
      add("log-recovering",
          fmt::format("{} {} being recovered.", names(recovering),
                      recovering.size() == 1 ? "is" : "are"),
          "Wait: seconds as a rule, longer where a replica must copy much.");
    if (!no_spare.empty())
      add("log-no-spare",
          fmt::format("One more storage node that is lost stops appends to {}.", names(no_spare)),
          "Bring back the replicas that are missing before you stop anything else.");
    behind();
  }

  /// True for a node that has an alarm of its own and whose replicas do not catch up by themselves.
  bool is_refused(NodeId node) const {
    const auto n = std::ranges::find(o_.storage, node, &NodeSeen::id);
    return n != o_.storage.end() && (n->condition == NodeCondition::data_loss ||
                                     n->condition == NodeCondition::foreign_disk ||
                                     n->condition == NodeCondition::refuses_leader);
  }
  /// Names the replica that lacks most and counts the others. A replica that cannot be reached has
  /// its node's alarm already.
  void behind() {
    const LogSeen* log = nullptr;
    const ReplicaSeen* worst = nullptr;
    std::size_t count = 0;
    std::uint64_t most = 0;
    for (const LogSeen& l : o_.logs)
      for (const ReplicaSeen& r : l.replicas) {
        if (!is_behind(r, l.committed) || is_refused(r.node)) continue;
        const std::uint64_t bytes = l.committed > r.durable ? l.committed - r.durable : 0;
        ++count;
        if (worst != nullptr && bytes <= most) continue;
        log = &l;
        worst = &r;
        most = bytes;
      }
    if (worst == nullptr) return;
    add("replica-behind",
        fmt::format("The replica of {} on storage node {} lacks {}, for {}.{}", log->name,
                    worst->node.value, bytes_text(most),
                    duration_text(std::chrono::milliseconds(worst->behind_ms)),
                    count == 1   ? ""
                    : count == 2 ? " 1 more replica is behind."
                                 : fmt::format(" {} more replicas are behind.", count - 1)),
        "It catches up by itself. If what it lacks grows, its disk or its network is too slow for "
        "what is appended.");
  }

  static std::string silence(std::uint32_t ms) {
    if (ms == 0xFFFF'FFFF) return "has not answered yet";
    return "has not answered for " + duration_text(std::chrono::milliseconds(ms));
  }
  static std::string names(const std::vector<const LogSeen*>& logs) {
    std::string out;
    const std::size_t shown = logs.size() > names_max ? names_max - 1 : logs.size();
    for (std::size_t i = 0; i < shown; ++i)
      out += (i == 0 ? "" : i + 1 == logs.size() ? " and " : ", ") + logs[i]->name;
    if (shown < logs.size()) out += fmt::format(" and {} more logs", logs.size() - shown);
    return out;
  }
  static std::string numbers(const NodeSeen& n) {
    std::string out;
    for (const NodeId peer : n.cannot_reach)
      out += fmt::format("{}{}", out.empty() ? "" : ", ", peer.value);
    return out;
  }
  static const char* its(const std::vector<const LogSeen*>& logs) {
    return logs.size() == 1 ? "its" : "their";
  }

  const ClusterPicture& p_;
  const Overview& o_;
  bool led_;
  std::vector<Alarm> found_;
};

}  // namespace

std::vector<Alarm> alarms_of(const ClusterPicture& p) { return Finder(p).all(); }

std::string bytes_text(std::uint64_t bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto n = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; n >= 1024 && unit + 1 < std::size(units); ++unit) n /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes)
                   : fmt::format("{:.{}f} {}", n, n < 10 ? 1 : 0, units[unit]);
}

std::string duration_text(Duration d) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  if (s < 1)
    return fmt::format("{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
  if (s < 120) return fmt::format("{} s", s);
  if (s < 120 * 60) return fmt::format("{} min", s / 60);
  return fmt::format("{} h", s / 3600);
}

}  // namespace loglog::sequencer
