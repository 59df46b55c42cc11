// How a log fares, judged from what its replicas do. Verdict and alarms put this one judgement into
// words, so that they cannot contradict each other. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// From the best to the worst.
enum class LogCondition : std::uint8_t {
  fine,  ///< takes appends and has a replica to spare, or was made to need all; or it is being made
         ///< or deleted
  no_spare,      ///< takes appends; one replica more that is lost stops them
  recovering,    ///< enough replicas are there to open it
  below_quorum,  ///< appends wait for replicas that are away
  full,          ///< appends are refused: enough replicas would take them if their disks had space
  lost,          ///< so many disks were replaced that nobody knows all that was acknowledged
  halted         ///< replicas contradict each other
};
inline constexpr std::size_t log_conditions = 7;

/// Of a log as the leader of a term sees it.
LogCondition condition_of(const LogSeen& l);

/// Replicas that take appends.
std::size_t streaming(const LogSeen& l);

/// The replica lacks much that is committed, or has lacked it for long, and can be reached.
bool is_behind(const ReplicaSeen& r, Offset committed);

/// Each log under its condition, in the order of the logs, which must outlive this.
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
