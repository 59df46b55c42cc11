// A connection over TCP or within this process, and a listener (spec/01). This layer adds to a
// Session: dialling, bounded queues (W8), admission (W9), bounded receive memory (W10) and silence
// (W6). Received payloads stay where the socket put them; sent payloads are written from the
// caller's buffers. The drivers of SDK and servers use it.
#pragma once
#include <memory>
#include <string>
#include <variant>

#include "proto-spec/session/session.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/local_pipe.h"
#include "proto-spec/transport/uv_loop.h"

namespace loglog::transport {

/// Splits "127.0.0.1:7070", "[::1]:7070" or "host:7070" into host and port; "local:NAME" (a server
/// of this process) into "local" and NAME. bad_configuration otherwise.
Result<std::pair<std::string, std::string>> split_address(const std::string& address);
/// The same without "local:NAME", which is bad_configuration.
Result<std::pair<std::string, std::string>> split_tcp_address(const std::string& address);

/// A connection that waits to be accepted: at a listening socket, or as the end of a pipe.
using Incoming = std::variant<uv_stream_t*, LocalPipe::Ptr>;

/// Belongs to its loop's thread. Callbacks come on that thread, never from inside a call of this
/// class. on_closed comes at most once, and no callback comes after close().
class Connection : public Flushable, public std::enable_shared_from_this<Connection> {
 public:
  /// Any callback may be empty. A callback may close the connection or replace the callbacks.
  struct Callbacks {
    /// The peer's hello was accepted; messages follow.
    std::function<void(const Hello&)> on_hello;
    /// Any message after the hellos. A Failed with request id 0 comes as on_closed instead.
    std::function<void(RequestId, Message&&)> on_message;
    /// The connection has ended for a reason other than close().
    std::function<void(const Error&)> on_closed;
    /// So many bytes of message tails have left the process, for flow control of pages.
    std::function<void(std::uint64_t)> on_written = {};
  };
  using Ptr = std::shared_ptr<Connection>;

  /// Dials; answers with on_hello or on_closed. A name is looked up at each dial, so that a peer
  /// may change its address. The addresses of a name are tried in turn: 1 s for each, 5 s for the
  /// last, 5 s for the look-up. A look-up that takes longer delays nobody, not even the end of the
  /// loop.
  static Ptr dial(Loop& loop, const std::string& address, Hello own, Session::Expectation expected,
                  Callbacks callbacks);
  /// Accepts a waiting connection; nullptr on failure. With `admissions`, a client above the limit
  /// is refused with too_many after its hello. The caller sets the callbacks before it returns to
  /// the loop.
  static Ptr accept(Loop& loop, const Incoming& incoming, Hello own, Session::Expectation expected,
                    std::shared_ptr<Admissions> admissions = {});

  /// Use dial() or accept(); public only for std::make_shared.
  Connection(Loop& loop, Hello own, Session::Expectation expected);
  ~Connection() override = default;

  /// Replaces all callbacks.
  void set_callbacks(Callbacks callbacks) {
    callbacks_ = std::make_shared<const Callbacks>(std::move(callbacks));
  }
  /// Queues a message. All messages of a loop turn leave in as few writes as possible. If a client
  /// has more queued than connection_queue_max allows, nothing more is read from it; a server with
  /// more than peer_queue_max queued is given up (W8). Does nothing unless open().
  void send(RequestId request, const Message& m);
  /// Sends the reason (Failed with request id 0) unless it is ok, then closes. Queued output still
  /// leaves for at most 1 s. No callback comes after it.
  void close(const Error& why = {});
  /// True between the socket's connection and close(); the hello may still be missing.
  bool open() const { return state_ == State::open; }
  /// Numeric HOST:PORT of the other end; "this process" for a pipe; empty if not connected. For
  /// people.
  std::string peer_endpoint() const;
  /// The peer's IP address without its port; of IPv6 the first 64 bits, because a host has all of
  /// the rest. Empty for a peer in this process and for a connection that is not open. Addresses
  /// count dropped runs (V1).
  std::string peer_address() const;
  /// True while nothing is read from this client because its message has no memory yet
  /// (receiving_bytes_max).
  bool waits_for_room() const { return waits_for_room_ && state_ == State::open; }

  /// Called by the loop at the end of a turn in which send() queued something.
  void flush() override;

 private:
  // connecting: dialling, no bytes yet. open: hellos and messages. draining: close() has begun,
  // only output is left. closed: final.
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
  static const std::shared_ptr<const Callbacks>& no_callbacks();

  Loop& loop_;
  uv_tcp_t tcp_{};  // without a socket if there is a pipe
  LocalPipe::Ptr pipe_;
  Hello own_;
  Session session_;
  // Never null. Whoever calls one keeps the set alive, because the callback may replace it.
  std::shared_ptr<const Callbacks> callbacks_ = no_callbacks();
  State state_ = State::connecting;
  // Queued since the last flush().
  std::vector<Encoded> out_;
  std::vector<uv_buf_t> buffers_;  // of flush(), kept for their memory
  std::size_t queued_ = 0;         // bytes that the kernel has not taken yet, including out_
  std::size_t writes_ = 0;         // libuv requests under way
  bool dirty_ = false;             // the loop will call flush()
  // Too much is queued to this client (W8): nothing is read, and received messages wait in the
  // session.
  bool paused_ = false;
  bool given_up_ = false;        // peer_queue_max was exceeded; the end is posted
  bool waits_for_room_ = false;  // for receive memory (W10): nothing is read either
  std::size_t held_ = 0;  // of the session's receive block, as counted in the loop's traffic, bytes
  std::shared_ptr<Admissions> admissions_;   // of an accepted TCP connection
  bool counted_client_ = false;              // Admissions counts it as a client
  std::uint64_t received_ = 0;               // bytes
  std::uint64_t messages_ = 0;               // whole messages received
  bool expects_progress_ = false;            // check_progress() is due
  std::vector<sockaddr_storage> addresses_;  // to be dialled, in order
  std::size_t dialled_ = 0;                  // addresses tried so far
  Ptr self_;                                 // keeps the object alive while libuv knows the handle
};

/// A listening socket, or a name of this process. Stops when destroyed. If the process has no
/// descriptor left for a connection, the listener pauses, and new connections wait in the kernel.
class Listener {
 public:
  using OnAccept = std::function<void(const Incoming&)>;
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
