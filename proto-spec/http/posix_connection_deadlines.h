// How long each connection of the HTTP server may take. libmicrohttpd could close silent
// connections only: a client that says a byte now and then, or reads an answer that slowly, would
// hold its place for ever.
#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace loglog::http {

/// From any thread. A connection is named by its socket, which is open from opened() to closed().
class ConnectionDeadlines {
 public:
  struct Limits {
    std::chrono::milliseconds
        request;  ///< from the connection, or the answer before, to the end of a request
    std::chrono::milliseconds connection;  ///< all of it
    std::size_t
        open_max;  ///< beyond it the connection that has waited longest for a request is closed
  };
  explicit ConnectionDeadlines(Limits limits);
  ~ConnectionDeadlines();
  ConnectionDeadlines(const ConnectionDeadlines&) = delete;
  ConnectionDeadlines& operator=(const ConnectionDeadlines&) = delete;

  void opened(int socket);
  void request_came(int socket);
  void answered(int socket);
  void closed(int socket);
  /// Another request would not be over in time: the connection is to be closed after the answer
  /// under way.
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
