// Appends have a path of their own, because they are the frequent call: a shared vector instead of
// a posted function, and a deque indexed by token instead of a map of handlers.
#include "sdk/io/uv_client_driver.h"

#include <future>
#include <utility>

#include "proto-spec/transport/posix_signals.h"
#include "sdk/io/posix_thread_name.h"

namespace loglog::client {
namespace {
/// Marks the tokens of appends, so that they differ from the tokens of other calls.
constexpr std::uint64_t append_bit = std::uint64_t{1} << 63;
}  // namespace

ClientDriver::ClientDriver(Options options, std::uint64_t seed, const std::string& thread_name,
                           OnEvent on_event)
    : machine_(std::move(options), seed), on_event_(std::move(on_event)) {
  loop_.on_turn_end([this] { perform(); });
  // The thread inherits the blocked signals, so that the application's threads get them all.
  const transport::SignalsBlocked around_the_start;
  thread_ = std::thread([this, name = thread_name] {
    name_this_thread(name);
    loop_.run();
  });
}

ClientDriver::~ClientDriver() {
  loop_.post([this] {
    machine_.close(loop_.now());
    perform();
    links_.close_all();
    loop_.stop();
  });
  thread_.join();
}

void ClientDriver::submit(Call call, Handler handler, std::function<void(Token)> started) {
  loop_.post([this, call = std::move(call), handler = std::move(handler),
              started = std::move(started)]() mutable {
    const Token token{++tokens_};
    handlers_.emplace(token, std::move(handler));
    if (started) started(token);
    call(machine_, loop_.now(), token);
  });
}

void ClientDriver::append(LogId log, Bytes payload, bool packed, Duration timeout,
                          const AppendConditions& conditions, std::unique_ptr<AppendEnd> end) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = new_appends_.empty();
    new_appends_.push_back({log, std::move(payload), packed, timeout, conditions, std::move(end)});
  }
  // Later appends find the vector non-empty and are taken by the same wake-up.
  if (first) loop_.post([this] { take_appends(); });
}

void ClientDriver::take_appends() {
  {
    std::lock_guard lock(mutex_);
    taking_.swap(new_appends_);
  }
  const Time now = loop_.now();
  for (NewAppend& a : taking_) {
    const Token token{append_bit | (appends_base_ + appends_.size())};
    appends_.push_back(std::move(a.end));
    machine_.append(now, token, a.log, a.payload, a.packed, now + a.timeout, a.conditions);
  }
  taking_.clear();
}

void ClientDriver::post(std::function<void(ClientMachine&, Time)> work) {
  loop_.post([this, work = std::move(work)] { work(machine_, loop_.now()); });
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
  machine_.connected(loop_.now(), {link.id, peer});
}

void ClientDriver::on_message(ConnectionId from, RequestId request, Message&& m) {
  machine_.arrived(loop_.now(), {from, request, std::move(m)});
}

void ClientDriver::on_disconnected(const transport::Link& link, const Error& why) {
  machine_.disconnected(loop_.now(), {link.id, why});
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

void ClientDriver::perform() {
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
  loop_.set_wake(wake, [this] { machine_.tick(loop_.now()); });
}

}  // namespace loglog::client
