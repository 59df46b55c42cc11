// Writes figures in the Prometheus text format, version 0.0.4.
//
// Our own, for all of it is below: prometheus-cpp (libprometheus-cpp-dev) brings a registry whose
// figures lock at every count, and every application of the SDK would have to link it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "proto-spec/observe/histogram.h"

namespace loglog::observe {

/// What scrapers ask for.
inline constexpr std::string_view prometheus_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

/// A family (counter, gauge, histogram) begins with its name and help; the values that follow are
/// its own. Values are any bytes, as log names are: those of labels are escaped. Names follow
/// https://prometheus.io/docs/practices/naming: base units, counters end in _total.
class PrometheusText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  PrometheusText& counter(std::string_view name, std::string_view help) {
    return family(name, "counter", help);
  }
  PrometheusText& gauge(std::string_view name, std::string_view help) {
    return family(name, "gauge", help);
  }
  PrometheusText& histogram(std::string_view name, std::string_view help) {
    return family(name, "histogram", help);
  }

  PrometheusText& value(std::uint64_t v, Labels labels = {});
  PrometheusText& value(double v, Labels labels = {});
  /// `parts`: how many of the histogram's values make one of the unit in the family's name.
  template <const auto& bounds>
  PrometheusText& value(const Histogram<bounds>& h, double parts) {
    return buckets(h.bounds(), h.counts(), h.sum(), parts);
  }
  /// Microseconds, as seconds.
  PrometheusText& value(const LatencyHistogram& h) { return value(h, 1e6); }
  PrometheusText& value(const SizeHistogram& h) { return value(h, 1.0); }
  /// One value for each error that was counted.
  PrometheusText& value(const ErrorCounts& errors);

  std::string take() { return std::move(text_); }

 private:
  PrometheusText& family(std::string_view name, std::string_view type, std::string_view help);
  PrometheusText& buckets(std::span<const std::uint64_t> bounds,
                          std::span<const std::uint64_t> counts, std::uint64_t sum, double parts);
  void labelled(std::string_view suffix, Labels labels);

  std::string name_;  // of the family
  std::string text_;
};

}  // namespace loglog::observe
