#include "storage-node/core/giving.h"

#include <algorithm>

#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {

bool Giving::begin(ConnectionId from, RequestId request, std::uint64_t bytes) {
  const auto known = askers_.find(from);
  const std::uint64_t its = known == askers_.end() ? 0 : known->second.bytes;
  // A peer of which nothing is under way is always served, so that the largest run passes whatever
  // the others take.
  const bool fits = its + bytes <= options_.given_bytes_per_peer_max &&
                    bytes_ + bytes <= options_.given_bytes_max;
  if (its > 0 && !fits && !removed(Rule::P2_given)) return false;
  Asker& a = askers_[from];
  if (!a.reading.emplace(request, Reading{bytes}).second)
    return false;  // the id of a question that is not answered yet
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
  const std::uint64_t of_sent = std::min(bytes, a.sent);
  a.sent -= of_sent;
  drop(a, of_sent);
}

void Giving::give_up(ConnectionId from, RequestId request) {
  const auto found = askers_.find(from);
  if (found == askers_.end()) return;
  if (const auto r = found->second.reading.find(request); r != found->second.reading.end())
    r->second.given_up = true;
}

void Giving::lost(ConnectionId from) {
  const auto found = askers_.find(from);
  if (found == askers_.end()) return;
  bytes_ -= found->second.bytes;
  askers_.erase(found);
}

}  // namespace loglog::storage
