// Two logs that contain the same term were written by the same leader there, in the same order
// (D1). So within a common term the shorter log is a prefix of the longer log.
#include "sequencer/core/log/term_history.h"

#include <algorithm>

namespace loglog::sequencer {
namespace {

/// A term ends at the start of the next term, the last term at the tail.
Offset end_of(const TermHistory& h, std::size_t i) {
  return i + 1 < h.terms.size() ? std::min(h.terms[i + 1].offset, h.tail) : h.tail;
}

}  // namespace

TermHistory history_of(const StateIs& s) {
  TermHistory h{s.terms, s.first, s.tail};
  // A log may begin with a segment start, which is no term start. The term of the last frame is in
  // the list all the same, so that divergence() finds it.
  if (s.tail > s.first && (h.terms.empty() || h.terms.back().term < s.last_frame_term))
    h.terms.push_back({s.last_frame_term, h.terms.empty() ? s.first : s.tail});
  return h;
}

/// Walks both lists down from the newest term to the newest common term.
Offset divergence(const TermHistory& a, const TermHistory& b) {
  std::size_t i = a.terms.size();
  std::size_t j = b.terms.size();
  while (i > 0 && j > 0) {
    const Term x = a.terms[i - 1].term;
    const Term y = b.terms[j - 1].term;
    if (x == y) return std::min(end_of(a, i - 1), end_of(b, j - 1));
    if (x > y) --i;
    else --j;
  }
  return Offset{0};
}

}  // namespace loglog::sequencer
