// Counters of the storage node's driver, and the sum of figures that the node shows to monitors.
// The driver counts; app/storage_pages.cpp renders.
#pragma once
#include <cstdint>

#include "proto-spec/observe/histogram.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/uv_loop.h"
#include "storage-node/core/figures.h"

namespace loglog::storage {

/// Counters since the start of the process.
struct IoFigures {
  /// Duration of a group's fdatasync; through the page cache, its writes are linked to it and are
  /// included.
  observe::LatencyHistogram sync;
  /// Bytes of frames that a single fdatasync made durable. A write of marks alone is not counted.
  observe::SizeHistogram group;
  /// Failed operations that may fail: reads, and requests for space.
  std::uint64_t disk_errors = 0;
  /// How often an operation waited because no descriptor was left.
  std::uint64_t descriptor_waits = 0;
};

// All figures of a node at a moment.
struct NodeReport {
  Report core;
  IoFigures io;
  transport::Traffic traffic;
  transport::Admissions::Figures admissions;
};

}  // namespace loglog::storage
