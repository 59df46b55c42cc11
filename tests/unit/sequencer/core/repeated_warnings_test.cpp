// Repeated warnings (spec/09 "warnings about one log that repeat"): a line of a kind, log and node
// in ten seconds, which says how many were held back.
#include "sequencer/core/repeated_warnings.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

TEST_CASE(
    "a warning that comes 8000 times a second is one line in ten seconds, with the count (C-6)") {
  RepeatedWarnings warnings;
  const Time begin{};
  std::size_t lines = 0;
  std::string last;
  for (int i = 0; i < 240'000; ++i)
    if (auto line = warnings.say(begin + i * 125us, LogId{6}, NodeId{2}, "repair",
                                 "node 2 cannot be repaired yet")) {
      ++lines;
      last = *line;
    }
  CHECK(lines == 3);
  CHECK(last == "node 2 cannot be repaired yet (79999 more like it were held back)");
}

TEST_CASE("warnings of another node, log or kind are not held back (C-6)") {
  RepeatedWarnings warnings;
  const Time now{};
  CHECK(warnings.say(now, LogId{6}, NodeId{2}, "repair", "a") == "a");
  CHECK(warnings.say(now, LogId{6}, NodeId{3}, "repair", "b") == "b");
  CHECK(warnings.say(now, LogId{7}, NodeId{2}, "repair", "c") == "c");
  CHECK(warnings.say(now, LogId{6}, NodeId{2}, "misfit", "d") == "d");
  CHECK_FALSE(warnings.say(now, LogId{6}, NodeId{2}, "misfit", "e"));
  warnings.forget(LogId{6});
  CHECK(warnings.size() == 1);
  CHECK(warnings.say(now, LogId{6}, NodeId{2}, "misfit", "f") == "f");
}
