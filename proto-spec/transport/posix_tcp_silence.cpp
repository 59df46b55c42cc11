// Options that a kernel lacks are ignored: the connection then ends later.
#include "proto-spec/transport/posix_tcp_silence.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace loglog::transport {

void end_when_silent(int fd, Duration silence) {
  const auto set = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  const int seconds =
      static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(silence).count());
  // TCP_USER_TIMEOUT bounds unacknowledged data. With keepalive it also decides when unanswered
  // probes end the connection.
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
}

}  // namespace loglog::transport
