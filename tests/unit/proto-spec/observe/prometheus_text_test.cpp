// The text of /metrics: Prometheus format, escaping of labels, histograms and error counts. The
// expected texts are exact, because scrapers parse them.
#include "proto-spec/observe/prometheus_text.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::observe;

TEST_CASE("prometheus text: families, labels and what is escaped in them") {
  PrometheusText t;
  t.counter("a_total", "Help.")
      .value(std::uint64_t{18'446'744'073'709'551'615u})
      .value(std::uint64_t{3}, {{"k", "v"}, {"l", "w"}});
  t.gauge("b_seconds", "More.").value(0.25, {{"name", "a\"b\\c\nd"}});
  t.gauge("empty", "No value.");
  CHECK(t.take() ==
        "# HELP a_total Help.\n# TYPE a_total counter\na_total "
        "18446744073709551615\na_total{k=\"v\",l=\"w\"} 3\n"
        "# HELP b_seconds More.\n# TYPE b_seconds gauge\nb_seconds{name=\"a\\\"b\\\\c\\nd\"} 0.25\n"
        "# HELP empty No value.\n# TYPE empty gauge\n");
}

TEST_CASE("prometheus text: a label that is not UTF-8 spoils no page") {
  const auto shown = [](std::string_view label) {
    PrometheusText t;
    t.gauge("g", "h").value(std::uint64_t{1}, {{"n", label}});
    const std::string text = t.take();
    const auto from = text.find("n=\"") + 3;
    return text.substr(from, text.rfind('"') - from);
  };
  const std::string bad = "\xef\xbf\xbd";
  for (const char* good : {"", "log", "Prot\xc3\xb6koll", "\xe2\x82\xac", "\xf0\x9f\xaa\xb5",
                           "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    CHECK(shown(good) == good);
  CHECK(shown("a\x80z") == "a" + bad + "z");
  CHECK(shown("\xc3") == bad);
  CHECK(shown("\xc0\xaf") == bad + bad);                      // overlong
  CHECK(shown("\xe0\x9f\xbf") == bad + bad + bad);            // overlong
  CHECK(shown("\xed\xa0\x80") == bad + bad + bad);            // a surrogate
  CHECK(shown("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(shown("\xf0\x9f\xaa") == bad + bad + bad);            // cut short
  CHECK(shown(std::string_view("\0", 1)) == std::string(1, '\0'));
}

TEST_CASE("histogram: a bound belongs to its bucket, and buckets are cumulative as text") {
  LatencyHistogram h;
  h.count(Duration(50));
  h.count(Duration(51));
  h.count(Duration(1'000'000), 3);
  h.count(Duration(10'000'001));
  h.count(Duration(-7));  // ignored: a negative difference of clocks counts as zero
  CHECK(h.counts()[0] == 2);
  CHECK(h.counts()[1] == 1);
  CHECK(h.counts().back() == 1);
  CHECK(h.sum() == 50 + 51 + 3'000'000 + 10'000'001);
  PrometheusText t;
  t.histogram("d_seconds", "Help.").value(h);
  const std::string text = t.take();
  CHECK(text.starts_with(
      "# HELP d_seconds Help.\n# TYPE d_seconds histogram\nd_seconds_bucket{le=\"5e-05\"} "
      "2\nd_seconds_bucket{le=\"0.0001\"} 3\n"));
  CHECK(text.find("d_seconds_bucket{le=\"0.5\"} 3\nd_seconds_bucket{le=\"1\"} 6\n") !=
        std::string::npos);
  CHECK(text.find("d_seconds_bucket{le=\"10\"} 6\nd_seconds_bucket{le=\"+Inf\"} 7\n") !=
        std::string::npos);
  CHECK(text.find("d_seconds_sum 13.000102") != std::string::npos);
  CHECK(text.ends_with("d_seconds_count 7\n"));
}

TEST_CASE("histogram: sizes in bytes") {
  SizeHistogram h;
  h.count(1);
  h.count(1u << 20);
  h.count((1u << 24) + 1);
  PrometheusText t;
  t.histogram("s_bytes", "Help.").value(h);
  const std::string text = t.take();
  CHECK(text.find("s_bytes_bucket{le=\"256\"} 1\n") != std::string::npos);
  // Bounds are written as exact integers.
  CHECK(text.find("s_bytes_bucket{le=\"1.04858e+06\"}") == std::string::npos);
  CHECK(text.find("s_bytes_bucket{le=\"1048576\"} 2\n") != std::string::npos);
  CHECK(text.ends_with("s_bytes_bucket{le=\"+Inf\"} 3\ns_bytes_sum 17825794\ns_bytes_count 3\n"));
}

TEST_CASE("errors are counted by name, and only those that came") {
  ErrorCounts errors;
  errors.count(Errc::busy);
  errors.count(Errc::busy);
  errors.count(static_cast<Errc>(60'000));  // an error number of a newer peer
  PrometheusText t;
  t.counter("e_total", "Help.").value(errors);
  CHECK(t.take() ==
        "# HELP e_total Help.\n# TYPE e_total counter\ne_total{error=\"busy\"} "
        "2\ne_total{error=\"unknown_error\"} 1\n");
  CHECK(errors.of(Errc::busy) == 2);
  CHECK(errors.of(Errc::not_leader) == 0);
}
