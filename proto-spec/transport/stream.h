// The seam below a connection: bytes there and back, whatever carries them. A Connection talks to a
// Stream and is its receiver. TcpStream and PipeStream implement it; a stream that encrypts would
// stand on a TcpStream. Sessions, bounds and time-outs of messages are the Connection's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "proto-spec/transport/uv_loop.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/codec.h"

namespace loglog::transport {

/// Takes the events of a stream, on its loop's thread. It may close the stream from inside each of
/// them.
class StreamReceiver {
 public:
  virtual ~StreamReceiver() = default;
  /// The stream stands: bytes may be written and read.
  virtual void on_open() = 0;
  /// The place for the next bytes, so that a payload lies at its place at once. Empty: there is no
  /// memory for them now, and on_no_room() follows.
  virtual std::span<std::byte> receive_block() = 0;
  /// `n` bytes lie at the start of the newest receive_block(). 0: none came, and the block is not
  /// needed.
  virtual void on_received(std::size_t n) = 0;
  /// Bytes wait and receive_block() was empty. The receiver must stop reading.
  virtual void on_no_room() = 0;
  /// `bytes` of the written messages have left the process. `tails` counts the bytes of tails of
  /// whole messages. It may come from inside write().
  virtual void on_written(std::size_t bytes, std::uint64_t tails) = 0;
  /// The other end has closed, after all bytes that it wrote.
  virtual void on_end() = 0;
  /// The stream did not come about, or broke.
  virtual void on_failed(const Error& why) = 0;
};

/// A stream of bytes that is dialled, or that a Listener has accepted. Belongs to its loop's
/// thread. Destroying it closes it.
class Stream {
 public:
  using Ptr = std::shared_ptr<Stream>;
  virtual ~Stream() = default;
  /// Begins, once: answers with on_open() or on_failed(). An accepted stream stands already and
  /// calls on_open() from inside; a dialled stream never calls from inside. The stream keeps its
  /// receiver alive until close().
  virtual void open(std::shared_ptr<StreamReceiver> receiver) = 0;
  /// From on_open() on: bytes come until stop_reading(). Never calls from inside. Both may be
  /// repeated.
  virtual void start_reading() = 0;
  /// No bytes come until start_reading(); they wait on the way.
  virtual void stop_reading() = 0;
  /// From on_open() on: sends messages in order, from their own buffers, and takes them out of
  /// `messages`. If the way takes them at once, their memory is free at the return.
  virtual void write(std::vector<Encoded>& messages) = 0;
  /// Ends the stream; bytes that have not left are dropped. No call to the receiver comes after it.
  /// May be repeated.
  virtual void close() = 0;
  /// True if the other end is in this process. Then written bytes are in its hands at once, and the
  /// stream takes no descriptor.
  virtual bool in_process() const = 0;
  /// Numeric HOST:PORT of the other end; "this process" for a pipe; empty if not connected. For
  /// people.
  virtual std::string peer_endpoint() const = 0;
  /// The peer's IP address without its port; of IPv6 the first 64 bits, because a host has all of
  /// the rest. Empty for a peer in this process and for a stream that is not open. Addresses count
  /// dropped runs (V1).
  virtual std::string peer_address() const = 0;
};

/// A stream to "HOST:PORT" or "local:NAME", to be opened. A bad address fails once it is opened.
Stream::Ptr dial_stream(Loop& loop, const std::string& address);

}  // namespace loglog::transport
