// The comparison of two lists of term starts (S4): up to which offset two logs are equal.
#include "sequencer/core/log/term_history.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
TermHistory h(std::vector<TermStart> terms, std::uint64_t tail, std::uint64_t first = 0) {
  return {std::move(terms), Offset{first}, Offset{tail}};
}
TermStart t(std::uint32_t term, std::uint64_t at) { return {Term{term}, Offset{at}}; }
}  // namespace

TEST_CASE("divergence: in the highest term both have, up to the shorter end (S4)") {
  const TermHistory base = h({t(1, 0), t(3, 100), t(5, 200)}, 300);
  CHECK(divergence(base, base) == Offset{300});
  CHECK(divergence(base, h({t(1, 0), t(3, 100), t(5, 200)}, 250)) == Offset{250});
  CHECK(divergence(base, h({t(1, 0), t(3, 100)}, 180)) == Offset{180});
  // Longer, but in an older term.
  CHECK(divergence(base, h({t(1, 0), t(3, 100)}, 260)) == Offset{200});
  // Term 2 is a term that the base never saw.
  CHECK(divergence(base, h({t(1, 0), t(2, 80)}, 400)) == Offset{80});
  CHECK(divergence(base, h({t(1, 0), t(2, 120), t(4, 140)}, 500)) == Offset{100});
  CHECK(divergence(base, h({t(1, 0), t(3, 100), t(4, 150)}, 500)) == Offset{150});
  CHECK(divergence(base, h({}, 0)) == Offset{0});
  CHECK(divergence(base, h({t(2, 0)}, 90)) == Offset{0});
  // A base that was trimmed up to offset 150.
  CHECK(divergence(h({t(3, 100), t(5, 200)}, 300, 150), h({t(1, 0), t(3, 100)}, 170)) ==
        Offset{170});
}

TEST_CASE("history: the last frame's term is always in the list") {
  StateIs s;
  s.tail = Offset{60};
  s.last_frame_term = Term{4};
  CHECK(history_of(s).terms == std::vector<TermStart>{t(4, 0)});
  s = {};
  CHECK(history_of(s).terms.empty());
}
