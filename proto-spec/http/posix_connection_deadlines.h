// How long each connection of the HTTP server may take. libmicrohttpd can close silent connections
// only: a client that sends a byte now and then, or reads its answer that slowly, would hold its
// place for ever. Used by mhd_http_server.cpp alone.
#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace loglog::http {

/// Thread-safe. A connection is named by its socket, which must be open from opened() to closed().
/// A thread of its own looks for late connections ten times per request limit.
class ConnectionDeadlines {
 public:
  /// `request`: from the connection's start, or from the previous answer, to the end of a request.
  /// `connection`: the whole life. `open_max`: above it the connection that has waited longest for
  /// a request is closed.
  struct Limits {
    std::chrono::milliseconds request;
    std::chrono::milliseconds connection;
    std::size_t open_max;
  };
  explicit ConnectionDeadlines(Limits limits);
  ~ConnectionDeadlines();
  ConnectionDeadlines(const ConnectionDeadlines&) = delete;
  ConnectionDeadlines& operator=(const ConnectionDeadlines&) = delete;

  /// Starts the connection's clock, and makes room if too many are open.
  void opened(int socket);
  /// A whole request is here; until answered() the request limit does not run.
  void request_came(int socket);
  /// The answer has left; the next request's limit runs from now.
  void answered(int socket);
  /// Must come before the socket's number can be used again.
  void closed(int socket);
  /// True if another request could not end within the connection's limit, so the connection should
  /// close after the answer under way.
  bool is_last_request(int socket);

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    Clock::time_point opened, waits_since;
    bool answering = false;
    bool ended = false;
  };
  void watch();
  void end(int socket, Connection& c);
  void make_room(int newest);

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, Connection> connections_;
  bool stopping_ = false;
  std::thread watcher_;
};

}  // namespace loglog::http
