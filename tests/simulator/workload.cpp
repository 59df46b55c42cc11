#include "tests/simulator/workload.h"

#include <fmt/format.h>

namespace loglog::simulator {

using client::Token;

ClientWorkload::ClientWorkload(World& world, Checkers& checkers, ClientProcess& process, std::string log, const WorkloadOptions& options,
                               bool creates)
    : world_(world), checkers_(checkers), process_(process), name_(std::move(log)), options_(options), creates_(creates) {}

void ClientWorkload::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  open();
}

Token ClientWorkload::token(Kind kind, std::string payload, Offset floor) {
  pending_[++tokens_] = Pending{kind, std::move(payload), floor};
  return Token{tokens_};
}

void ClientWorkload::later(Duration d, void (ClientWorkload::*what)()) {
  world_.scheduler.after(d, [this, what, life = process_.life()] { process_.deliver(life, [this, what] { (this->*what)(); }); });
}

void ClientWorkload::open() {
  const Time deadline = world_.scheduler.now() + 5s;
  process_.call([&](client::ClientMachine& m) {
    if (creates_)
      m.create_log(world_.scheduler.now(), token(Kind::create), name_, LogOptions{0, 0, options_.segment_size, Durability::sync}, deadline);
    else m.open_log(world_.scheduler.now(), token(Kind::open), name_, deadline);
  });
}

void ClientWorkload::opened(LogId log) {
  log_ = log;
  append_more();
  follow();
  ask_tail();
}

void ClientWorkload::append_more() {
  thinking_ = false;
  while (flying_ < options_.in_flight && started_ < options_.entries_per_client) {
    ++started_;
    ++flying_;
    std::string payload = fmt::format("{}:{}:{}#", process_.name(), name_, started_);
    payload.append(world_.random.below(options_.payload_max + 1), static_cast<char>('a' + started_ % 26));
    checkers_.append_started(log_, payload);
    const Bytes bytes = Bytes::copy_of(payload);
    const Token t = token(Kind::append, std::move(payload));
    process_.call([&](client::ClientMachine& m) {
      m.append(world_.scheduler.now(), t, log_, bytes, false, world_.scheduler.now() + options_.append_deadline);
    });
  }
}

void ClientWorkload::follow() {
  process_.call([&](client::ClientMachine& m) { m.follow(world_.scheduler.now(), token(Kind::follow), log_, followed_to_); });
}

void ClientWorkload::ask_tail() {
  const Offset floor = checkers_.tail_floor(log_);
  process_.call(
      [&](client::ClientMachine& m) { m.tail(world_.scheduler.now(), token(Kind::tail, {}, floor), log_, world_.scheduler.now() + 5s); });
}

void ClientWorkload::completed(const client::Completed& c) {
  const auto at = pending_.find(c.token.value);
  if (at == pending_.end()) return;
  const Pending p = at->second;
  if (c.last) pending_.erase(at);
  const auto* failure = std::get_if<client::Failure>(&c.result);
  switch (p.kind) {
    case Kind::create:
      if (failure && failure->error.code == Errc::log_exists) creates_ = false;
      [[fallthrough]];
    case Kind::open:
      if (failure) later(100ms, &ClientWorkload::open);
      else if (const auto* d = std::get_if<client::LogDescription>(&c.result)) opened(d->info.id);
      break;
    case Kind::append:
      --flying_;
      ++ended_;
      if (failure) world_.trace(process_.name(), "append ends: " + failure->error.message());
      checkers_.append_ended(log_, p.payload, c.result);
      if (!thinking_) {
        thinking_ = true;
        later(Duration(static_cast<std::int64_t>(world_.random.below(static_cast<std::uint64_t>(options_.think_max.count()) + 1))),
              &ClientWorkload::append_more);
      }
      break;
    case Kind::follow:
      if (const auto* d = std::get_if<client::Delivered>(&c.result)) {
        std::uint64_t bytes = 0;
        for (const auto& e : d->entries) {
          checkers_.entry_read(log_, e);
          bytes += e.next - e.offset;
        }
        followed_to_ = d->next;
        process_.call([&](client::ClientMachine& m) { m.consumed(world_.scheduler.now(), c.token, bytes); });
      } else if (c.last) {
        later(200ms, &ClientWorkload::follow);
      }
      break;
    case Kind::tail:
      if (const auto* t = std::get_if<client::Tail>(&c.result)) {
        ++tails_;
        checkers_.tail_answered(log_, p.floor, t->committed);
      }
      later(150ms, &ClientWorkload::ask_tail);
      break;
  }
}

FullRead::FullRead(World& world, ClientProcess& process, std::string log) : world_(world), process_(process), name_(std::move(log)) {}

void FullRead::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  next();
}

void FullRead::next() {
  const Time now = world_.scheduler.now();
  const Token t{++tokens_};
  process_.call([&](client::ClientMachine& m) {
    if (step_ == 0) m.open_log(now, t, name_, now + 5s);
    else if (step_ == 1) m.tail(now, t, log_, now + 5s);
    else m.read(now, t, log_, at_, 256u << 10, 0ms, now + 5s);
  });
}

void FullRead::completed(const client::Completed& c) {
  if (c.token.value != tokens_) return;
  if (const auto* f = std::get_if<client::Failure>(&c.result)) {
    error_ = f->error.message();
    world_.trace(process_.name(), "full read: " + error_);
    world_.scheduler.after(100ms, [this] { next(); });
    return;
  }
  if (const auto* d = std::get_if<client::LogDescription>(&c.result)) {
    log_ = d->info.id;
    step_ = 1;
  } else if (const auto* t = std::get_if<client::Tail>(&c.result)) {
    tail_ = *t;
    at_ = tail_.first;
    step_ = 2;
  } else if (const auto* e = std::get_if<client::Delivered>(&c.result)) {
    entries_.insert(entries_.end(), e->entries.begin(), e->entries.end());
    const bool moved = e->next != at_;
    at_ = e->next;
    if (at_ >= tail_.committed) {
      done_ = true;
      return;
    }
    if (!moved) {
      world_.scheduler.after(20ms, [this] { next(); });
      return;
    }
  }
  next();
}

}  // namespace loglog::simulator
