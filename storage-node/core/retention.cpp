// R3: files go only below the committed offset, because an uncommitted tail may still be cut. They
// also stay while the strand needs them.
#include "storage-node/core/retention.h"

#include "storage-node/core/rules.h"

namespace loglog::storage {

bool trim_log(LogCore& s, Offset point) {
  const Offset before = s.first();
  s.trim_wanted = std::max(s.trim_wanted, point);
  Offset allowed = rules::trim_limit(s.trim_wanted, s.readable_end());
  if (!s.held_files.empty()) allowed = std::min(allowed, *s.held_files.begin());
  auto firsts = s.segments.take_below(allowed);
  if (!firsts.empty()) {
    // The strand is not waited for, because removing a large file takes long (output.h).
    s.node.disk(UnlinkSegments{s.id, std::move(firsts), true}, {});
    trim_terms(s.terms, s.segments.front());
  }
  return s.first() != before;
}

void hold_file(LogCore& s, Offset file) { s.held_files.insert(file); }

void release_file(LogCore& s, Offset file) {
  s.held_files.erase(s.held_files.find(file));
  if (!s.dropped) trim_log(s, s.trim_wanted);
}

}  // namespace loglog::storage
