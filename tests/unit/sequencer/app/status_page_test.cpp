// The status page and /status.json: the embedded page equals the file of the tree, loads nothing
// from elsewhere, and the JSON says null for unknown values.
#include "sequencer/app/status_page.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sequencer/app/status_json.h"
#include "sequencer/core/alarms.h"

using namespace loglog;
using namespace loglog::sequencer;

TEST_CASE("status page: the file of the tree, byte for byte") {
  const auto root = std::filesystem::path(__FILE__)
                        .parent_path()
                        .parent_path()
                        .parent_path()
                        .parent_path()
                        .parent_path();
  std::ifstream in(root / "sequencer/app/status_page.html");
  std::ostringstream file;
  file << in.rdbuf();
  REQUIRE(file.str().size() > 10'000);
  CHECK(status_page_html == file.str());
}

TEST_CASE(
    "status page: scripts and styles carry the nonce, every alarm has its place, nothing comes "
    "from elsewhere") {
  const std::string page = status_page("n0nce");
  CHECK(page.find("{{") == std::string::npos);
  CHECK(page.find("<script nonce=\"n0nce\">") != std::string::npos);
  CHECK(page.find("<style nonce=\"n0nce\">") != std::string::npos);
  for (const AlarmKind& k : alarm_kinds)
    CHECK(page.find("id=\"about-" + std::string(k.id) + "\"") != std::string::npos);
  for (auto at = page.find("http"); at != std::string::npos; at = page.find("http", at + 1)) {
    const std::string_view here = std::string_view(page).substr(at, 26);
    // The namespace name of SVG, which no browser fetches.
    CHECK_MESSAGE(here == "http://www.w3.org/2000/svg", here);
  }
  // Text goes into the page as text, never as HTML.
  CHECK(page.find("innerHTML") == std::string::npos);
  CHECK(status_page_policy("n0nce").find("default-src 'none'; script-src 'nonce-n0nce'") == 0);
}

TEST_CASE("status json: what is not known is null, and names are escaped") {
  ClusterPicture p;
  p.served_by = SequencerId{2};
  Overview& o = p.overview;
  o.cluster_name = "a\"b\\c\n";
  o.id = SequencerId{2};
  o.sequencers = {{SequencerId{1}, "s1:1", false, 0xFFFF'FFFF}, {SequencerId{2}, "s2:1", true, 0}};
  o.storage = {{NodeId{1}, "n1:1", NodeCondition::foreign_disk, 7, 0, 0, 0}};
  o.logs = {{LogId{1},
             "events",
             LogState::open,
             false,
             false,
             Term{},
             Offset{5},
             Offset{},
             2,
             {{NodeId{1}, ReplicaState::unreachable, Offset{}, 0}}}};
  o.logs_total = 1;
  o.clients = {3, 1, {{"10.0.0.7:1", "a\xff\x1b", "1", "events", ProducerId{10}, 5, 6, 1050, 7}}};
  const std::string json = status_json(p, History{}, 1'700'000'000'123);
  const auto has = [&](std::string_view part) {
    CHECK_MESSAGE(json.find(part) != std::string::npos, part << " in " << json);
  };
  // Names with quotes and control characters stay valid JSON.
  has(R"("cluster": "a\"b\\c\u000a")");
  has(R"("at_ms": 1700000000123)");
  has(R"("source": "no_leader")");
  has(R"("leader": null)");
  has(R"({"id": 1, "address": "s1:1", "role": "unreachable", "reachable": false, "silent_ms": null})");
  has(R"("condition": "foreign_disk", "silent_ms": 7, "staged_bytes": 0, "staged_bytes_max": null)");
  has(R"("state": "closed", "term": 0, "first": 5, "committed": null)");
  has(R"({"node": 1, "state": "unreachable", "durable": null, "behind_bytes": null, "behind_ms": 0, "disk_bytes": null})");
  has(R"("clients": 3)");
  has(R"({"address": "10.0.0.7:1", "name": "a\ufffd\u001b", "version": "1", "log": "events", "producer": "000000000000000a", "entries": 5, "bytes": 6, "entries_per_s": 1.050, "bytes_per_s": 7})");
  has(R"("samples": [])");
}

TEST_CASE("status json: samples, with gaps") {
  History h;
  Overview o;
  o.id = SequencerId{1};
  o.commit_latency = {{1000, 0}, {0xFFFF'FFFF, 0}};
  h.add(Time{}, 1000, &o);
  o.appends = 21;
  o.append_bytes = 2000;
  o.commit_latency[0].count = 4;
  h.add(Time{} + 2s, 3000, &o);
  ClusterPicture p;
  p.source = ClusterPicture::Source::leads;
  const std::string json = status_json(p, h, 4000);
  // The first sample has no predecessor, so its rates are null.
  CHECK_MESSAGE(json.find("[1000, null, null, null, null],\n  [3000, 10.5, 1000, 500, 990]") !=
                    std::string::npos,
                json);
}
