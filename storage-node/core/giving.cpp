// Bytes move from `reading` to sent (may_send) and leave the count when the peer has taken them.
#include "storage-node/core/giving.h"

#include <algorithm>

#include "storage-node/core/rules.h"

namespace loglog::storage {

bool Giving::begin(ConnectionId from, RequestId request, std::uint64_t bytes) {
  const auto known = askers_.find(from);
  const std::uint64_t its = known == askers_.end() ? 0 : known->second.bytes;
  const bool fits = its + bytes <= options_.given.bytes_per_peer_max &&
                    bytes_ + bytes <= options_.given.bytes_max;
  if (!rules::may_give(its, fits)) return false;
  Asker& a = askers_[from];
  // The request id belongs to a question that is not answered yet.
  if (!a.reading.emplace(request, Reading{bytes}).second) return false;
  a.bytes += bytes;
  bytes_ += bytes;
  return true;
}

bool Giving::may_send(ConnectionId from, RequestId request, std::uint64_t bytes) {
  const auto found = askers_.find(from);
  if (found == askers_.end()) return false;
  Asker& a = found->second;
  const auto r = a.reading.find(request);
  if (r == a.reading.end()) return false;
  const Reading was = r->second;
  a.reading.erase(r);
  // A question that was given up is answered without bytes.
  if (was.given_up) bytes = 0;
  drop(a, was.bytes);
  a.bytes += bytes;
  a.sent += bytes;
  bytes_ += bytes;
  return !was.given_up;
}

void Giving::drop(Asker& a, std::uint64_t bytes) {
  a.bytes -= bytes;
  bytes_ -= bytes;
}

void Giving::taken(ConnectionId from, std::uint64_t bytes) {
  const auto found = askers_.find(from);
  if (found == askers_.end()) return;
  Asker& a = found->second;
  // A peer that says more than it was sent must not lower the count of other questions.
  const std::uint64_t of_sent = std::min(bytes, a.sent);
  a.sent -= of_sent;
  drop(a, of_sent);
}

void Giving::give_up(ConnectionId from, RequestId request) {
  const auto found = askers_.find(from);
  if (found == askers_.end()) return;
  if (const auto r = found->second.reading.find(request); r != found->second.reading.end())
    // The bytes are already being read: may_send() drops them.
    r->second.given_up = true;
}

void Giving::lost(ConnectionId from) {
  const auto found = askers_.find(from);
  if (found == askers_.end()) return;
  bytes_ -= found->second.bytes;
  askers_.erase(found);
}

}  // namespace loglog::storage
