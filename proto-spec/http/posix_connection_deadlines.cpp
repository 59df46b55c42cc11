// A late connection is ended by shutdown() and never by close(): the descriptor belongs to
// libmicrohttpd, whose thread sees the end and closes it.
#include "proto-spec/http/posix_connection_deadlines.h"

#include <sys/socket.h>

#include "proto-spec/transport/posix_signals.h"

namespace loglog::http {

ConnectionDeadlines::ConnectionDeadlines(Limits limits) : limits_(limits) {
  const transport::SignalsBlocked around_the_start;
  watcher_ = std::thread([this] { watch(); });
}

ConnectionDeadlines::~ConnectionDeadlines() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  watcher_.join();
}

// The watcher sleeps without a timeout while no connection is open, so the first connection wakes
// it.
void ConnectionDeadlines::opened(int socket) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  connections_[socket] = {now, now};
  if (connections_.size() > limits_.open_max) make_room(socket);
  if (connections_.size() == 1) changed_.notify_one();
}

void ConnectionDeadlines::request_came(int socket) {
  const std::lock_guard lock(mutex_);
  if (const auto c = connections_.find(socket); c != connections_.end()) c->second.answering = true;
}

void ConnectionDeadlines::answered(int socket) {
  const std::lock_guard lock(mutex_);
  const auto c = connections_.find(socket);
  if (c == connections_.end()) return;
  c->second.answering = false;
  c->second.waits_since = Clock::now();
}

void ConnectionDeadlines::closed(int socket) {
  const std::lock_guard lock(mutex_);
  connections_.erase(socket);
}

// Twice the request limit remains for a next request and its answer.
bool ConnectionDeadlines::is_last_request(int socket) {
  const std::lock_guard lock(mutex_);
  const auto c = connections_.find(socket);
  return c == connections_.end() ||
         Clock::now() - c->second.opened > limits_.connection - 2 * limits_.request;
}

/// Called with the mutex held. The libmicrohttpd thread of the connection sees the end and closes
/// the socket. It calls closed() first, so the number cannot belong to another connection yet.
void ConnectionDeadlines::end(int socket, Connection& c) {
  if (c.ended) return;
  c.ended = true;
  ::shutdown(socket, SHUT_RDWR);
}

// Ends the connection that has waited longest for a request. `newest` and connections with an
// answer under way are spared.
void ConnectionDeadlines::make_room(int newest) {
  auto longest = connections_.end();
  for (auto c = connections_.begin(); c != connections_.end(); ++c) {
    if (c->first == newest || c->second.answering || c->second.ended) continue;
    if (longest == connections_.end() || c->second.waits_since < longest->second.waits_since)
      longest = c;
  }
  if (longest != connections_.end()) end(longest->first, longest->second);
}

// The watcher's thread. Its period, a tenth of the request limit, bounds how late a connection is
// ended.
void ConnectionDeadlines::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (connections_.empty())
      changed_.wait(lock, [this] { return stopping_ || !connections_.empty(); });
    else changed_.wait_for(lock, limits_.request / 10);
    const auto now = Clock::now();
    for (auto& [socket, c] : connections_) {
      const bool late = !c.answering && now - c.waits_since > limits_.request;
      if (late || now - c.opened > limits_.connection) end(socket, c);
    }
  }
}

}  // namespace loglog::http
