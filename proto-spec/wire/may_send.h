// Which role may send which message to which: the `direction` column of proto-spec/messages.def, as
// code.
#pragma once
#include "proto-spec/wire/messages.h"

namespace loglog {

/// Whether this build knows the role.
bool is_role(Role r);
/// Whether a process of role `from` may send a message of this type to one of role `to`. False for
/// a role or a number that this build does not know.
bool may_send(Role from, Role to, MessageType type);

}  // namespace loglog
