// The sizes of quorums (S2, S6, R2): for each N and W, any two sets that must meet do meet.
#include "proto-spec/vocabulary/quorum.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;

TEST_CASE("quorums meet: a seal every write, a confirmation every write and every seal (S2, R2)") {
  for (std::size_t n = 1; n <= replicas_max; ++n)
    for (std::size_t w = 1; w <= n; ++w) {
      const Quorum q{n, w};
      // Two sets of n members meet if their sizes together pass n.
      CHECK(q.seal() + q.write() > n);
      CHECK(q.confirm() + q.write() > n);
      CHECK(q.confirm() + q.seal() > n);
      // No smaller seal quorum would do.
      CHECK(q.seal() - 1 + q.write() <= n);
    }
}

TEST_CASE("quorums: two of three by default, and the extremes") {
  CHECK(Quorum{3, 2}.seal() == 2);
  CHECK(Quorum{3, 2}.confirm() == 2);
  CHECK(Quorum{5, 5}.seal() == 1);
  CHECK(Quorum{5, 5}.confirm() == 5);
  CHECK(Quorum{5, 1}.seal() == 5);
}
