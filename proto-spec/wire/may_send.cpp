// The words of the `direction` column are constants here; the table is expanded into a switch over
// message numbers.
#include "proto-spec/wire/may_send.h"

namespace loglog {
namespace {

/// A set of roles, a bit each.
using Roles = unsigned;
constexpr Roles bit(Role r) { return 1u << static_cast<unsigned>(r); }
constexpr Roles client = bit(Role::client), sequencer = bit(Role::sequencer),
                storage = bit(Role::storage);
constexpr Roles server = sequencer | storage, any = client | server;

// Roles that may send, and roles that may receive.
struct Direction {
  Roles from;
  Roles to;
};

/// The words of the column. A word in the table without a constant here does not compile.
namespace direction_of {
constexpr Direction any_to_any{any, any};
constexpr Direction client_to_any{client, any};
constexpr Direction client_to_storage{client, storage};
constexpr Direction client_to_sequencer{client, sequencer};
constexpr Direction any_to_storage{any, storage};
constexpr Direction storage_to_any{storage, any};
constexpr Direction storage_to_client{storage, client};
constexpr Direction storage_to_sequencer{storage, sequencer};
constexpr Direction storage_to_storage{storage, storage};
constexpr Direction storage_to_server{storage, server};
constexpr Direction sequencer_to_client{sequencer, client};
constexpr Direction sequencer_to_storage{sequencer, storage};
constexpr Direction sequencer_to_sequencer{sequencer, sequencer};
}  // namespace direction_of

}  // namespace

bool is_role(Role r) { return r == Role::client || r == Role::sequencer || r == Role::storage; }

bool may_send(Role from, Role to, MessageType type) {
  if (!is_role(from) || !is_role(to)) return false;
  switch (type) {
#define LOGLOG_MESSAGE(number, Name, direction, since)        \
  case MessageType::Name:                                     \
    return (direction_of::direction.from & bit(from)) != 0 && \
           (direction_of::direction.to & bit(to)) != 0;
#include "proto-spec/messages.def"
  }
  return false;
}

}  // namespace loglog
