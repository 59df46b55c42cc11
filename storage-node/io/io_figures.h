// What the driver of a storage node counts, and all that the node shows to monitors.
#pragma once
#include <cstdint>

#include "proto-spec/observe/histogram.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/uv_loop.h"
#include "storage-node/core/figures.h"

namespace loglog::storage {

/// Since the start of the process.
struct IoFigures {
  observe::LatencyHistogram sync;  ///< from the submission of a group's fdatasync, with the writes
                                   ///< that it is linked to, to its end
  observe::SizeHistogram group;  ///< frames made durable by one fdatasync; marks alone are no group
  std::uint64_t disk_errors = 0;  ///< operations that failed and may: reads, and requests for space
  std::uint64_t descriptor_waits =
      0;  ///< times that an operation was put off because no descriptor was left
};

struct NodeReport {
  Report core;
  IoFigures io;
  transport::Traffic traffic;
  transport::Admissions::Figures admissions;
};

}  // namespace loglog::storage
