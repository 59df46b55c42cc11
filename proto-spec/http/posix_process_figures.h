// The process metrics that every Prometheus client library exports, and the build's version. Each
// server's /metrics page adds them.
#pragma once
#include <string_view>

#include "proto-spec/observe/prometheus_text.h"

namespace loglog::http {

/// Adds loglog_build_info, loglog_log_lines_dropped_total, process_open_fds, process_max_fds,
/// process_resident_memory_bytes, process_cpu_seconds_total and process_start_time_seconds. Reads
/// /proc, on any thread. A figure that the system does not give is left out.
void add_process(observe::PrometheusText& text, std::string_view version);

}  // namespace loglog::http
