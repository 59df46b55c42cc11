// A stream over TCP: looks a name up, dials its addresses in turn, reads into the receiver's memory
// and writes from the messages' own buffers. stream.cpp and listener.cpp make it.
#pragma once
#include <uv.h>

#include <string>
#include <vector>

#include "proto-spec/transport/stream.h"

namespace loglog::transport {

/// A socket, or the dial that leads to it. Belongs to its loop's thread.
class TcpStream : public Stream, public std::enable_shared_from_this<TcpStream> {
 public:
  /// A stream to be dialled. A name is looked up at each dial, so that a peer may change its
  /// address. The addresses of a name are tried in turn: 1 s for each, 5 s for the last, 5 s for
  /// the look-up. A look-up that takes longer delays nobody, not even the end of the loop.
  static Ptr to(Loop& loop, std::string address);
  /// Takes the connection that waits at a listening socket; nullptr on failure.
  static Ptr accept(Loop& loop, uv_stream_t* listening);

  /// Use to() or accept(); public only for std::make_shared.
  TcpStream(Loop& loop, std::string address) : loop_(loop), address_(std::move(address)) {}
  ~TcpStream() override { drop_socket(); }
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  void open(std::shared_ptr<StreamReceiver> receiver) override;
  void start_reading() override;
  void stop_reading() override;
  void write(std::vector<Encoded>& messages) override;
  void close() override;
  bool in_process() const override { return false; }
  std::string peer_endpoint() const override;
  std::string peer_address() const override;

 private:
  struct Write;
  void look_up(const std::string& host, const std::string& port);
  void looked_up(int error, std::vector<sockaddr_storage> found);
  void connect_next();
  void connect_failed(std::size_t which, const Error& why);
  void connected();
  void read_some(ssize_t n);
  void left(const Write& w, int error);
  void failed(const Error& why);
  void fail_later(const Error& why);
  void make_socket();
  void drop_socket();
  uv_stream_t* raw() const { return reinterpret_cast<uv_stream_t*>(tcp_); }

  Loop& loop_;
  std::string address_;  // to be dialled; empty if accepted
  // Freed by libuv's close callback, which may come after this object has gone. Its `data` is this
  // object, or null once the socket is closed.
  uv_tcp_t* tcp_ = nullptr;
  std::shared_ptr<StreamReceiver> receiver_;  // null before open() and after close()
  bool dialling_ = false;
  std::vector<sockaddr_storage> addresses_;  // to be dialled, in order
  std::size_t dialled_ = 0;                  // addresses tried so far
  std::vector<uv_buf_t> buffers_;            // of write(), kept for their memory
  std::size_t writes_ = 0;                   // libuv requests under way
};

}  // namespace loglog::transport
