// A socket is listened on with libuv, a name with LocalListener. The look-up of a host name blocks,
// because a server resolves its own address once, before its loop runs.
#include "proto-spec/transport/listener.h"

#include <fmt/format.h>

#include <utility>

#include "proto-spec/transport/address.h"
#include "proto-spec/transport/pipe_stream.h"
#include "proto-spec/transport/posix_descriptors.h"
#include "proto-spec/transport/tcp_stream.h"
#include "proto-spec/vocabulary/check.h"

namespace loglog::transport {
namespace {

// Between attempts to accept while there are no descriptors.
constexpr Duration accept_pause = 100ms;
constexpr int listen_backlog = 1024;

}  // namespace

Result<std::unique_ptr<Listener>> Listener::listen(Loop& loop, const std::string& address,
                                                   OnAccept on_accept) {
  const auto parts = split_address(address);
  if (!parts) return std::unexpected(parts.error());
  if (const auto name = local_name(address)) {
    std::unique_ptr<Listener> l(new Listener);
    l->address_ = address;
    l->local_ = LocalListener::listen(
        loop, *name, [&loop, accept = std::move(on_accept)](const LocalPipe::Ptr& pipe) {
          accept(PipeStream::accept(loop, pipe));
        });
    if (!l->local_)
      return fail(Errc::address_in_use,
                  fmt::format("{}: this process listens there already", address));
    return l;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  uv_getaddrinfo_t lookup{};
  if (const int error = uv_getaddrinfo(loop.raw(), &lookup, nullptr, parts->first.c_str(),
                                       parts->second.c_str(), &hints);
      error != 0)
    return fail(Errc::bad_configuration, fmt::format("{}: {}", address, uv_strerror(error)));
  std::unique_ptr<Listener> l(new Listener);
  l->on_accept_ = std::move(on_accept);
  l->loop_ = &loop;
  l->tcp_ = new uv_tcp_t{};
  uv_tcp_init(loop.raw(), l->tcp_);
  int error = uv_tcp_bind(l->tcp_, lookup.addrinfo->ai_addr, 0);
  uv_freeaddrinfo(lookup.addrinfo);
  if (error == 0) error = l->begin();
  if (error != 0)
    return fail(Errc::address_in_use, fmt::format("{}: {}", address, uv_strerror(error)));
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(l->tcp_), &fd) == 0) l->spare_ = duplicate(fd);
  sockaddr_storage bound{};
  int size = sizeof bound;
  uv_tcp_getsockname(l->tcp_, reinterpret_cast<sockaddr*>(&bound), &size);
  const int port =
      ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                        : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  const std::string host = address.substr(0, address.rfind(':'));
  l->address_ = fmt::format("{}:{}", host, port);
  return l;
}

// A connection that cannot be taken is the peer's loss alone.
void Listener::accept() {
  if (const auto stream = TcpStream::accept(*loop_, reinterpret_cast<uv_stream_t*>(tcp_)))
    on_accept_(stream);
}

int Listener::begin() {
  tcp_->data = this;
  return uv_listen(reinterpret_cast<uv_stream_t*>(tcp_), listen_backlog,
                   [](uv_stream_t* s, int status) {
                     auto* l = static_cast<Listener*>(s->data);
                     if (status == 0) l->accept();
                     else if (status == UV_EMFILE || status == UV_ENFILE) l->pause();
                   });
}

/// libuv keeps a descriptor in reserve, to accept and close a connection if there are none left. If
/// another thread has taken that descriptor too, the socket stays readable and the loop would spin.
/// Therefore the listening socket is closed for a while; spare_ keeps it alive.
void Listener::pause() {
  if (tcp_ == nullptr || spare_ < 0) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(tcp_, nullptr)),
           [](uv_handle_t* h) { delete reinterpret_cast<uv_tcp_t*>(h); });
  go_on_later();
}

// Repeats until a descriptor is free. `alive` tells whether the listener still exists.
void Listener::go_on_later() {
  loop_->after(accept_pause, [this, alive = alive_] {
    if (!*alive) return;
    const int fd = duplicate(spare_);
    if (fd < 0) return go_on_later();
    tcp_ = new uv_tcp_t{};
    uv_tcp_init(loop_->raw(), tcp_);
    check(uv_tcp_open(tcp_, fd) == 0 && begin() == 0,
          "a listening socket can be listened on again");
  });
}

// tcp_ is freed by libuv's close callback, after the listener has gone.
Listener::~Listener() {
  *alive_ = false;
  close_descriptor(spare_);
  if (tcp_ == nullptr) return;
  if (!uv_is_closing(reinterpret_cast<uv_handle_t*>(tcp_)))
    uv_close(reinterpret_cast<uv_handle_t*>(tcp_),
             [](uv_handle_t* h) { delete reinterpret_cast<uv_tcp_t*>(h); });
}

}  // namespace loglog::transport
