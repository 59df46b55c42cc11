// What every Prometheus client library says of its process, and the build.
#pragma once
#include <string_view>

#include "proto-spec/observe/prometheus_text.h"

namespace loglog::http {

/// loglog_build_info, process_open_fds, process_max_fds, process_resident_memory_bytes,
/// process_cpu_seconds_total, process_start_time_seconds. Reads /proc; any thread. What the system
/// does not tell is left out.
void add_process(observe::PrometheusText& text, std::string_view version);

}  // namespace loglog::http
