// Which role may send which message to which role: the `direction` column of
// proto-spec/messages.def as a function. A Session asks it for each message (W4a); no core checks
// directions.
#pragma once
#include "proto-spec/wire/messages.h"

namespace loglog {

/// True if this build knows the role.
bool is_role(Role r);
/// True if a process of role `from` may send a message of this type to a process of role `to`.
/// False for a role or a message number that this build does not know.
bool may_send(Role from, Role to, MessageType type);

}  // namespace loglog
