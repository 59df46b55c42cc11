// The order of the file: dialling; the connected socket; receiving; sending; closing. A callback of
// libuv finds this object by the handle, which knows none once the socket is closed.
#include "proto-spec/transport/tcp_stream.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "proto-spec/transport/address.h"
#include "proto-spec/transport/posix_name_lookup.h"
#include "proto-spec/transport/posix_tcp_silence.h"

namespace loglog::transport {
namespace {

// Names are looked up again at the next dial, so a late answer is of no use.
constexpr Duration look_up_timeout = 5s;
// For the last address of a name.
constexpr Duration connect_timeout = 5s;
// For each address before the last: a machine that has gone answers nothing.
constexpr Duration next_timeout = 1s;
// Of the TCP user timeout (W6).
constexpr Duration silence_timeout = 5s;

Error lost(int uv_error) { return {Errc::connection_lost, uv_strerror(uv_error)}; }

/// False if the socket is not connected.
bool find_peer(const uv_tcp_t* tcp, sockaddr_storage& peer) {
  int size = sizeof peer;
  return tcp != nullptr && uv_tcp_getpeername(tcp, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

std::string ip_of(const sockaddr_storage& a) {
  std::array<char, INET6_ADDRSTRLEN> name{};
  return uv_ip_name(reinterpret_cast<const sockaddr*>(&a), name.data(), name.size()) == 0
             ? name.data()
             : std::string{};
}

}  // namespace

// A libuv write under way.
struct TcpStream::Write {
  uv_write_t request{};
  std::vector<Encoded> keep;  // buffers, until the kernel has taken them
  std::size_t bytes = 0;      // of this write that the kernel has not taken
  std::uint64_t tails = 0;    // tail bytes of the whole messages that leave with it
};

Stream::Ptr TcpStream::to(Loop& loop, std::string address) {
  return std::make_shared<TcpStream>(loop, std::move(address));
}

Stream::Ptr TcpStream::accept(Loop& loop, uv_stream_t* listening) {
  auto s = std::make_shared<TcpStream>(loop, std::string{});
  s->make_socket();
  if (uv_accept(listening, s->raw()) != 0) return nullptr;
  return s;
}

void TcpStream::open(std::shared_ptr<StreamReceiver> receiver) {
  receiver_ = std::move(receiver);
  if (tcp_ != nullptr) return connected();
  dialling_ = true;
  const auto parts = split_tcp_address(address_);
  if (!parts) fail_later(parts.error());
  else look_up(parts->first, parts->second);
}

// Numeric addresses are dialled at once; a name is looked up on another thread.
void TcpStream::look_up(const std::string& host, const std::string& port) {
  sockaddr_storage numeric{};
  const int number = std::stoi(port);
  if (uv_ip4_addr(host.c_str(), number, reinterpret_cast<sockaddr_in*>(&numeric)) == 0 ||
      uv_ip6_addr(host.c_str(), number, reinterpret_cast<sockaddr_in6*>(&numeric)) == 0) {
    addresses_ = {numeric};
    return connect_next();
  }
  loop_.after(look_up_timeout, [weak = weak_from_this()] {
    if (const auto s = weak.lock()) s->looked_up(EAI_AGAIN, {});
  });
  look_up_name(loop_.mailbox(), host, port, [weak = weak_from_this()](const FoundAddresses& found) {
    if (const auto s = weak.lock()) s->looked_up(found.error, found.addresses);
  });
}

// The answer of the resolver, or of the timer if the resolver is late. The second of them finds
// addresses, or the dial ended, and does nothing.
void TcpStream::looked_up(int error, std::vector<sockaddr_storage> found) {
  if (!dialling_ || !addresses_.empty()) return;
  if (error != 0 || found.empty())
    return failed(
        {Errc::connection_lost, fmt::format("the name is not found: {}",
                                            error == 0 ? "no address" : ::gai_strerror(error))});
  addresses_ = std::move(found);
  connect_next();
}

// Dials the next address. The timer and a posted failure name the address, so they act only on
// their own.
void TcpStream::connect_next() {
  const auto* address = reinterpret_cast<const sockaddr*>(&addresses_[dialled_++]);
  loop_.after(dialled_ == addresses_.size() ? connect_timeout : next_timeout,
              [weak = weak_from_this(), which = dialled_] {
                if (const auto s = weak.lock())
                  s->connect_failed(which, {Errc::connection_lost, "not connected in time"});
              });
  make_socket();
  auto* request = new uv_connect_t{};
  const int status = uv_tcp_connect(request, tcp_, address, [](uv_connect_t* r, int error) {
    auto* s = static_cast<TcpStream*>(r->handle->data);
    delete r;
    if (s == nullptr || error == UV_ECANCELED) return;
    if (error != 0) s->connect_failed(s->dialled_, lost(error));
    else s->connected();
  });
  if (status == 0) return;
  delete request;
  loop_.post([s = shared_from_this(), which = dialled_, status] {
    s->connect_failed(which, lost(status));
  });
}

// An address has failed, by error or timeout. A failed socket is of no more use; the next address
// gets a new socket.
void TcpStream::connect_failed(std::size_t which, const Error& why) {
  if (!dialling_ || which != dialled_) return;
  if (dialled_ == addresses_.size()) return failed(why);
  drop_socket();
  connect_next();
}

// A dialled and an accepted socket are alike from here on.
void TcpStream::connected() {
  dialling_ = false;
  uv_tcp_nodelay(tcp_, 1);
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(tcp_), &fd) == 0)
    end_when_silent(fd, silence_timeout);
  const auto to = receiver_;
  to->on_open();
}

std::string TcpStream::peer_endpoint() const {
  sockaddr_storage peer{};
  if (!find_peer(tcp_, peer)) return {};
  const bool v6 = peer.ss_family == AF_INET6;
  const std::uint16_t port = ntohs(v6 ? reinterpret_cast<const sockaddr_in6&>(peer).sin6_port
                                      : reinterpret_cast<const sockaddr_in&>(peer).sin_port);
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", ip_of(peer), v6 ? "]" : "", port);
}

// The last 64 bits of an IPv6 address are cleared, unless it maps an IPv4 address.
std::string TcpStream::peer_address() const {
  sockaddr_storage peer{};
  if (!find_peer(tcp_, peer)) return {};
  if (auto& v6 = reinterpret_cast<sockaddr_in6&>(peer);
      peer.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    std::memset(v6.sin6_addr.s6_addr + 8, 0, 8);
  return ip_of(peer);
}

// libuv asks for a buffer before each read. An empty buffer comes back as UV_ENOBUFS.
void TcpStream::start_reading() {
  uv_read_start(
      raw(),
      [](uv_handle_t* h, std::size_t, uv_buf_t* buffer) {
        const auto room = static_cast<TcpStream*>(h->data)->receiver_->receive_block();
        *buffer =
            uv_buf_init(reinterpret_cast<char*>(room.data()), static_cast<unsigned>(room.size()));
      },
      [](uv_stream_t* s, ssize_t n, const uv_buf_t*) {
        static_cast<TcpStream*>(s->data)->read_some(n);
      });
}

void TcpStream::stop_reading() {
  if (tcp_ != nullptr) uv_read_stop(raw());
}

// `n` bytes have come, or an error or the end (negative, as libuv says it). The copy of the pointer
// keeps the receiver alive, and with it this object, if the receiver closes the stream.
void TcpStream::read_some(ssize_t n) {
  const auto to = receiver_;
  if (n >= 0) to->on_received(static_cast<std::size_t>(n));
  else if (n == UV_ENOBUFS) to->on_no_room();
  else if (n == UV_EOF) to->on_end();
  else to->on_failed(lost(static_cast<int>(n)));
}

// Order: try a direct write, then queue the rest with libuv. A direct write is allowed only if no
// earlier write is under way, because bytes must leave in order.
void TcpStream::write(std::vector<Encoded>& messages) {
  buffers_.clear();
  std::size_t bytes = 0, taken = 0, first = 0;
  std::uint64_t tails = 0;
  for (const Encoded& e : messages) {
    tails += e.tail.size();
    for (const Bytes* b : {&e.head, &e.tail})
      if (!b->empty()) {
        buffers_.push_back(
            uv_buf_init(const_cast<char*>(b->text().data()), static_cast<unsigned>(b->size())));
        bytes += b->size();
      }
  }
  if (writes_ == 0) {
    // If the kernel takes all bytes at once, no write request and no further turn of the loop are
    // needed. An error of this attempt comes again from uv_write() below.
    const int n = uv_try_write(raw(), buffers_.data(), static_cast<unsigned>(buffers_.size()));
    taken = n > 0 ? static_cast<std::size_t>(n) : 0;
    std::size_t left = taken;
    for (; first < buffers_.size() && left >= buffers_[first].len; ++first)
      left -= buffers_[first].len;
    if (first == buffers_.size()) {
      messages.clear();
      return receiver_->on_written(bytes, tails);
    }
    buffers_[first].base += left;
    buffers_[first].len -= left;
  }
  auto* w = new Write{{}, std::exchange(messages, {}), bytes - taken, tails};
  w->request.data = w;
  ++writes_;
  const int status =
      uv_write(&w->request, raw(), buffers_.data() + first,
               static_cast<unsigned>(buffers_.size() - first), [](uv_write_t* r, int error) {
                 const std::unique_ptr<Write> done(static_cast<Write*>(r->data));
                 if (auto* s = static_cast<TcpStream*>(r->handle->data)) s->left(*done, error);
               });
  if (status != 0) {
    --writes_;
    delete w;
    taken = bytes;
    fail_later(lost(status));
  }
  if (taken > 0) receiver_->on_written(taken, 0);
}

// A write has ended. Its bytes count as gone after an error too, because nothing keeps them.
void TcpStream::left(const Write& w, int error) {
  --writes_;
  const auto to = receiver_;
  to->on_written(w.bytes, error == 0 ? w.tails : 0);
  if (error != 0 && error != UV_ECANCELED) failed(lost(error));
}

void TcpStream::failed(const Error& why) {
  dialling_ = false;
  if (const auto to = receiver_) to->on_failed(why);
}

// Posted: no failure is told from inside a call of this class.
void TcpStream::fail_later(const Error& why) {
  loop_.post([s = shared_from_this(), why] { s->failed(why); });
}

// The receiver goes last, because it may be the only owner of this object.
void TcpStream::close() {
  dialling_ = false;
  drop_socket();
  const auto last = std::exchange(receiver_, nullptr);
}

void TcpStream::make_socket() {
  tcp_ = new uv_tcp_t{};
  uv_tcp_init(loop_.raw(), tcp_);
  tcp_->data = this;
}

// If the loop has ended, it has closed the handle itself.
void TcpStream::drop_socket() {
  if (tcp_ == nullptr) return;
  tcp_->data = nullptr;
  auto* handle = reinterpret_cast<uv_handle_t*>(std::exchange(tcp_, nullptr));
  if (!uv_is_closing(handle))
    uv_close(handle, [](uv_handle_t* h) { delete reinterpret_cast<uv_tcp_t*>(h); });
}

}  // namespace loglog::transport
