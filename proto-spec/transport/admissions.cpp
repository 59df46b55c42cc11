#include "proto-spec/transport/admissions.h"

#include <algorithm>

#include "proto-spec/transport/uv_connection.h"

namespace loglog::transport {

Admissions::Admissions(std::uint64_t descriptors, Duration progress_period)
    : descriptors_(descriptors),
      progress_period_(progress_period),
      clients_max_(static_cast<std::size_t>(std::min<std::uint64_t>(descriptors / clients_share, connections_clients_max))),
      unknown_max_(static_cast<std::size_t>(std::min<std::uint64_t>(descriptors / unknown_share, connections_unknown_max))) {}

std::shared_ptr<Connection> Admissions::arrived(const std::shared_ptr<Connection>& c) {
  std::shared_ptr<Connection> oldest;
  while (!oldest && unknown_.size() >= std::max<std::size_t>(unknown_max_, 1)) {
    oldest = unknown_.front().lock();
    unknown_.pop_front();
    if (oldest) ++refused_;
  }
  unknown_.push_back(c);
  return oldest;
}

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

void Admissions::left(const Connection& c, bool client) {
  if (client) --clients_;
  else
    unknown_.remove_if([&c](const std::weak_ptr<Connection>& w) {
      const auto there = w.lock();
      return !there || there.get() == &c;
    });
}

}  // namespace loglog::transport
