// A listening socket, or a name of this process. It accepts streams; connections are made of them
// by the caller.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "proto-spec/transport/local_pipe.h"
#include "proto-spec/transport/stream.h"

namespace loglog::transport {

/// Stops when destroyed. If the process has no descriptor left for a connection, the listener
/// pauses, and new connections wait in the kernel. Belongs to its loop's thread.
class Listener {
 public:
  /// Gets a stream that is not open yet; a stream that is dropped is closed.
  using OnAccept = std::function<void(const Stream::Ptr&)>;
  /// Fails with address_in_use or bad_configuration. Port 0 takes a free port. Blocks while the
  /// host name is looked up.
  static Result<std::unique_ptr<Listener>> listen(Loop& loop, const std::string& address,
                                                  OnAccept on_accept);
  ~Listener();
  /// HOST:PORT with the port that was taken; or "local:NAME".
  const std::string& address() const { return address_; }

 private:
  Listener() = default;
  int begin();
  void accept();
  void pause();
  void go_on_later();
  Loop* loop_ = nullptr;
  uv_tcp_t* tcp_ = nullptr;
  // A duplicate of the socket. It keeps the socket and its waiting connections alive while tcp_ is
  // closed in a pause.
  int spare_ = -1;
  // False once destroyed; timers hold a copy.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<LocalListener> local_;  // in place of tcp_, for "local:NAME"
  OnAccept on_accept_;
  std::string address_;
};

}  // namespace loglog::transport
