// Where two replicas' logs part, from their lists of term starts alone (S4).
#pragma once
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

struct TermHistory {
  std::vector<TermStart> terms;  ///< ascending, from the term in force at `first` on
  Offset first{};
  Offset tail{};
};

/// As a node reported it.
TermHistory history_of(const StateIs& s);
/// The logs agree below this offset and not beyond: in the highest term that both have, up to the
/// shorter end. 0: no term in common.
Offset divergence(const TermHistory& a, const TermHistory& b);

}  // namespace loglog::sequencer
