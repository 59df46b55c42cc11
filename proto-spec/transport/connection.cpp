// The order of the file: dialling, accepting and admission; receiving (progress, receive memory,
// delivery); sending (queue bounds, flush); closing. Each timer and posted call holds a weak or a
// shared pointer, because a connection may end before it runs. Every other caller holds a shared
// pointer too: shut() makes the stream let go of its own.
#include "proto-spec/transport/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace loglog::transport {
namespace {

// From the opening of the stream to the end of both hellos (W6).
constexpr Duration hello_timeout = 5s;
// How long close() waits for queued output.
constexpr Duration drain_timeout = 1s;
// In which an unfinished message must make progress while a client waits for room (W10).
constexpr Duration crowded_period = 1s;

}  // namespace

Connection::Connection(Loop& loop, Stream::Ptr stream, Hello own, Session::Expectation expected)
    : loop_(loop),
      stream_(std::move(stream)),
      own_(own),
      session_(std::move(own), std::move(expected)) {}

Connection::Ptr Connection::dial(Loop& loop, const std::string& address, Hello own,
                                 Session::Expectation expected, Callbacks callbacks) {
  return dial(loop, dial_stream(loop, address), std::move(own), std::move(expected),
              std::move(callbacks));
}

Connection::Ptr Connection::dial(Loop& loop, Stream::Ptr stream, Hello own,
                                 Session::Expectation expected, Callbacks callbacks) {
  auto c =
      std::make_shared<Connection>(loop, std::move(stream), std::move(own), std::move(expected));
  c->set_callbacks(std::move(callbacks));
  c->stream_->open(c);
  return c;
}

Connection::Ptr Connection::accept(Loop& loop, Stream::Ptr stream, Hello own,
                                   Session::Expectation expected,
                                   std::shared_ptr<Admissions> admissions) {
  auto c =
      std::make_shared<Connection>(loop, std::move(stream), std::move(own), std::move(expected));
  // A pipe of this process takes no descriptor, so it is not counted.
  if (admissions && !c->stream_->in_process()) {
    c->admissions_ = std::move(admissions);
    if (const Ptr oldest = c->admissions_->arrived(c))
      loop.post([oldest] {
        if (!oldest->session_.established())
          oldest->refuse({Errc::too_many, "too many connections say no hello"});
      });
  }
  c->stream_->open(c);
  return c;
}

/// The hello has come. False for a client above the limit, which deliver() refuses.
bool Connection::is_admitted() {
  if (!admissions_) return true;
  const bool client = session_.peer().role == Role::client;
  counted_client_ = admissions_->known(*this, client) && client;
  return !client || counted_client_;
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
void Connection::on_open() {
  state_ = State::open;
  expect_hello();
  send(RequestId{}, own_);
  stream_->start_reading();
}

void Connection::on_received(std::size_t n) {
  if (n == 0) return account_block();
  loop_.traffic().received += n;
  received_ += n;
  session_.filled(n);
  deliver();
  account_block();
}

void Connection::on_end() {
  broken({Errc::connection_lost,
          session_.established()
              ? "the peer closed the connection"
              : "the peer closed the connection without a hello: it may not speak LogLog"});
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

/// W10: the bytes wait in the kernel, so an honest client is only slowed down.
void Connection::on_no_room() {
  stream_->stop_reading();
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
/// for each other for ever. Output within the process is in the other end's hands at the end of the
/// turn, so it has no bound here.
void Connection::bound_queue() {
  if (own_.role == Role::client || !session_.established() || stream_->in_process()) return;
  if (session_.peer().role == Role::client) {
    if (paused_ || queued_ < queue_limit()) return;
    paused_ = true;
    stream_->stop_reading();
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
  if (state_ == State::open && !paused_ && !waits_for_room_) stream_->start_reading();
}

// Never destroyed: a client that is released in a callback closes its connections on a thread that
// may outlive main().
const std::shared_ptr<const Connection::Callbacks>& Connection::no_callbacks() {
  static const auto* const none =
      new std::shared_ptr<const Callbacks>(std::make_shared<const Callbacks>());
  return *none;
}

void Connection::flush() {
  dirty_ = false;
  if (!out_.empty()) stream_->write(out_);
}

// The copy keeps the callback alive, because it may close the connection.
void Connection::on_written(std::size_t bytes, std::uint64_t tails) {
  unqueue(bytes);
  if (state_ == State::draining && queued_ == 0) return shut();
  if (tails == 0 || !callbacks_->on_written) return;
  const auto told = callbacks_;
  told->on_written(tails);
}

// The reason goes out even before the peer's hello, so that the peer can log it.
void Connection::close(const Error& why) {
  callbacks_ = no_callbacks();
  drop_block();
  if (state_ != State::open) return shut();
  if (why.code != Errc::ok) send(RequestId{}, Failed{why.code, why.detail});
  flush();
  if (queued_ == 0) return shut();
  // Queued output still leaves, for a bounded time.
  state_ = State::draining;
  stream_->stop_reading();
  loop_.after(drain_timeout, [weak = weak_from_this()] {
    if (const Ptr c = weak.lock()) c->shut();
  });
}

// The end of every connection, in any state; may be called again. The stream comes last, because it
// may hold the last reference to this object.
void Connection::shut() {
  drop_block();
  state_ = State::closed;
  if (const auto from = std::exchange(admissions_, nullptr)) from->left(*this, counted_client_);
  out_.clear();
  unqueue(queued_);
  stream_->close();
}

}  // namespace loglog::transport
