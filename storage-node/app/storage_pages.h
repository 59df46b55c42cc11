// What a storage node shows over HTTP.
#pragma once
#include "proto-spec/http/loop_gate.h"
#include "storage-node/io/uv_storage_driver.h"

namespace loglog::storage {

/// /healthz, /readyz and /metrics (Prometheus). The driver is asked on its own thread; it must live
/// until gate.close(), and the gate as long as the pages.
http::Pages pages_of(StorageDriver& driver, http::LoopGate& gate);

}  // namespace loglog::storage
