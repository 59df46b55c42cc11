// The sentences with which `loglog` refuses a command line that it cannot parse, and the places
// where general options may stand.
#include "sdk/cli/word_order.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "proto-spec/config/usage.h"
#include "sdk/cli/command_line.h"

using namespace loglog::cli;
using namespace loglog::config;
using Words = std::vector<std::string>;

namespace {
/// Returns the refusal, or an empty string if the words parse.
std::string said(const Words& words) {
  CommandLine line;
  auto ordered = in_order(line.app, words);
  if (!ordered) return ordered.error();
  std::ranges::reverse(*ordered);
  try {
    line.app.parse(*std::move(ordered));
  } catch (const CLI::ParseError& e) {
    return usage_sentence(line.app, e);
  }
  return {};
}
bool says(const Words& words, const std::string& part) {
  const std::string all = said(words);
  INFO(all);
  CHECK(all.find(part) != std::string::npos);
  return all.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("a slip of the finger is told the nearest name (D)") {
  says({"stauts"}, "did you mean status?");
  says({"apend", "events"}, "did you mean append?");
  says({"logs", "lst"}, "did you mean list?");
  says({"status", "--jsn"}, "did you mean --json?");
  says({"--halp"}, "loglog has no option --halp; did you mean --help?");
  says({"--frobnicate"}, "loglog has no option --frobnicate");
  says({"logs", "--halp"}, "loglog logs has no option --halp; did you mean --help?");
  says({"xyzzy"}, "loglog has no command \"xyzzy\"; it has ");
  says({"logs"}, "loglog logs needs a command: create");
  CHECK(nearest("st", {"status", "storage"}) == std::nullopt);  // a correct beginning is no slip
}

TEST_CASE("options that all commands have stand before the command too (D)") {
  CommandLine line;
  const auto in = [&line](const Words& words) { return *in_order(line.app, words); };
  CHECK(in({"--cluster", "a:1", "status"}) == Words{"status", "--cluster", "a:1"});
  CHECK(in({"--cluster=a:1", "logs", "list"}) == Words{"logs", "list", "--cluster=a:1"});
  CHECK(in({"--json", "logs", "--cluster", "a:1", "list", "--names"}) ==
        Words{"logs", "list", "--json", "--cluster", "a:1", "--names"});
  CHECK(in({"append", "status"}) == Words{"append", "status"});  // a log may have a command's name
  CHECK(in({"--help"}) == Words{"--help"});
  CHECK(said({"--cluster", "a:1", "--timeout", "3", "tail", "events"}).empty());
}

TEST_CASE("values are refused in our words, whatever the option (D)") {
  says({"read", "events", "--count", "-1"}, "--count");
  says({"logs", "trim", "events", "-1"}, "OFFSET");
  says({"logs", "create", "a", "--retention-bytes", "1Gb"}, "write 1GiB");
  says({"logs", "create", "a", "--segment-size", "1KiB"}, "between");
  CHECK(said({"logs", "create", "a", "--replicas", "10"}) ==
        "--replicas: 10 is not between 1 and 9");
  CHECK(said({"dev", "--storage", "0"}) == "--storage: 0 is not between 1 and 9");
  CHECK(said({"nodes", "replace-disk", "0"}) == "NODE: 0 is no number of 1 or more");
  CHECK(said({"nodes", "replace-disk", "x"}) == "NODE: x is no number of 1 or more");
  CHECK(said({"logs", "fence", "a", "0"}) == "TOKEN: 0 is no number of 1 or more");
  CHECK(said({"read", "events", "--from"}) == "--from needs a value");
  CHECK(said({"status", "--json", "--watch"}) == "--json and --watch do not go together");
  says({"read", "events", "--from", "xx"}, "--from: xx is no position; give begin");
  for (const char* from : {"begin", "end", "17", "6@9458", "-15m", "2026-11-21T20:00:00Z"})
    CHECK(said({"read", "events", "--from", from}).empty());
  says({"logs", "trim", "events", "--before", "xx"}, "--before: xx is no time");
  says({"read", "events", "--format", "xml"}, "--format xml: give lines, json, raw");
  says({"bench", "append", "--size", "99999999"}, "16777215");
  says({"bench", "append", "--in-flight", "0"}, "--in-flight");
  says({"append", "events", "--timeout", "soon"}, "seconds");
  CHECK(said({"logs", "create", "a", "--segment-size", "64MiB", "--retention-age", "7d"}).empty());
  CHECK(said({"append", "events", "--timeout", "5"}).empty());
}
