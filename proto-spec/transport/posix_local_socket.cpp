#include "proto-spec/transport/posix_local_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace loglog::transport {
namespace {

constexpr std::string_view prefix = "local:";

struct Place {
  sockaddr_un address{};
  socklen_t size = 0;
};

// An abstract name (first byte 0): no file is left behind.
bool place_of(const std::string& name, Place& p) {
  const std::string full = "loglog-" + std::to_string(::getpid()) + "-" + name;
  if (full.size() + 1 > sizeof p.address.sun_path) return false;
  p.address.sun_family = AF_UNIX;
  std::memcpy(p.address.sun_path + 1, full.data(), full.size());
  p.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + full.size());
  return true;
}

int make(const std::string& name, int (*use)(int, const Place&)) {
  Place p;
  if (name.empty() || !place_of(name, p)) return -EINVAL;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (use(fd, p) == 0) return fd;
  const int error = errno;
  ::close(fd);
  return -error;
}

}  // namespace

std::optional<std::string> local_name(const std::string& address) {
  if (!address.starts_with(prefix)) return std::nullopt;
  return address.substr(prefix.size());
}

int bind_local(const std::string& name) {
  return make(name, [](int fd, const Place& p) { return ::bind(fd, reinterpret_cast<const sockaddr*>(&p.address), p.size); });
}

int connect_local(const std::string& name) {
  return make(name, [](int fd, const Place& p) { return ::connect(fd, reinterpret_cast<const sockaddr*>(&p.address), p.size); });
}

}  // namespace loglog::transport
