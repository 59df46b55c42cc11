// Keeps a promise (T3): the highest term that the node has sealed, and the instance that the term
// is bound to. The machine has a keeper for all logs; each log has its own keeper for terms that
// were begun for it alone. A promise counts in memory at once, but the node answers for it only
// when it is durable.
#pragma once
#include <functional>

#include "storage-node/core/node.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {

class PromiseKeeper {
 public:
  /// `log` 0: the keeper of the node-wide promise. `node` must outlive the keeper.
  PromiseKeeper(Node& node, LogId log) : node_(node), log_(log) {}

  const Promise& held() const { return held_; }
  /// True once both slots of the file hold the promise that held() returns.
  bool durable() const { return rules::is_promise_durable(durable_, held_.counter); }
  /// Takes the promise that the start found on disk; at most once, before raise().
  void found(const Promise& p) {
    held_ = p;
    durable_ = found_ = p.counter;
  }
  /// The promise's write counter at start. The counter only rises, so a directory with a smaller
  /// counter than the leader has registered is an older copy (T4).
  std::uint64_t found() const { return found_; }
  /// The value that the counter keeps even if either slot goes bad.
  std::uint64_t surely_written() const { return durable_ > 0 ? durable_ - 1 : 0; }
  /// T1: the node accepts a higher term, and its current term only from the instance that the term
  /// is bound to.
  bool admits(Term term, InstanceId instance) const {
    return rules::may_seal(term, instance, held_);
  }
  /// Binds the promise to the term and instance, and writes both slots. `on_durable` runs when the
  /// second write is durable, so that the commands that waited can go on. The caller has checked
  /// admits().
  void raise(Term term, InstanceId instance, std::function<void()> on_durable);

 private:
  Node& node_;
  LogId log_;
  /// held_.counter numbers the newest write that was requested, durable_ the newest write that is
  /// durable, found_ the newest write before this process. found_ <= durable_ <= held_.counter.
  Promise held_{};
  std::uint64_t durable_ = 0;
  std::uint64_t found_ = 0;
};

}  // namespace loglog::storage
