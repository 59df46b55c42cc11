// A promise (T3), the node-wide one or a log's own: raised in memory at once, answered for once
// durable.
#pragma once
#include <functional>

#include "proto-spec/vocabulary/rules.h"
#include "storage-node/core/node.h"

namespace loglog::storage {

class PromiseKeeper {
 public:
  PromiseKeeper(Node& node, LogId log) : node_(node), log_(log) {}

  const Promise& held() const { return held_; }
  bool durable() const { return durable_ >= held_.counter || removed(Rule::T3_durable); }
  /// As found on disk.
  void found(const Promise& p) {
    held_ = p;
    durable_ = found_ = p.counter;
  }
  /// Writes of the promise, as the start found them. They only rise, so a directory that has fewer
  /// than the node has told of is an older copy (T4).
  std::uint64_t found() const { return found_; }
  /// Writes that are durable even if either slot goes bad.
  std::uint64_t surely_written() const { return durable_ > 0 ? durable_ - 1 : 0; }
  /// T1: a higher term is taken; the same one only for the instance it is bound to.
  bool admits(Term term, InstanceId instance) const {
    return term > held_.term || (term == held_.term && term != Term{} &&
                                 (instance == held_.instance || removed(Rule::T1_instance)));
  }
  /// Takes the term (if it is new) and saves it; `on_durable` is for the node to go on with what
  /// waited.
  void raise(Term term, InstanceId instance, std::function<void()> on_durable);

 private:
  Node& node_;
  LogId log_;
  Promise held_{};
  std::uint64_t durable_ = 0;
  std::uint64_t found_ = 0;
};

}  // namespace loglog::storage
