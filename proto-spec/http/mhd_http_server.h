// Serves a table of pages over HTTP/1.1 with GNU libmicrohttpd. The pages themselves are made
// elsewhere (pages.h, node_pages.h); deadlines of connections are in posix_connection_deadlines.h.
// Every server's Host starts a Server if pages are wanted.
#pragma once
#include <memory>
#include <string>

#include "proto-spec/http/pages.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog::http {

/// Limits of the server (spec/09, pages over HTTP).
struct ServerOptions {
  /// Connections at a time. A further connection is closed before it says anything.
  unsigned connections_max = 256;
  /// Of connections_max so many are kept free: with fewer left, the connection that has waited
  /// longest for its next request is closed. So a health probe always finds a place, however many
  /// browsers hold connections.
  unsigned connections_spare = 32;
  /// From the connection's start, or from the previous answer, to the end of a request, seconds.
  unsigned request_max_s = 5;
  /// Life of a connection, answers included, seconds.
  unsigned connection_max_s = 30;
};

/// Accepts connections on threads of its own from start() to destruction. The destructor waits for
/// pages that are being made.
class Server {
 public:
  /// Diagnostics of libmicrohttpd about a connection, for people. Called on any of the server's
  /// threads.
  using Notice = std::function<void(const std::string&)>;

  /// `host` and `port` as transport::split_tcp_address gives them; port "0" takes a free port.
  /// Fails with address_in_use, bad_configuration or system_error.
  static Result<std::unique_ptr<Server>> start(const std::string& host, const std::string& port,
                                               Pages pages, ServerOptions options = {},
                                               Notice notice = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// HOST:PORT with the port that was taken.
  const std::string& address() const;

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loglog::http
