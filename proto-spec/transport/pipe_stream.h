// A stream within this process, over a LocalPipe. Messages arrive as the sender's buffers and are
// copied into the receiver's memory, as read() would copy them. stream.cpp and listener.cpp make
// it.
#pragma once
#include <string>
#include <vector>

#include "proto-spec/transport/local_pipe.h"
#include "proto-spec/transport/stream.h"

namespace loglog::transport {

/// An end of a pipe, or the dial that leads to it. Belongs to its loop's thread.
class PipeStream : public Stream, public std::enable_shared_from_this<PipeStream> {
 public:
  /// A stream to the listener of that name.
  static Ptr to(Loop& loop, std::string name);
  /// The end of a pipe that a listener has got.
  static Ptr accept(Loop& loop, LocalPipe::Ptr pipe);

  /// Use to() or accept(); public only for std::make_shared.
  PipeStream(Loop& loop, std::string name, LocalPipe::Ptr pipe)
      : loop_(loop), name_(std::move(name)), pipe_(std::move(pipe)) {}

  void open(std::shared_ptr<StreamReceiver> receiver) override;
  void start_reading() override;
  void stop_reading() override { reading_ = false; }
  void write(std::vector<Encoded>& messages) override;
  void close() override;
  bool in_process() const override { return true; }
  std::string peer_endpoint() const override { return pipe_ ? "this process" : ""; }
  std::string peer_address() const override { return {}; }

 private:
  void take();

  Loop& loop_;
  std::string name_;                          // to be dialled; empty if accepted
  LocalPipe::Ptr pipe_;                       // null until it is dialled
  std::shared_ptr<StreamReceiver> receiver_;  // null before open() and after close()
  bool reading_ = false;
  // Taken from the pipe and not received yet: messages from next_ on, of the first of them the
  // bytes from at_ on, counted over head and tail.
  LocalPipe::Taken taken_;
  std::size_t next_ = 0;
  std::size_t at_ = 0;
};

}  // namespace loglog::transport
