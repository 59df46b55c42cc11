// Functions of the SDK that misbehave once a rule is removed. Only the mutation build has them, so
// that no program that is installed holds their code.
#include "sdk/core/machine_parts.h"

namespace loglog::client {

/// R1_position removed: moves the reader to where the log begins, and tells the application nothing
/// of the entries between.
void ClientMachine::Parts::skip_trimmed(Time at, Token t, FollowCall& f, Offset begins) {
  f.cursor = FollowCursor(f.log, begins);
  move_on(at, f, false);
  subscribe(at, t, f);
}

}  // namespace loglog::client
