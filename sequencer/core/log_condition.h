// The condition of a log, judged from the states of its replicas. verdict.h and alarms.h both put
// this judgement into words, so they cannot contradict each other. Pure; for people, no rule reads
// it.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// From the best to the worst.
enum class LogCondition : std::uint8_t {
  /// Takes appends and has a replica to spare, or needs all its replicas by its options; a log that
  /// is being made or deleted counts here too.
  fine,
  /// Takes appends; the loss of a further replica stops them.
  no_spare,
  recovering,    ///< not open yet; enough replicas are there to open it
  below_quorum,  ///< appends wait for replicas that are away
  /// Appends are refused; enough replicas would take them if their disks had space.
  full,
  /// So many disks were replaced that nobody knows all that was acknowledged.
  lost,
  halted  ///< replicas contradict each other
};
inline constexpr std::size_t log_conditions = 7;

/// The condition of a log as the leader of its term sees it.
LogCondition condition_of(const LogSeen& l);

/// Number of replicas that take appends.
std::size_t streaming(const LogSeen& l);

/// True if the replica can be reached and lacks 64 MiB of committed bytes, or has lacked some for
/// 10 s.
bool is_behind(const ReplicaSeen& r, Offset committed);

/// Groups logs by their condition, in the order given. Keeps pointers: the logs must outlive it.
class LogsByCondition {
 public:
  explicit LogsByCondition(const std::vector<LogSeen>& logs);
  const std::vector<const LogSeen*>& operator[](LogCondition c) const {
    return logs_[static_cast<std::size_t>(c)];
  }

 private:
  std::array<std::vector<const LogSeen*>, log_conditions> logs_;
};

}  // namespace loglog::sequencer
