// Checks appends under conditions (F1, F2): the promises `condition`, `in_the_way` and `fence`. The
// workload records its conditional appends and their refusals. The judgement comes once, over the
// whole log, at the end of a run.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "sdk/core/output.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Judges a single log. Checkers owns it; the world must outlive it.
class ConditionChecker {
 public:
  explicit ConditionChecker(World& world) : world_(world) {}

  /// The knowledge at the start of an append: how far its client has followed the log, and the end
  /// of the acknowledged entries.
  struct Known {
    Offset followed, acknowledged;
  };
  void append_started(const std::string& payload, const client::AppendConditions& c, Known known) {
    asked_[payload] = {c, known};
  }
  /// The append ended with `offset_mismatch`; `ends` is the committed offset in the refusal.
  void mismatched(const std::string& payload, Offset ends);
  /// A token above all earlier tokens, as a lock service would give it.
  FenceToken next_token() { return FenceToken{++tokens_}; }
  /// The token was set; all entries of lower tokens are said to lie below `end`.
  void fence_set(FenceToken token, Offset end);
  /// `entries`: all entries of the log from `first` on, in the order of their offsets.
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
