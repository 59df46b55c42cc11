#include "storage-node/app/storage_pages.h"

#include "proto-spec/http/node_pages.h"

namespace loglog::storage {

http::Pages pages_of(StorageDriver& driver, http::LoopGate& gate) {
  return http::node_pages(gate, [&driver] { return driver.readiness(); });
}

}  // namespace loglog::storage
