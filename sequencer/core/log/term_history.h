// The offset at which the logs of two replicas diverge, computed from their lists of term starts
// alone (S4). Used by repair.cpp for cuts; it compares no bytes. Pure.
#pragma once
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// A replica's log as far as S4 needs it: `first` <= `tail`, and the terms of the frames between.
struct TermHistory {
  std::vector<TermStart> terms;  ///< ascending, from the term in force at `first` on
  Offset first{};
  Offset tail{};
};

/// The history that a node reported in its state.
TermHistory history_of(const StateIs& s);
/// The offset up to which the two logs agree: within the highest term that both have, the shorter
/// end of it. 0: they have no term in common.
Offset divergence(const TermHistory& a, const TermHistory& b);

}  // namespace loglog::sequencer
