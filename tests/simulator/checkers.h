// One checker per promise. They watch what clients saw and what the wire and the disks hold, never the cores' insides.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sdk/core/output.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

class Checkers {
 public:
  explicit Checkers(World& world);

  // What clients did and saw.
  void append_started(LogId log, const std::string& payload);
  void append_ended(LogId log, const std::string& payload, const client::Completion& result);
  void entry_read(LogId log, const client::Entry& e);
  /// The largest end of an acknowledged entry, or earlier tail: what a tail call that starts now must reach.
  Offset tail_floor(LogId log) const;
  void tail_answered(LogId log, Offset floor, Offset committed);

  /// At the end, after a full read of the log: everything acknowledged was read, nothing failed was.
  void log_fully_read(LogId log, const std::vector<client::Entry>& entries, Offset first);
  /// At the end, idle: the replicas' segments are equal below `committed`.
  void compare_replicas(LogId log, Offset committed);

  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t unknown() const { return unknown_; }
  std::uint64_t read() const { return read_; }

 private:
  struct Seen {
    std::uint64_t hash;
    Offset next;
    ProducerId producer;
    Sequence sequence;
  };
  struct PerLog {
    std::map<std::string, Offset> acknowledged;
    std::set<std::string> failed;
    std::set<std::string> started;
    std::map<Offset, Seen> seen;
    Offset floor{};
  };
  void violated(const std::string& checker, const std::string& what);

  World& world_;
  std::map<LogId, PerLog> logs_;
  std::map<std::pair<LogId, Term>, InstanceId> leader_of_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t unknown_ = 0;
  std::uint64_t read_ = 0;
};

}  // namespace loglog::simulator
