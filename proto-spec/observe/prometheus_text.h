// Writes figures in the Prometheus text format, version 0.0.4. Servers use it for /metrics, the SDK
// for its client figures.
//
// LogLog has its own writer because this file is all of it. prometheus-cpp brings a registry whose
// figures take a lock at every count, and every application of the SDK would have to link it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "proto-spec/observe/histogram.h"

namespace loglog::observe {

/// The content type of the format, which scrapers expect.
inline constexpr std::string_view prometheus_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

/// Call counter(), gauge() or histogram() to begin a family, then value() for each of its values.
/// Label values may be any bytes, as log names are; they are escaped. Family names follow
/// https://prometheus.io/docs/practices/naming: base units; counters end in _total.
class PrometheusText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a family; `help` is its sentence for people.
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
  /// `parts`: how many units of the histogram make a base unit of the family, for example 1e6
  /// microseconds in a second.
  template <const auto& bounds>
  PrometheusText& value(const Histogram<bounds>& h, double parts) {
    return buckets(h.bounds(), h.counts(), h.sum(), parts);
  }
  /// From microseconds to seconds.
  PrometheusText& value(const LatencyHistogram& h) { return value(h, 1e6); }
  PrometheusText& value(const SizeHistogram& h) { return value(h, 1.0); }
  /// A value for each error that occurred, with the label "error".
  PrometheusText& value(const ErrorCounts& errors);

  /// Gives the text away; the object is empty afterwards.
  std::string take() { return std::move(text_); }

 private:
  PrometheusText& family(std::string_view name, std::string_view type, std::string_view help);
  PrometheusText& buckets(std::span<const std::uint64_t> bounds,
                          std::span<const std::uint64_t> counts, std::uint64_t sum, double parts);
  void labelled(std::string_view suffix, Labels labels);

  std::string name_;  // of the family that was begun last
  std::string text_;
};

}  // namespace loglog::observe
