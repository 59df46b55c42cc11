// The only subtle parts are escaping (any bytes must give valid UTF-8) and histograms, whose
// buckets are cumulative in the text and not in memory.
#include "proto-spec/observe/prometheus_text.h"

#include <fmt/format.h>

#include <iterator>

namespace loglog::observe {
namespace {

/// Length in bytes of the valid UTF-8 sequence at the beginning of `s`, which is not empty; 0 if
/// none begins there.
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (n == 0 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  // Overlong forms, surrogates and values above U+10FFFF.
  const unsigned char next = n > 1 ? byte(1) : 0;
  if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
      (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f))
    return 0;
  return n;
}

/// Escapes a label value. An invalid byte becomes U+FFFD, because a scraper would refuse the whole
/// page for it.
void escape(std::string& out, std::string_view s) {
  while (!s.empty()) {
    const std::size_t n = utf8_length(s);
    if (s.front() == '\n') out += "\\n";
    else if (s.front() == '"' || s.front() == '\\') (out += '\\') += s.front();
    else if (n == 0) out += "\xef\xbf\xbd";
    else out += s.substr(0, n);
    s.remove_prefix(n == 0 ? 1 : n);
  }
}

}  // namespace

PrometheusText& PrometheusText::family(std::string_view name, std::string_view type,
                                       std::string_view help) {
  name_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  return *this;
}

// Writes a value's name and labels, up to the blank before the number.
void PrometheusText::labelled(std::string_view suffix, Labels labels) {
  (text_ += name_) += suffix;
  char before = '{';
  for (const auto& [label, value] : labels) {
    ((text_ += before) += label) += "=\"";
    escape(text_, value);
    text_ += '"';
    before = ',';
  }
  text_ += labels.size() > 0 ? "} " : " ";
}

PrometheusText& PrometheusText::value(std::uint64_t v, Labels labels) {
  labelled({}, labels);
  fmt::format_to(std::back_inserter(text_), "{}\n", v);
  return *this;
}

PrometheusText& PrometheusText::value(double v, Labels labels) {
  labelled({}, labels);
  fmt::format_to(std::back_inserter(text_), "{}\n", v);
  return *this;
}

PrometheusText& PrometheusText::value(const ErrorCounts& errors) {
  for (std::uint16_t i = 0; i < ErrorCounts::numbers; ++i)
    if (const Errc e{i}; errors.of(e) > 0) value(errors.of(e), {{"error", name_of(e)}});
  return *this;
}

PrometheusText& PrometheusText::buckets(std::span<const std::uint64_t> bounds,
                                        std::span<const std::uint64_t> counts, std::uint64_t sum,
                                        double parts) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    const std::string bound =
        i < bounds.size() ? fmt::format("{}", static_cast<double>(bounds[i]) / parts) : "+Inf";
    labelled("_bucket", {{"le", bound}});
    fmt::format_to(std::back_inserter(text_), "{}\n", below);
  }
  fmt::format_to(std::back_inserter(text_), "{}_sum {}\n{}_count {}\n", name_,
                 static_cast<double>(sum) / parts, name_, below);
  return *this;
}

}  // namespace loglog::observe
