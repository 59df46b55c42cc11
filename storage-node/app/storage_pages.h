// The HTTP pages of a storage node. They read figures and decide nothing.
#pragma once
#include "proto-spec/http/loop_gate.h"
#include "storage-node/io/uv_storage_driver.h"

namespace loglog::storage {

/// /healthz, /readyz and /metrics (Prometheus). Requests come on the HTTP server's thread; the gate
/// asks the driver on the driver's thread. The driver must live until gate.close(), and the gate as
/// long as the pages.
http::Pages pages_of(StorageDriver& driver, http::LoopGate& gate);

}  // namespace loglog::storage
