// Serves pages over HTTP/1.1 with GNU libmicrohttpd.
#pragma once
#include <memory>
#include <string>

#include "proto-spec/http/pages.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog::http {

struct ServerOptions {
  unsigned connections_max = 256;  ///< at once; a further one is closed before it says anything
  /// Of those, so many are kept free: when fewer are, the connection that has waited longest for
  /// its next request is closed. So a probe always finds a place, however many pages stand open.
  unsigned connections_spare = 32;
  unsigned request_max_s =
      5;  ///< from the connection, or the answer before, to the end of a request
  unsigned connection_max_s = 30;  ///< all of it, answers included
};

/// Takes connections in threads of its own from start() to destruction, which waits for the pages
/// that are being made.
class Server {
 public:
  /// What happened to a connection, for people; from any of the server's threads.
  using Notice = std::function<void(const std::string&)>;

  /// `host` and `port` as transport::split_tcp_address gives them; port "0" takes a free one.
  /// address_in_use or bad_configuration otherwise.
  static Result<std::unique_ptr<Server>> start(const std::string& host, const std::string& port,
                                               Pages pages, ServerOptions options = {},
                                               Notice notice = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// HOST:PORT with the port taken.
  const std::string& address() const;

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loglog::http
