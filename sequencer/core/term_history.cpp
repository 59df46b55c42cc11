#include "sequencer/core/term_history.h"

#include <algorithm>

namespace loglog::sequencer {
namespace {

/// A term ends where the next one starts, the last one at the tail.
Offset end_of(const TermHistory& h, std::size_t i) {
  return i + 1 < h.terms.size() ? std::min(h.terms[i + 1].offset, h.tail) : h.tail;
}

}  // namespace

TermHistory history_of(const StateIs& s) {
  TermHistory h{s.terms, s.first, s.tail};
  // The last frame's term is in the list whatever the node counts as a term's start (a log may
  // begin with a segment start).
  if (s.tail > s.first && (h.terms.empty() || h.terms.back().term < s.last_frame_term))
    h.terms.push_back({s.last_frame_term, h.terms.empty() ? s.first : s.tail});
  return h;
}

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
