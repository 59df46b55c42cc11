// Lists of weak pointers: a connection may end without a word, so each look drops the entries whose
// connection has gone. The list of unknown connections is short (connections_unknown_max), so
// linear search is fine.
#include "proto-spec/transport/admissions.h"

#include <algorithm>

#include "proto-spec/transport/connection.h"

namespace loglog::transport {

Admissions::Admissions(std::uint64_t descriptors, Duration progress_period)
    : descriptors_(descriptors),
      progress_period_(progress_period),
      clients_max_(static_cast<std::size_t>(
          std::min<std::uint64_t>(descriptors / clients_share, connections_clients_max))),
      unknown_max_(static_cast<std::size_t>(
          std::min<std::uint64_t>(descriptors / unknown_share, connections_unknown_max))) {}

std::shared_ptr<Connection> Admissions::arrived(const std::shared_ptr<Connection>& c) {
  std::shared_ptr<Connection> oldest;
  // Entries of connections that have ended are dropped first; they are not refused and not counted.
  while (!oldest && unknown_.size() >= std::max<std::size_t>(unknown_max_, 1)) {
    oldest = unknown_.front().lock();
    unknown_.pop_front();
    if (oldest) ++refused_;
  }
  unknown_.push_back(c);
  return oldest;
}

// A connection moves from the unknown to the clients, or to the servers, which have no limit.
bool Admissions::known(const Connection& c, bool client) {
  left(c, false);
  if (!client) return true;
  if (clients_ >= clients_max_) {
    ++refused_;
    return false;
  }
  ++clients_;
  return true;
}

// `clients_` counts only clients that known() has admitted; otherwise a refused client would be
// subtracted too.
void Admissions::left(const Connection& c, bool client) {
  if (client) --clients_;
  else
    unknown_.remove_if([&c](const std::weak_ptr<Connection>& w) {
      const auto there = w.lock();
      return !there || there.get() == &c;
    });
}

// A client that was closed, or has room by other means, leaves the queue here.
std::shared_ptr<Connection> Admissions::first_waiting() {
  while (!waiting_.empty()) {
    if (auto c = waiting_.front().lock(); c && c->waits_for_room()) return c;
    waiting_.pop_front();
  }
  return {};
}

void Admissions::holds(const std::shared_ptr<Connection>& c, bool block) {
  if (block) holders_[c.get()] = c;
  else holders_.erase(c.get());
}

std::vector<std::shared_ptr<Connection>> Admissions::holders() const {
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [id, weak] : holders_)
    if (auto c = weak.lock()) all.push_back(std::move(c));
  return all;
}

}  // namespace loglog::transport
