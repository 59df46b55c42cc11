#include "storage-node/core/promise.h"

#include <algorithm>

#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {

void PromiseKeeper::raise(Term term, InstanceId instance, std::function<void()> on_durable) {
  held_ = Promise{held_.counter + (removed(Rule::T3_slots) ? 2 : 1), term, instance};  // the slots in turn
  node_.disk(SavePromise{log_, held_.counter, encode_promise(held_)},
             [this, counter = held_.counter, on_durable = std::move(on_durable)](DiskDone&&) {
               durable_ = std::max(durable_, counter);
               on_durable();
             });
}

}  // namespace loglog::storage
