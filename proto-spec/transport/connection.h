// A connection: a Session over a Stream (spec/01). This layer adds bounded queues (W8), admission
// (W9), bounded receive memory (W10) and the time-outs of hellos and messages (W6). Received
// payloads stay where the stream put them; sent payloads are written from the caller's buffers. The
// drivers of SDK and servers use it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto-spec/session/session.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/stream.h"
#include "proto-spec/transport/uv_loop.h"

namespace loglog::transport {

/// Belongs to its loop's thread. Callbacks come on that thread, never from inside a call of this
/// class. on_closed comes at most once, and no callback comes after close().
class Connection : public Flushable,
                   public StreamReceiver,
                   public std::enable_shared_from_this<Connection> {
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

  /// Dials an address (dial_stream()); answers with on_hello or on_closed.
  static Ptr dial(Loop& loop, const std::string& address, Hello own, Session::Expectation expected,
                  Callbacks callbacks);
  /// The same over a stream that is not open yet.
  static Ptr dial(Loop& loop, Stream::Ptr stream, Hello own, Session::Expectation expected,
                  Callbacks callbacks);
  /// Connects over a stream that a Listener has accepted. With `admissions`, a client above the
  /// limit is refused with too_many after its hello. The caller sets the callbacks before it
  /// returns to the loop.
  static Ptr accept(Loop& loop, Stream::Ptr stream, Hello own, Session::Expectation expected,
                    std::shared_ptr<Admissions> admissions = {});

  /// Use dial() or accept(); public only for std::make_shared.
  Connection(Loop& loop, Stream::Ptr stream, Hello own, Session::Expectation expected);
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
  /// True between the stream's opening and close(); the hello may still be missing.
  bool open() const { return state_ == State::open; }
  /// See Stream.
  std::string peer_endpoint() const { return stream_->peer_endpoint(); }
  std::string peer_address() const { return stream_->peer_address(); }
  /// True while nothing is read from this client because its message has no memory yet
  /// (receiving_bytes_max).
  bool waits_for_room() const { return waits_for_room_ && state_ == State::open; }

  /// Called by the loop at the end of a turn in which send() queued something.
  void flush() override;

 private:
  // connecting: dialling, no bytes yet. open: hellos and messages. draining: close() has begun,
  // only output is left. closed: final.
  enum class State { connecting, open, draining, closed };

  // Called by the stream.
  void on_open() override;
  std::span<std::byte> receive_block() override;
  void on_received(std::size_t n) override;
  void on_no_room() override;
  void on_written(std::size_t bytes, std::uint64_t tails) override;
  void on_end() override;
  void on_failed(const Error& why) override { broken(why); }

  void expect_hello();
  bool is_admitted();
  void expect_progress();
  void check_progress(std::uint64_t messages, std::uint64_t received);
  void refuse(const Error& why);
  void deliver();
  bool is_limited_client() const;
  bool has_room() const;
  void account_block();
  void drop_block();
  void count_block();
  void give_room();
  void look_who_stands();
  bool stands_still(std::uint64_t messages, std::uint64_t received, std::uint64_t least) const;
  std::size_t queue_limit() const;
  void bound_queue();
  void unqueue(std::size_t bytes);
  void read_on();
  void broken(const Error& why);
  void shut();
  static const std::shared_ptr<const Callbacks>& no_callbacks();

  Loop& loop_;
  Stream::Ptr stream_;  // never null; it keeps this object alive until shut()
  Hello own_;
  Session session_;
  // Never null. Whoever calls one keeps the set alive, because the callback may replace it.
  std::shared_ptr<const Callbacks> callbacks_ = no_callbacks();
  State state_ = State::connecting;
  // Queued since the last flush().
  std::vector<Encoded> out_;
  std::size_t queued_ = 0;  // bytes that the stream has not sent yet, including out_
  bool dirty_ = false;      // the loop will call flush()
  // Too much is queued to this client (W8): nothing is read, and received messages wait in the
  // session.
  bool paused_ = false;
  bool given_up_ = false;        // peer_queue_max was exceeded; the end is posted
  bool waits_for_room_ = false;  // for receive memory (W10): nothing is read either
  std::size_t held_ = 0;  // of the session's receive block, as counted in the loop's traffic, bytes
  std::shared_ptr<Admissions> admissions_;  // of an accepted TCP connection
  bool counted_client_ = false;             // Admissions counts it as a client
  std::uint64_t received_ = 0;              // bytes
  std::uint64_t messages_ = 0;              // whole messages received
  bool expects_progress_ = false;           // check_progress() is due
};

}  // namespace loglog::transport
