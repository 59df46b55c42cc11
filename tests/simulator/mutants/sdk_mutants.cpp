// Functions of the SDK that misbehave once a rule is removed. Only the mutation build has them, so
// that no program that is installed holds their code.
#include "sdk/core/followers.h"

namespace loglog::client {

/// R1_position removed: moves the reader to where the log begins, and tells the application nothing
/// of the entries between.
void Followers::skip_trimmed(Time now, Token t, Call& f, Offset begins) {
  f.cursor = FollowCursor(f.log, begins);
  move_on(now, f, false);
  subscribe(now, t, f);
}

}  // namespace loglog::client
