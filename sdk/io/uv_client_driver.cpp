// Appends have a path of their own, because they are the frequent call: a shared vector instead of
// a posted function, and a deque indexed by token instead of a map of handlers.
#include "sdk/io/uv_client_driver.h"

#include <future>
#include <utility>

namespace loglog::client {
namespace {
/// Marks the tokens of appends, so that they differ from the tokens of other calls.
constexpr std::uint64_t append_bit = std::uint64_t{1} << 63;
}  // namespace

ClientDriver::ClientDriver(Options options, std::uint64_t seed, std::shared_ptr<ClientLoop> loop,
                           OnEvent on_event)
    : loop_(std::move(loop)), machine_(std::move(options), seed), on_event_(std::move(on_event)) {
  loop_->call(*this);  // the first turn dials
}

ClientDriver::~ClientDriver() {
  auto ended = std::make_shared<std::promise<void>>();
  auto future = ended->get_future();
  post_to_thread([this, ended] {
    machine_.close(loop_->loop().now());
    perform();
    links_.close_all();
    loop_->remove(*this);
    ended->set_value();
  });
  future.wait();
}

void ClientDriver::post_to_thread(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  loop_->call(*this);
}

// The last work that is ever posted lets another thread destroy the driver, so no member is touched
// after it.
void ClientDriver::take_calls() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& w : work) w();
}

void ClientDriver::tick() { machine_.tick(loop_->loop().now()); }

void ClientDriver::submit(Call call, Handler handler, std::function<void(Token)> started) {
  post_to_thread([this, call = std::move(call), handler = std::move(handler),
                  started = std::move(started)]() mutable {
    const Token token{++tokens_};
    handlers_.emplace(token, std::move(handler));
    if (started) started(token);
    call(machine_, loop_->loop().now(), token);
  });
}

void ClientDriver::append(LogId log, Bytes payload, bool packed, Duration timeout,
                          const AppendConditions& conditions, std::unique_ptr<AppendEnd> end) {
  {
    const std::lock_guard lock(mutex_);
    new_appends_.push_back({log, std::move(payload), packed, timeout, conditions, std::move(end)});
    // Later appends find the vector non-empty and are taken by the same wake-up.
    if (new_appends_.size() > 1) return;
    posted_.push_back([this] { take_appends(); });
  }
  loop_->call(*this);
}

void ClientDriver::take_appends() {
  {
    std::lock_guard lock(mutex_);
    taking_.swap(new_appends_);
  }
  const Time now = loop_->loop().now();
  for (NewAppend& a : taking_) {
    const Token token{append_bit | (appends_base_ + appends_.size())};
    appends_.push_back(std::move(a.end));
    machine_.append(now, token, a.log, a.payload, a.packed, now + a.timeout, a.conditions);
  }
  taking_.clear();
}

void ClientDriver::post(std::function<void(ClientMachine&, Time)> work) {
  post_to_thread([this, work = std::move(work)] { work(machine_, loop_->loop().now()); });
}

ClientDriver::Counted ClientDriver::counted() {
  const auto look = [](const ClientMachine& m) {
    return Counted{m.figures(), m.bytes_in_flight()};
  };
  if (inherited()) return {};
  if (on_own_thread()) return look(machine_);
  auto promise = std::make_shared<std::promise<Counted>>();
  auto future = promise->get_future();
  post([look, promise](const ClientMachine& m, Time) { promise->set_value(look(m)); });
  return future.get();
}

void ClientDriver::on_connected(const transport::Link& link, const Hello& peer) {
  loop_->step(*this);
  machine_.connected(loop_->loop().now(), {link.id, peer});
}

void ClientDriver::on_message(ConnectionId from, RequestId request, Message&& m) {
  loop_->step(*this);
  machine_.arrived(loop_->loop().now(), {from, request, std::move(m)});
}

void ClientDriver::on_disconnected(const transport::Link& link, const Error& why) {
  loop_->step(*this);
  machine_.disconnected(loop_->loop().now(), {link.id, why});
}

void ClientDriver::completed(Completed&& c) {
  // The handler is moved out before it runs, so that its captures are destroyed with this call.
  if ((c.token.value & append_bit) != 0) {
    const std::unique_ptr<AppendEnd> end =
        std::move(appends_[(c.token.value & ~append_bit) - appends_base_]);
    for (; !appends_.empty() && !appends_.front(); ++appends_base_) appends_.pop_front();
    return end->ended(std::move(c.result));
  }
  const auto h = handlers_.find(c.token);
  if (h == handlers_.end()) return;
  if (c.last) {
    const Handler handler = std::move(h->second);
    handlers_.erase(h);
    handler(std::move(c));
  } else {
    h->second(std::move(c));
  }
}

Time ClientDriver::perform() {
  // A handler can make further calls only by posting them, so a single pass is enough.
  Output& o = machine_.output();
  for (const Connect& c : o.connects)
    links_.dial(c.connection, c.address, machine_.hello(), {{Role::sequencer, Role::storage}, 0});
  links_.send(o.sends);
  for (const CloseConnection& c : o.closes) links_.close(c.connection, c.why);
  // The Output is complete and cleared before any handler of the application runs.
  const Time wake = o.wake;
  completing_.swap(o.completed);
  std::vector<Event> events = std::exchange(o.events, {});
  o.clear();
  if (on_event_)
    for (Event& e : events) on_event_(std::move(e));
  for (Completed& c : completing_) completed(std::move(c));
  completing_.clear();
  return wake;
}

}  // namespace loglog::client
