// R3: files go only below the committed offset, because an uncommitted tail may still be cut.
#include "storage-node/core/retention.h"

#include "storage-node/core/rules.h"

namespace loglog::storage {

bool trim_log(LogCore& s, Offset point) {
  const Offset before = s.first();
  s.trim_wanted = std::max(s.trim_wanted, point);
  if (s.store.trim(rules::trim_limit(s.trim_wanted, s.readable_end())))
    trim_terms(s.terms, s.first_kept());
  return s.first() != before;
}

}  // namespace loglog::storage
