#include "storage-node/core/promise.h"

#include <algorithm>

#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {

void PromiseKeeper::raise(Term term, InstanceId instance, std::function<void()> on_durable) {
  // The slots in turn, and both hold the promise before it is answered for: with the newest slot
  // alone gone bad, an older promise would be taken for the node's word, and a deposed leader would
  // be obeyed again.
  const std::uint64_t step = removed(Rule::T3_slots) ? 2 : 1;
  held_ = Promise{held_.counter + step, term, instance};
  if (!removed(Rule::T3_twice)) {
    node_.disk(SavePromise{log_, held_.counter, encode_promise(held_)}, {});
    held_.counter += step;
  }
  node_.disk(SavePromise{log_, held_.counter, encode_promise(held_)},
             [this, counter = held_.counter, on_durable = std::move(on_durable)](DiskDone&&) {
               durable_ = std::max(durable_, counter);
               on_durable();
             });
}

}  // namespace loglog::storage
