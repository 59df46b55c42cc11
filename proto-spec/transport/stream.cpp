// The only place that chooses a kind of stream for a dial. listener.cpp is its counterpart.
#include "proto-spec/transport/stream.h"

#include "proto-spec/transport/address.h"
#include "proto-spec/transport/pipe_stream.h"
#include "proto-spec/transport/tcp_stream.h"

namespace loglog::transport {

Stream::Ptr dial_stream(Loop& loop, const std::string& address) {
  if (const auto name = local_name(address)) return PipeStream::to(loop, *name);
  return TcpStream::to(loop, address);
}

}  // namespace loglog::transport
