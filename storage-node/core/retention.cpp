#include "storage-node/core/retention.h"

#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {

bool trim_log(LogCore& s, Offset point) {
  const Offset before = s.first();
  s.trim_wanted = std::max(s.trim_wanted, point);
  const Offset allowed = removed(Rule::R3_committed) ? s.trim_wanted : std::min(s.trim_wanted, s.readable_end());
  auto firsts = s.segments.take_below(allowed);
  if (!firsts.empty()) {
    s.node.disk(UnlinkSegments{s.id, std::move(firsts), true}, {});
    trim_terms(s.terms, s.segments.front());
  }
  return s.first() != before;
}

}  // namespace loglog::storage
