// Each check names the relation that is broken; check() ends the process with that sentence.
#include "storage-node/core/invariants.h"

#include "proto-spec/vocabulary/check.h"

namespace loglog::storage {

void check_invariants(const LogCore& s) {
  check(s.durable.end <= s.written.end, "durable passes written");
  check(s.durable.end == s.store.end(), "the store ends elsewhere than the durable bytes");
  check(s.store.first_kept() <= s.durable.end, "the log ends before its first segment");
  check(s.store.open_segment() <= s.written.end, "a segment begins past the tail");
  check(s.terms.empty() || s.terms.back().term == s.written.last_term ||
            s.written.last_term == Term{},
        "the last term start is not the last frame's");
  check(s.matched <= s.promise().held().term, "matched in a term that was not promised");
}

}  // namespace loglog::storage
