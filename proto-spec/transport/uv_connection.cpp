// The order of the file: dialling; accepting and admission; receiving (progress, receive memory,
// delivery); sending (queue bounds, flush); closing; the listener. Each timer and posted call holds
// a weak or a shared pointer, because a connection may end before it runs.
#include "proto-spec/transport/uv_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "proto-spec/transport/posix_descriptors.h"
#include "proto-spec/transport/posix_name_lookup.h"
#include "proto-spec/transport/posix_tcp_silence.h"
#include "proto-spec/vocabulary/check.h"

namespace loglog::transport {
namespace {

// Timeouts. Names are looked up again at the next dial, so a late answer is of no use.
constexpr Duration look_up_timeout = 5s;
// For the last address of a name.
constexpr Duration connect_timeout = 5s;
// For each address before the last: a machine that has gone answers nothing.
constexpr Duration next_timeout = 1s;
// From the connection to the end of both hellos (W6).
constexpr Duration hello_timeout = 5s;
// Of the TCP user timeout (W6).
constexpr Duration silence_timeout = 5s;
// How long close() waits for queued output.
constexpr Duration drain_timeout = 1s;
// In which an unfinished message must make progress while a client waits for room (W10).
constexpr Duration crowded_period = 1s;
// Between attempts to accept while there are no descriptors.
constexpr Duration accept_pause = 100ms;
constexpr int listen_backlog = 1024;

Error lost(int uv_error) { return {Errc::connection_lost, uv_strerror(uv_error)}; }

/// False if the socket is not connected.
bool find_peer(const uv_tcp_t& tcp, sockaddr_storage& peer) {
  int size = sizeof peer;
  return uv_tcp_getpeername(&tcp, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

std::string ip_of(const sockaddr_storage& a) {
  std::array<char, INET6_ADDRSTRLEN> name{};
  return uv_ip_name(reinterpret_cast<const sockaddr*>(&a), name.data(), name.size()) == 0
             ? name.data()
             : std::string{};
}

std::uint16_t port_of(const sockaddr_storage& a) {
  return ntohs(a.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(a).sin6_port
                                       : reinterpret_cast<const sockaddr_in&>(a).sin_port);
}

}  // namespace

// A libuv write under way. It keeps the buffers and the connection alive.
struct Connection::Write {
  uv_write_t request{};
  Ptr connection;
  std::vector<Encoded> keep;  // buffers, until the kernel has taken them
  std::size_t bytes = 0;      // of this write that the kernel has not taken
  std::uint64_t tails = 0;    // tail bytes of the whole messages that leave with it, for on_written
};

Result<std::pair<std::string, std::string>> split_address(const std::string& address) {
  if (const auto local = local_name(address); local && !local->empty())
    return std::pair{std::string("local"), *local};
  return split_tcp_address(address);
}

Result<std::pair<std::string, std::string>> split_tcp_address(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
    return fail(Errc::bad_configuration,
                fmt::format("\"{}\" is no address; give HOST:PORT", address));
  std::string host = address.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Remains of a URL, of blanks or of broken brackets would be looked up as a name and fail only
  // after seconds.
  if (host.empty() || host.find_first_of("[]/@ \t") != std::string::npos ||
      (!bracketed && host.find(':') != std::string::npos))
    return fail(
        Errc::bad_configuration,
        fmt::format("\"{}\" is no address; give HOST:PORT, or [IPV6]:PORT, and nothing else",
                    address));
  const std::string port = address.substr(colon + 1);
  const bool digits = port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoul(port) > 65535)
    return fail(Errc::bad_configuration, fmt::format("\"{}\" is no port; give 0 to 65535", port));
  return std::pair{host, port};
}

Connection::Connection(Loop& loop, Hello own, Session::Expectation expected)
    : loop_(loop), own_(own), session_(std::move(own), std::move(expected)) {
  uv_tcp_init(loop.raw(), &tcp_);
  tcp_.data = this;
}

std::string Connection::peer_endpoint() const {
  if (pipe_) return "this process";
  sockaddr_storage peer{};
  if (!find_peer(tcp_, peer)) return {};
  const bool v6 = peer.ss_family == AF_INET6;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", ip_of(peer), v6 ? "]" : "", port_of(peer));
}

Connection::Ptr Connection::dial(Loop& loop, const std::string& address, Hello own,
                                 Session::Expectation expected, Callbacks callbacks) {
  auto c = std::make_shared<Connection>(loop, std::move(own), std::move(expected));
  c->self_ = c;
  c->set_callbacks(std::move(callbacks));
  const auto parts = split_address(address);
  if (!parts) loop.post([c, e = parts.error()] { c->broken(e); });
  else if (const auto local = local_name(address)) c->dial_local(*local);
  else c->look_up(parts->first, parts->second);
  return c;
}

void Connection::dial_local(const std::string& name) {
  pipe_ = LocalListener::dial(loop_, name);
  // Posted, as for every other address: no callback comes from inside dial().
  loop_.post([c = shared_from_this()] {
    if (c->state_ != State::connecting) return;
    if (!c->pipe_) c->broken(lost(UV_ECONNREFUSED));
    else c->opened();
  });
}

// Numeric addresses are dialled at once; a name is looked up on another thread.
void Connection::look_up(const std::string& host, const std::string& port) {
  sockaddr_storage numeric{};
  const int number = std::stoi(port);
  if (uv_ip4_addr(host.c_str(), number, reinterpret_cast<sockaddr_in*>(&numeric)) == 0 ||
      uv_ip6_addr(host.c_str(), number, reinterpret_cast<sockaddr_in6*>(&numeric)) == 0) {
    addresses_ = {numeric};
    return connect_next();
  }
  loop_.after(look_up_timeout, [weak = weak_from_this()] {
    if (const Ptr c = weak.lock()) c->looked_up(EAI_AGAIN, {});
  });
  look_up_name(loop_.mailbox(), host, port, [weak = weak_from_this()](const FoundAddresses& found) {
    if (const Ptr c = weak.lock()) c->looked_up(found.error, found.addresses);
  });
}

// The answer of the resolver, or of the timer if the resolver is late. The second of them finds the
// state changed and does nothing.
void Connection::looked_up(int error, std::vector<sockaddr_storage> found) {
  if (state_ != State::connecting || !addresses_.empty()) return;
  if (error != 0 || found.empty())
    return broken(
        {Errc::connection_lost, fmt::format("the name is not found: {}",
                                            error == 0 ? "no address" : ::gai_strerror(error))});
  addresses_ = std::move(found);
  connect_next();
}

// Dials the next address. The timer compares dialled_, so it acts only on its own address.
void Connection::connect_next() {
  const auto* address = reinterpret_cast<const sockaddr*>(&addresses_[dialled_++]);
  loop_.after(dialled_ == addresses_.size() ? connect_timeout : next_timeout,
              [weak = weak_from_this(), which = dialled_] {
                const Ptr c = weak.lock();
                if (c && c->dialled_ == which)
                  c->connect_failed({Errc::connection_lost, "not connected in time"});
              });
  auto* request = new uv_connect_t{};
  request->data = this;
  const int status = uv_tcp_connect(request, &tcp_, address, [](uv_connect_t* r, int error) {
    auto* c = static_cast<Connection*>(r->data);
    delete r;
    if (error == UV_ECANCELED) return;
    if (error != 0) c->connect_failed(lost(error));
    else c->opened();
  });
  if (status == 0) return;
  delete request;
  loop_.post([c = shared_from_this(), status] { c->connect_failed(lost(status)); });
}

// An address has failed, by error or timeout. close_handle() goes on with the next address, if
// there is one.
void Connection::connect_failed(const Error& why) {
  if (state_ != State::connecting || uv_is_closing(reinterpret_cast<uv_handle_t*>(&tcp_))) return;
  if (dialled_ == addresses_.size()) return broken(why);
  // A failed socket is of no more use; the next address gets a new socket.
  close_handle();
}

Connection::Ptr Connection::accept(Loop& loop, const Incoming& incoming, Hello own,
                                   Session::Expectation expected,
                                   std::shared_ptr<Admissions> admissions) {
  auto c = std::make_shared<Connection>(loop, std::move(own), std::move(expected));
  c->self_ = c;
  if (const auto* pipe = std::get_if<LocalPipe::Ptr>(&incoming)) c->pipe_ = *pipe;
  else if (uv_accept(std::get<uv_stream_t*>(incoming), reinterpret_cast<uv_stream_t*>(&c->tcp_)) !=
           0) {
    c->shut();
    return nullptr;
  }
  // A pipe of this process takes no descriptor, so it is not counted.
  if (admissions && !c->pipe_) {
    c->admissions_ = std::move(admissions);
    if (const Ptr oldest = c->admissions_->arrived(c))
      loop.post([oldest] {
        if (!oldest->session_.established())
          oldest->refuse({Errc::too_many, "too many connections say no hello"});
      });
  }
  c->opened();
  return c;
}

/// The hello has come. False for a client above the limit, which deliver() refuses.
bool Connection::is_admitted() {
  if (!admissions_) return true;
  const bool client = session_.peer().role == Role::client;
  counted_client_ = admissions_->known(*this, client) && client;
  return !client || counted_client_;
}

// The last 64 bits of an IPv6 address are cleared, unless it maps an IPv4 address.
std::string Connection::peer_address() const {
  sockaddr_storage peer{};
  if (pipe_ || !find_peer(tcp_, peer)) return {};
  if (auto& v6 = reinterpret_cast<sockaddr_in6&>(peer);
      peer.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    std::memset(v6.sin6_addr.s6_addr + 8, 0, 8);
  return ip_of(peer);
}

// Closes an open connection with a reason and tells the owner, as if the peer had caused it.
void Connection::refuse(const Error& why) {
  if (state_ != State::open) return;
  const auto told = callbacks_;
  close(why);
  if (told->on_closed) told->on_closed(why);
}

/// W9: a message that has begun must end or go on coming; otherwise a peer could make this side
/// keep a part of it for ever. A slow link is no reason to close, and neither is a pause by this
/// side (W8, W10).
void Connection::expect_progress() {
  if (!admissions_ || expects_progress_ || !session_.established() || !session_.has_part()) return;
  expects_progress_ = true;
  loop_.after(admissions_->progress_period(),
              [weak = weak_from_this(), messages = messages_, received = received_] {
                if (const Ptr c = weak.lock()) c->check_progress(messages, received);
              });
}

// The arguments are the counts at the beginning of the period.
void Connection::check_progress(std::uint64_t messages, std::uint64_t received) {
  expects_progress_ = false;
  if (state_ != State::open || !admissions_) return;
  const std::uint64_t least =
      message_rate_min * static_cast<std::uint64_t>(admissions_->progress_period() / 1ms) / 1000;
  if (!paused_ && !waits_for_room_ && stands_still(messages, received, least))
    return refuse({Errc::connection_lost, "a message began, and its end does not come"});
  expect_progress();
}

// W6: dialling and accepting sides both give up.
void Connection::expect_hello() {
  loop_.after(hello_timeout, [weak = weak_from_this()] {
    const Ptr c = weak.lock();
    if (c && c->state_ == State::open && !c->session_.established())
      c->broken({Errc::connection_lost, "no hello came within 5 s"});
  });
}

// Both ways to a connection end here: own hello first, then reading.
void Connection::opened() {
  state_ = State::open;
  expect_hello();
  send(RequestId{}, own_);
  if (!pipe_) return read_from_socket();
  pipe_->on_arrival([weak = weak_from_this()] {
    if (const Ptr c = weak.lock()) c->take_from_pipe();
  });
}

void Connection::read_from_socket() {
  uv_tcp_nodelay(&tcp_, 1);
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&tcp_), &fd) == 0)
    end_when_silent(fd, silence_timeout);
  start_reading();
}

// libuv asks for a buffer before each read; receive_block() may return none (UV_ENOBUFS), which is
// the sign to wait for memory.
void Connection::start_reading() {
  if (paused_ || waits_for_room_) return;
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(&tcp_),
      [](uv_handle_t* h, std::size_t, uv_buf_t* buffer) {
        const auto room = static_cast<Connection*>(h->data)->receive_block();
        *buffer =
            uv_buf_init(reinterpret_cast<char*>(room.data()), static_cast<unsigned>(room.size()));
      },
      [](uv_stream_t* s, ssize_t n, const uv_buf_t*) {
        static_cast<Connection*>(s->data)->read_some(n);
      });
}

// `n` bytes have come, or an error or the end (negative, as libuv says it). take_from_pipe() calls
// it too.
void Connection::read_some(ssize_t n) {
  const Ptr alive = shared_from_this();
  if (n == UV_ENOBUFS) return wait_for_room();
  if (n == 0) return account_block();
  if (n == UV_EOF)
    return broken(
        {Errc::connection_lost,
         session_.established()
             ? "the peer closed the connection"
             : "the peer closed the connection without a hello: it may not speak LogLog"});
  if (n < 0) return broken(lost(static_cast<int>(n)));
  loop_.traffic().received += static_cast<std::uint64_t>(n);
  received_ += static_cast<std::uint64_t>(n);
  session_.filled(static_cast<std::size_t>(n));
  deliver();
  account_block();
}

// W10 bounds the receive memory of accepted clients only; servers always receive.
bool Connection::is_limited_client() const {
  return admissions_ && session_.established() && session_.peer().role == Role::client;
}

// True if the next receive block fits the server's receive memory. The connection's present block
// does not count, because the new block replaces it.
bool Connection::has_room() const {
  const std::size_t wanted = session_.wanted();
  return !is_limited_client() || wanted <= hello_size_max ||
         loop_.traffic().receiving - held_ + wanted <= receiving_bytes_max;
}

/// The place for the next bytes; empty if there is no room for them now.
std::span<std::byte> Connection::receive_block() {
  if (session_.established()) {
    const bool scarce = is_limited_client() && loop_.traffic().receiving >= receiving_bytes_max / 2;
    session_.set_block_size(scarce ? hello_size_max : receive_block_size);
    if (!scarce && session_.held() == 0 && !loop_.spare_block().empty())
      session_.take_block(std::exchange(loop_.spare_block(), {}));
  }
  return has_room() ? session_.writable() : std::span<std::byte>{};
}

/// W10: a connection that has no part of a message holds no block, because most connections are
/// silent most of the time. A full-size block is kept for the next connection on which bytes
/// arrive.
void Connection::account_block() {
  if (Bytes block = session_.release_block(); block.size() == receive_block_size && block.unique())
    loop_.spare_block() = std::move(block);
  count_block();
}

void Connection::drop_block() {
  session_.drop_block();
  count_block();
}

// Brings the loop's traffic and the admissions up to date with the block held now. A smaller block
// may make room for a waiting client.
void Connection::count_block() {
  const std::size_t before = std::exchange(held_, session_.held());
  if (held_ == before) return;
  loop_.traffic().receiving += held_ - before;
  if (!admissions_) return;
  if ((held_ == 0) != (before == 0)) admissions_->holds(shared_from_this(), held_ > 0);
  if (held_ < before) give_room();
}

/// Stops reading; the bytes wait in the kernel, so an honest client is only slowed down.
void Connection::wait_for_room() {
  uv_read_stop(reinterpret_cast<uv_stream_t*>(&tcp_));
  waits_for_room_ = true;
  admissions_->wait_for_room(shared_from_this());
  look_who_stands();
}

// Lets waiting clients go on, in the order of their arrival, as far as memory allows.
void Connection::give_room() {
  while (const Ptr next = admissions_->first_waiting()) {
    if (!next->has_room()) return;
    admissions_->has_room();
    next->waits_for_room_ = false;
    // Allocates the block now; otherwise another client could take the room first.
    next->session_.writable();
    next->count_block();
    loop_.post([next] { next->read_on(); });
  }
}

/// While clients wait for room, connections that have some must use it (W10). Connections whose
/// message has not moved for a period are closed.
void Connection::look_who_stands() {
  if (!admissions_->may_look()) return;
  struct Holder {
    std::weak_ptr<Connection> connection;
    std::uint64_t messages, received;
  };
  std::vector<Holder> holders;
  // A client that waits now is not watched: it may get room just before the period ends.
  for (const Ptr& c : admissions_->holders())
    if (c->is_limited_client() && !c->waits_for_room_)
      holders.push_back({c, c->messages_, c->received_});
  loop_.after(crowded_period, [from = admissions_, holders = std::move(holders)] {
    constexpr std::uint64_t least =
        message_rate_crowded_min * static_cast<std::uint64_t>(crowded_period / 1ms) / 1000;
    from->looked();
    for (const Holder& h : holders) {
      const Ptr c = h.connection.lock();
      if (c && !c->waits_for_room_ && from->first_waiting() &&
          c->stands_still(h.messages, h.received, least))
        c->refuse(
            {Errc::too_many,
             "a message began and stands still, while others wait for the memory that it takes"});
    }
    if (const Ptr next = from->first_waiting()) {
      next->give_room();
      next->look_who_stands();
    }
  });
}

// True if the same message has been unfinished since the given counts, and fewer than `least` bytes
// have come.
bool Connection::stands_still(std::uint64_t messages, std::uint64_t received,
                              std::uint64_t least) const {
  return session_.has_part() && messages == messages_ && received_ - received < least;
}

// Gives whole messages to the callbacks until none is left, the connection closes, or W8 pauses it.
// It is also called when the pause ends, for messages that came before it.
void Connection::deliver() {
  // A callback may close the connection, which clears callbacks_; this copy keeps the running
  // callback alive.
  auto callbacks = callbacks_;
  while (state_ == State::open && !paused_) {
    auto r = session_.next();
    if (!r) {
      const Error& why = r.error();
      close(why);
      if (callbacks->on_closed) callbacks->on_closed(why);
      return;
    }
    if (!*r) return expect_progress();
    ++messages_;
    if (std::holds_alternative<Hello>((*r)->message)) {
      if (!is_admitted())
        return refuse({Errc::too_many, fmt::format("{} clients are connected, the limit is {}: 1 "
                                                   "in {} of the {} descriptors of this process "
                                                   "(ulimit -n)",
                                                   admissions_->figures().clients,
                                                   admissions_->figures().clients_max,
                                                   clients_share, admissions_->descriptors())});
      if (callbacks->on_hello) callbacks->on_hello(session_.peer());
      // on_hello may have set others.
      callbacks = callbacks_;
    } else if (const auto* f = std::get_if<Failed>(&(*r)->message);
               f != nullptr && (*r)->request == RequestId{}) {
      return broken({f->error, "the peer says: " + f->detail});
    } else if (callbacks->on_message) {
      callbacks->on_message((*r)->request, std::move((*r)->message));
    }
  }
}

// Copies each message into the receive block, as read() would: the sender's buffers go to other
// connections too.
void Connection::take_from_pipe() {
  const Ptr alive = shared_from_this();
  const LocalPipe::Taken taken = pipe_->take();
  for (const Encoded& message : taken.messages)
    for (const Bytes* part : {&message.head, &message.tail})
      for (std::size_t at = 0; at < part->size() && state_ == State::open;) {
        const auto room = receive_block();
        const std::size_t n = std::min(room.size(), part->size() - at);
        std::memcpy(room.data(), part->data() + at, n);
        at += n;
        read_some(static_cast<ssize_t>(n));
      }
  if (taken.ended && state_ == State::open) read_some(UV_EOF);
}

// Ends the connection at once and tells the owner. Callbacks are cleared first, so that on_closed
// comes at most once.
void Connection::broken(const Error& why) {
  if (state_ == State::closed || state_ == State::draining) return shut();
  const auto told = std::exchange(callbacks_, no_callbacks());
  shut();
  if (told->on_closed) told->on_closed(why);
}

void Connection::send(RequestId request, const Message& m) {
  if (state_ != State::open) return;
  Encoded e = encode(request, m, session_.version());
  queued_ += e.size();
  loop_.traffic().queued += e.size();
  loop_.traffic().sent += e.size();
  out_.push_back(std::move(e));
  bound_queue();
  if (dirty_) return;
  dirty_ = true;
  loop_.flush_later(shared_from_this());
}

/// A client may have as much queued as is still free for all clients: the more clients do not read,
/// the less each may have (W8).
std::size_t Connection::queue_limit() const {
  const std::uint64_t free =
      connection_queue_max_in_all -
      std::min<std::uint64_t>(connection_queue_max_in_all, loop_.traffic().queued);
  return std::max<std::size_t>(connection_queue_floor,
                               std::min<std::uint64_t>(connection_queue_max, free));
}

/// W8. Only a server stops reading, and only from a client: two ends that both stopped would wait
/// for each other for ever. Output to a pipe is in the other end's hands at the end of the turn, so
/// it has no bound here.
void Connection::bound_queue() {
  if (pipe_ || own_.role == Role::client || !session_.established()) return;
  if (session_.peer().role == Role::client) {
    if (paused_ || queued_ < queue_limit()) return;
    paused_ = true;
    uv_read_stop(reinterpret_cast<uv_stream_t*>(&tcp_));
  } else if (queued_ > peer_queue_max && !std::exchange(given_up_, true)) {
    // Posted: send() must not call back.
    loop_.post([c = shared_from_this()] {
      c->broken(
          {Errc::connection_lost,
           fmt::format("the peer takes too little: {} bytes are queued to it, the limit is {}",
                       c->queued_, peer_queue_max)});
    });
  }
}

// Bytes have left. Reading goes on when half of the limit is free, not at the limit itself, so that
// the pause does not flicker.
void Connection::unqueue(std::size_t bytes) {
  queued_ -= bytes;
  loop_.traffic().queued -= bytes;
  if (!paused_ || queued_ > queue_limit() / 2) return;
  paused_ = false;
  loop_.post([c = shared_from_this()] { c->read_on(); });
}

// After a pause (W8) or a wait for memory (W10).
void Connection::read_on() {
  deliver();  // requests that came before the pause
  account_block();
  if (state_ == State::open) start_reading();
}

// The callback may close the connection.
void Connection::tell_written(std::uint64_t tails) {
  if (tails == 0 || !callbacks_->on_written) return;
  const auto told = callbacks_;
  told->on_written(tails);
}

// Never destroyed: a client that is released in a callback closes its connections on a thread that
// may outlive main().
const std::shared_ptr<const Connection::Callbacks>& Connection::no_callbacks() {
  static const auto* const none =
      new std::shared_ptr<const Callbacks>(std::make_shared<const Callbacks>());
  return *none;
}

// Order: try a direct write, then queue the rest with libuv. A direct write is allowed only if no
// earlier write is under way, because bytes must leave in order.
void Connection::flush() {
  dirty_ = false;
  if (out_.empty() || state_ == State::closed) return;
  const Ptr alive = shared_from_this();
  std::uint64_t tails = 0;
  for (const Encoded& e : out_) tails += e.tail.size();
  if (pipe_) {
    unqueue(queued_);
    pipe_->give(out_);
    return tell_written(tails);
  }
  buffers_.clear();
  std::size_t bytes = 0;
  for (const Encoded& e : out_)
    for (const Bytes* b : {&e.head, &e.tail})
      if (!b->empty()) {
        buffers_.push_back(
            uv_buf_init(const_cast<char*>(b->text().data()), static_cast<unsigned>(b->size())));
        bytes += b->size();
      }
  const auto stream = reinterpret_cast<uv_stream_t*>(&tcp_);
  std::size_t first = 0;
  if (writes_ == 0) {
    // If the kernel takes all bytes at once, no write request and no further turn of the loop are
    // needed. An error of this attempt comes again from uv_write() below.
    const int taken = uv_try_write(stream, buffers_.data(), static_cast<unsigned>(buffers_.size()));
    std::size_t left = taken > 0 ? static_cast<std::size_t>(taken) : 0;
    bytes -= left;
    unqueue(left);
    for (; first < buffers_.size() && left >= buffers_[first].len; ++first)
      left -= buffers_[first].len;
    if (first == buffers_.size()) {
      out_.clear();
      return tell_written(tails);
    }
    buffers_[first].base += left;
    buffers_[first].len -= left;
  }
  auto* w = new Write{{}, shared_from_this(), std::exchange(out_, {}), bytes, tails};
  w->request.data = w;
  ++writes_;
  const int status =
      uv_write(&w->request, stream, buffers_.data() + first,
               static_cast<unsigned>(buffers_.size() - first), [](uv_write_t* r, int error) {
                 std::unique_ptr<Write> done(static_cast<Write*>(r->data));
                 Connection& c = *done->connection;
                 --c.writes_;
                 c.unqueue(done->bytes);
                 if (c.state_ == State::draining && c.writes_ == 0) c.shut();
                 else if (error != 0 && error != UV_ECANCELED) c.broken(lost(error));
                 else if (error == 0) c.tell_written(done->tails);
               });
  if (status != 0) {
    --writes_;
    unqueue(w->bytes);
    delete w;
    loop_.post([c = shared_from_this(), status] { c->broken(lost(status)); });
  }
}

// The reason goes out even before the peer's hello, so that the peer can log it.
void Connection::close(const Error& why) {
  callbacks_ = no_callbacks();
  drop_block();
  if (state_ != State::open) return shut();
  if (why.code != Errc::ok) send(RequestId{}, Failed{why.code, why.detail});
  flush();
  if (writes_ == 0) return shut();
  // Queued output still leaves, for a bounded time.
  state_ = State::draining;
  uv_read_stop(reinterpret_cast<uv_stream_t*>(&tcp_));
  loop_.after(drain_timeout, [weak = weak_from_this()] {
    if (const Ptr c = weak.lock()) c->shut();
  });
}

// The end of every connection, in any state; may be called again. The counts come first, because
// the handle's close callback releases the object.
void Connection::shut() {
  drop_block();
  state_ = State::closed;
  if (const auto from = std::exchange(admissions_, nullptr)) from->left(*this, counted_client_);
  for (const Encoded& e : std::exchange(out_, {})) unqueue(e.size());
  if (pipe_) pipe_->close();
  if (!uv_is_closing(reinterpret_cast<uv_handle_t*>(&tcp_))) close_handle();
}

// While dialling, the callback makes a new socket and dials the next address. Otherwise it releases
// the last reference that libuv has needed.
void Connection::close_handle() {
  uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), [](uv_handle_t* h) {
    auto* c = static_cast<Connection*>(h->data);
    if (c->state_ == State::connecting) {
      uv_tcp_init(c->loop_.raw(), &c->tcp_);
      return c->connect_next();
    }
    const Ptr last = std::move(c->self_);
    c->self_.reset();
  });
}

// The look-up blocks: a server resolves its own address once, before its loop runs.
Result<std::unique_ptr<Listener>> Listener::listen(Loop& loop, const std::string& address,
                                                   OnAccept on_accept) {
  const auto parts = split_address(address);
  if (!parts) return std::unexpected(parts.error());
  if (const auto name = local_name(address)) {
    std::unique_ptr<Listener> l(new Listener);
    l->address_ = address;
    l->local_ = LocalListener::listen(
        loop, *name, [accept = std::move(on_accept)](const LocalPipe::Ptr& pipe) { accept(pipe); });
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
  const int port = port_of(bound);
  const std::string host = address.substr(0, address.rfind(':'));
  l->address_ = fmt::format("{}:{}", host, port);
  return l;
}

int Listener::begin() {
  tcp_->data = this;
  return uv_listen(reinterpret_cast<uv_stream_t*>(tcp_), listen_backlog,
                   [](uv_stream_t* s, int status) {
                     auto* l = static_cast<Listener*>(s->data);
                     if (status == 0) l->on_accept_(s);
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
