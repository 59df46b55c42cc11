// One connection, over TCP or within this process: hellos, messages in and out. Received payloads
// stay where the socket put them; sent ones are written from the caller's buffers.
#pragma once
#include <memory>
#include <string>
#include <variant>

#include "proto-spec/session/session.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/local_pipe.h"
#include "proto-spec/transport/uv_loop.h"

namespace loglog::transport {

/// "127.0.0.1:7070", "[::1]:7070" or "host:7070" in two; "local:NAME" (a server of this process) as
/// it is; bad_configuration otherwise.
Result<std::pair<std::string, std::string>> split_address(const std::string& address);
/// The same, and bad_configuration for "local:NAME" too.
Result<std::pair<std::string, std::string>> split_tcp_address(const std::string& address);

/// A connection that waits to be taken: at a listening socket, or the end of a pipe.
using Incoming = std::variant<uv_stream_t*, LocalPipe::Ptr>;

/// Belongs to its loop's thread. Callbacks come on that thread, never from inside a call of this
/// class; on_closed at most once, and none after close().
class Connection : public Flushable, public std::enable_shared_from_this<Connection> {
 public:
  struct Callbacks {
    std::function<void(const Hello&)> on_hello;
    std::function<void(RequestId, Message&&)> on_message;
    std::function<void(const Error&)> on_closed;
    /// Messages with so many bytes of tails have left the process.
    std::function<void(std::uint64_t)> on_written = {};
  };
  using Ptr = std::shared_ptr<Connection>;

  /// Dials; answers by on_hello or on_closed. A name is looked up at each dial, so that a peer may
  /// change its address; of several addresses the first that takes the connection is used. Each has
  /// 1 s where others are left, the last one 5 s, and the look-up 5 s. Nobody waits for a look-up
  /// that takes longer, not even the end of the loop.
  static Ptr dial(Loop& loop, const std::string& address, Hello own, Session::Expectation expected,
                  Callbacks callbacks);
  /// Takes it; nullptr when that fails. With `admissions`, a client too many is refused with
  /// too_many after its hello.
  static Ptr accept(Loop& loop, const Incoming& incoming, Hello own, Session::Expectation expected,
                    std::shared_ptr<Admissions> admissions = {});

  Connection(Loop& loop, Hello own, Session::Expectation expected);
  ~Connection() override = default;

  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }
  /// Queues; what one turn of the loop queues leaves in as few writes as possible. While a client
  /// has more queued than connection_queue_max, nothing more is read from it; a server that has
  /// more than peer_queue_max is given up (W8).
  void send(RequestId request, const Message& m);
  /// Says why (Failed with request id 0) when not ok, then closes. No callback comes after it.
  void close(const Error& why = {});
  bool open() const { return state_ == State::open; }
  /// HOST:PORT of the other end, in numbers; "this process" for a pipe; empty where it is not
  /// connected. For people.
  std::string peer_endpoint() const;
  /// The IP address of the peer without its port, of IPv6 the first 64 bits, since a host has all
  /// of the rest; empty for a peer in this process and for a connection that is not open.
  std::string peer_address() const;
  /// Nothing is read from this client until there is memory for its message (receiving_bytes_max).
  bool waits_for_room() const { return waits_for_room_ && state_ == State::open; }

  void flush() override;

 private:
  enum class State { connecting, open, draining, closed };
  struct Write;
  void dial_local(const std::string& name);
  void look_up(const std::string& host, const std::string& port);
  void connect_next();
  void connect_failed(const Error& why);
  void expect_hello();
  void looked_up(int error, std::vector<sockaddr_storage> found);
  bool is_admitted();
  void expect_progress();
  void check_progress(std::uint64_t messages, std::uint64_t received);
  void refuse(const Error& why);
  void opened();
  void read_from_socket();
  void start_reading();
  void read_some(ssize_t n);
  void deliver();
  void take_from_pipe();
  bool is_limited_client() const;
  bool has_room() const;
  std::span<std::byte> receive_block();
  void account_block();
  void drop_block();
  void count_block();
  void wait_for_room();
  void give_room();
  void look_who_stands();
  bool stands_still(std::uint64_t messages, std::uint64_t received, std::uint64_t least) const;
  std::size_t queue_limit() const;
  void bound_queue();
  void unqueue(std::size_t bytes);
  void read_on();
  void tell_written(std::uint64_t tails);
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
  bool paused_ =
      false;  // too much is queued: nothing is read, what came already waits in the session
  bool given_up_ = false;
  bool waits_for_room_ = false;  // nothing is read either
  std::size_t held_ = 0;         // of the session's receive block, as the loop has counted it
  std::shared_ptr<Admissions> admissions_;  // of an accepted connection
  bool counted_client_ = false;
  std::uint64_t received_ = 0;
  std::uint64_t messages_ = 0;               // that came whole
  bool expects_progress_ = false;            // a look at an unfinished message is due later
  std::vector<sockaddr_storage> addresses_;  // to be dialled, in order
  std::size_t dialled_ = 0;                  // of them
  Ptr self_;                                 // while libuv knows the handle
};

/// A listening socket, or name of this process. Stops when destroyed. When the process has no
/// descriptor left for a connection, nothing is accepted for a while: new ones wait in the kernel.
class Listener {
 public:
  using OnAccept = std::function<void(const Incoming&)>;
  /// address_in_use or bad_configuration otherwise. Port 0 takes a free one.
  static Result<std::unique_ptr<Listener>> listen(Loop& loop, const std::string& address,
                                                  OnAccept on_accept);
  ~Listener();
  /// HOST:PORT as it is, with the port taken; or "local:NAME".
  const std::string& address() const { return address_; }

 private:
  Listener() = default;
  int begin();
  void pause();
  void go_on_later();
  Loop* loop_ = nullptr;
  uv_tcp_t* tcp_ = nullptr;
  int spare_ = -1;  // the same socket once more: it stays open, with those that wait there, while
                    // tcp_ is closed
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<LocalListener> local_;  // instead, for "local:NAME"
  OnAccept on_accept_;
  std::string address_;
};

}  // namespace loglog::transport
