// One connection, over TCP or within this process: hellos, messages in and out. Received payloads stay where the socket put them;
// sent ones are written from the caller's buffers.
#pragma once
#include <memory>
#include <string>
#include <variant>

#include "proto-spec/session/session.h"
#include "proto-spec/transport/local_pipe.h"
#include "proto-spec/transport/uv_loop.h"

namespace loglog::transport {

/// "127.0.0.1:7070", "[::1]:7070" or "host:7070" in two; "local:NAME" (a server of this process) as it is; bad_configuration
/// otherwise.
Result<std::pair<std::string, std::string>> split_address(const std::string& address);
/// The same, and bad_configuration for "local:NAME" too.
Result<std::pair<std::string, std::string>> split_tcp_address(const std::string& address);

/// A connection that waits to be taken: at a listening socket, or the end of a pipe.
using Incoming = std::variant<uv_stream_t*, LocalPipe::Ptr>;

/// Belongs to its loop's thread. Callbacks come on that thread, never from inside a call of this class; on_closed at
/// most once, and none after close().
class Connection : public Flushable, public std::enable_shared_from_this<Connection> {
 public:
  struct Callbacks {
    std::function<void(const Hello&)> on_hello;
    std::function<void(RequestId, Message&&)> on_message;
    std::function<void(const Error&)> on_closed;
  };
  using Ptr = std::shared_ptr<Connection>;

  /// Dials; answers by on_hello or on_closed. A name is looked up at each dial, so that a peer may change its address; of several
  /// addresses the first that takes the connection is used. Each has 1 s where others are left, the last one 5 s. A look-up takes as long
  /// as the system's resolver lets it, and the loop ends only after it.
  static Ptr dial(Loop& loop, const std::string& address, Hello own, Session::Expectation expected, Callbacks callbacks);
  /// Takes it; nullptr when that fails.
  static Ptr accept(Loop& loop, const Incoming& incoming, Hello own, Session::Expectation expected);

  Connection(Loop& loop, Hello own, Session::Expectation expected);
  ~Connection() override = default;

  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }
  /// Queues; what one turn of the loop queues leaves in as few writes as possible.
  void send(RequestId request, const Message& m);
  /// Says why (Failed with request id 0) when not ok, then closes. No callback comes after it.
  void close(const Error& why = {});
  bool open() const { return state_ == State::open; }

  void flush() override;

 private:
  enum class State { connecting, open, draining, closed };
  struct Write;
  void dial_local(const std::string& name);
  void look_up(const std::string& host, const std::string& port);
  void connect_next();
  void connect_failed(const Error& why);
  void expect_hello();
  void opened();
  void read_from_socket();
  void read_some(ssize_t n);
  void take_from_pipe();
  void broken(const Error& why);
  void shut();
  void close_handle();

  Loop& loop_;
  uv_tcp_t tcp_{};  // without a socket where there is a pipe
  LocalPipe::Ptr pipe_;
  Hello own_;
  Session session_;
  Callbacks callbacks_;
  State state_ = State::connecting;
  std::vector<Encoded> out_;
  std::vector<uv_buf_t> buffers_;  // of flush()
  std::size_t queued_ = 0;
  std::size_t writes_ = 0;
  bool dirty_ = false;
  std::vector<sockaddr_storage> addresses_;  // to be dialled, in order
  std::size_t dialled_ = 0;                  // of them
  Ptr self_;                                 // while libuv knows the handle
};

/// A listening socket, or name of this process. Stops when destroyed.
class Listener {
 public:
  using OnAccept = std::function<void(const Incoming&)>;
  /// address_in_use or bad_configuration otherwise. Port 0 takes a free one.
  static Result<std::unique_ptr<Listener>> listen(Loop& loop, const std::string& address, OnAccept on_accept);
  ~Listener();
  /// HOST:PORT as it is, with the port taken; or "local:NAME".
  const std::string& address() const { return address_; }

 private:
  Listener() = default;
  uv_tcp_t* tcp_ = nullptr;
  std::unique_ptr<LocalListener> local_;  // instead, for "local:NAME"
  OnAccept on_accept_;
  std::string address_;
};

}  // namespace loglog::transport
