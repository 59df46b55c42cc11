// The two writes of a promise into the slots of its file (spec/02 P1).
#include "storage-node/core/promise.h"

#include <algorithm>

namespace loglog::storage {

void PromiseKeeper::raise(Term term, InstanceId instance, std::function<void()> on_durable) {
  // Both slots hold the promise before the node answers for it. Otherwise, if the newest slot alone
  // went bad, the node would take the older promise for its word and obey a deposed leader again.
  const std::uint64_t step = rules::promise_counter_step();
  held_ = Promise{held_.counter + step, term, instance};
  if (rules::writes_both_slots()) {
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
