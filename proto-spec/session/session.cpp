// The checks stand in the order in which their refusals help most: protocol, version, role,
// cluster, identity (W4). Each refusal names both sides' values.
#include "proto-spec/session/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/wire/may_send.h"

namespace loglog {

std::string_view name_of(Role r) {
  switch (r) {
    case Role::client:
      return "client";
    case Role::sequencer:
      return "sequencer";
    case Role::storage:
      return "storage node";
  }
  return "unknown role";
}

// Anybody may connect, so before the hello the decoder accepts only small messages and reserves
// only a small block (W9).
Session::Session(Hello own, Expectation expected)
    : decoder_(hello_size_max, hello_size_max - message_header_size),
      own_(std::move(own)),
      expected_(std::move(expected)) {}

// version_ is set before the later checks can fail, so that a refusal is sent in a version that the
// peer speaks.
Result<void> Session::accept(const Hello& theirs) {
  if (theirs.magic != hello_magic)
    return fail(Errc::bad_magic, "the first message is no LogLog hello");
  if (theirs.highest_version < own_.lowest_version || theirs.lowest_version > own_.highest_version)
    return fail(
        Errc::wrong_version,
        fmt::format("this side speaks versions {} to {}, the peer {} to {}", own_.lowest_version,
                    own_.highest_version, theirs.lowest_version, theirs.highest_version));
  version_ = std::min(own_.highest_version, theirs.highest_version);
  // A peer of an unknown role may send nothing (may_send), and would count towards no limit on
  // clients.
  if (!is_role(theirs.role))
    return fail(Errc::wrong_role,
                fmt::format("no role has number {}", static_cast<unsigned>(theirs.role)));
  if (!expected_.roles.empty() && std::find(expected_.roles.begin(), expected_.roles.end(),
                                            theirs.role) == expected_.roles.end())
    return fail(Errc::wrong_role, fmt::format("this side is a {}, the peer a {}",
                                              name_of(own_.role), name_of(theirs.role)));
  // An empty name or a zero id fits any cluster: a client that takes any, or a node that has
  // adopted none (W4).
  if (!own_.cluster_name.empty() && !theirs.cluster_name.empty() &&
      own_.cluster_name != theirs.cluster_name)
    return fail(Errc::wrong_cluster, fmt::format("this side belongs to \"{}\", the peer to \"{}\"",
                                                 own_.cluster_name, theirs.cluster_name));
  if (own_.cluster != ClusterId{} && theirs.cluster != ClusterId{} &&
      own_.cluster != theirs.cluster)
    return fail(Errc::wrong_cluster,
                fmt::format("this side's cluster id is {:016x}, the peer's {:016x}",
                            own_.cluster.value, theirs.cluster.value));
  if (expected_.id != 0 && theirs.id != expected_.id)
    return fail(Errc::wrong_identity,
                fmt::format("id {} was dialled, id {} answers", expected_.id, theirs.id));
  return {};
}

// W4a. Cores rely on it and do not check directions themselves.
Result<void> Session::admits(const Message& m) const {
  const MessageType type = type_of(m);
  if (may_send(peer_.role, own_.role, type)) return {};
  return fail(Errc::unexpected_message,
              fmt::format("a {} may not send {} to a {}", name_of(peer_.role),
                          loglog::name_of(type), name_of(own_.role)));
}

Result<std::optional<Received>> Session::next() {
  auto r = decoder_.next();
  if (!r || !*r) return r;
  if (established_) {
    if (auto ok = admits((*r)->message); !ok) return std::unexpected(ok.error());
    return r;
  }
  // A peer that refuses this side's hello sends Failed in place of its own hello.
  if (const auto* refused = std::get_if<Failed>(&(*r)->message))
    return fail(refused->error, "the peer says: " + refused->detail);
  auto* hello = std::get_if<Hello>(&(*r)->message);
  if (hello == nullptr) return fail(Errc::bad_magic, "the first message is no hello");
  if (auto ok = accept(*hello); !ok) return std::unexpected(ok.error());
  peer_ = *hello;
  // Order: later messages may already lie in the block, and they use the agreed version and the
  // larger limits.
  decoder_.set_version(version_);
  decoder_.set_sizes(receive_block_size, message_body_max);
  established_ = true;
  return r;
}

}  // namespace loglog
