// What appends under conditions promise (F1, F2): condition, in_the_way, fence. Judged over the
// whole log once a run has come to its end.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "sdk/core/output.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

class ConditionChecker {
 public:
  explicit ConditionChecker(World& world) : world_(world) {}

  /// What is known where an append begins: how far its client has read, and how far entries are
  /// acknowledged.
  struct Known {
    Offset followed, acknowledged;
  };
  void append_started(const std::string& payload, const client::AppendConditions& c, Known known) {
    asked_[payload] = {c, known};
  }
  /// It ended as offset_mismatch.
  void mismatched(const std::string& payload, Offset ends);
  /// Another token than any before: what a lock service gives.
  FenceToken next_token() { return FenceToken{++tokens_}; }
  /// It was set, and all of lower tokens is said to lie below `end`.
  void fence_set(FenceToken token, Offset end);
  /// All entries from `first` on.
  void judge(const std::vector<client::Entry>& entries, Offset first);

 private:
  struct Asked {
    client::AppendConditions conditions;
    Known known;
  };
  struct Mismatch {
    std::string payload;
    Offset expected, ends;
    Known known;
  };
  void judge(const Mismatch& m, const std::vector<client::Entry>& entries) const;
  World& world_;
  std::uint64_t tokens_ = 0;
  std::map<std::string, Asked> asked_;
  std::vector<Mismatch> mismatches_;
  std::map<FenceToken, Offset> fences_;
};

}  // namespace loglog::simulator
