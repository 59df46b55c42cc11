// The end of a turn is a libuv prepare handle: it runs after timers, posted work and input, just
// before the loop sleeps. Timers count milliseconds and round up, so nothing runs early.
#include "proto-spec/transport/uv_loop.h"

#include <csignal>

#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/check.h"

namespace loglog::transport {

Loop::Loop() {
  // libuv aborts on a descriptor below 3; the program may have closed its own standard descriptors.
  console::occupy_standard_descriptors();
  check(uv_loop_init(&loop_) == 0, "an event loop can be made");
  uv_async_init(&loop_, &async_, [](uv_async_t* a) { static_cast<Loop*>(a->data)->run_posted(); });
  async_.data = this;
  mailbox_->wake_ = &async_;
  uv_timer_init(&loop_, &wake_timer_);
  wake_timer_.data = this;
  uv_prepare_init(&loop_, &prepare_);
  prepare_.data = this;
  // Prepare handles run just before the loop sleeps: the end of the turn.
  uv_prepare_start(&prepare_, [](uv_prepare_t* p) { static_cast<Loop*>(p->data)->end_turn(); });
}

Loop::~Loop() {
  // Destroyed without the lock: objects held by the work may post in their destructors.
  std::vector<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mailbox_->mutex_);
    mailbox_->wake_ = nullptr;
    dropped.swap(mailbox_->posted_);
  }
  dropped.clear();
  uv_walk(
      &loop_,
      [](uv_handle_t* h, void*) {
        if (!uv_is_closing(h)) uv_close(h, nullptr);
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
  for (Once* o : timers_) delete o;
}

// The handle must outlive its closing, so libuv's callback frees it and the guard only begins the
// closing.
std::shared_ptr<void> Loop::watch(int descriptor, std::function<void()> work) {
  struct Watch {
    uv_poll_t poll{};
    std::function<void()> work;
  };
  auto* w = new Watch{{}, std::move(work)};
  uv_poll_init(&loop_, &w->poll, descriptor);
  w->poll.data = w;
  uv_poll_start(&w->poll, UV_READABLE,
                [](uv_poll_t* p, int, int) { static_cast<Watch*>(p->data)->work(); });
  return {w, [](Watch* gone) {
            if (!uv_is_closing(reinterpret_cast<uv_handle_t*>(&gone->poll)))
              uv_close(reinterpret_cast<uv_handle_t*>(&gone->poll),
                       [](uv_handle_t* h) { delete static_cast<Watch*>(h->data); });
          }};
}

// Work of on_turn_end() may queue output, so flushes come second. A flush may mark others dirty;
// these wait for the next turn.
void Loop::end_turn() {
  for (auto& work : turn_end_) work();
  auto dirty = std::move(dirty_);
  dirty_.clear();
  for (auto& d : dirty) d->flush();
}

void Loop::run() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
}

void Loop::stop() {
  post([this] { uv_stop(&loop_); });
}

// Only the first post since the last run wakes the loop: uv_async_send() is a system call.
void Loop::Mailbox::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  posted_.push_back(std::move(work));
  if (posted_.size() == 1) uv_async_send(wake_);
}

// Takes all work at once, so that work which posts again runs in the next turn and cannot starve
// input.
void Loop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mailbox_->mutex_);
    work.swap(mailbox_->posted_);
  }
  for (auto& w : work) w();
}

Time Loop::now() const { return Time(Duration(static_cast<std::int64_t>(uv_hrtime() / 1000))); }

void Loop::set_wake(Time when, std::function<void()> on_wake) {
  if (when == never) {
    uv_timer_stop(&wake_timer_);
    return;
  }
  on_wake_ = std::move(on_wake);
  const Time t = now();
  const auto us = when > t ? (when - t).count() : 0;
  // libuv counts a timer from its cached time, which may be old.
  uv_update_time(&loop_);
  uv_timer_start(
      &wake_timer_,
      [](uv_timer_t* h) {
        auto work = std::move(static_cast<Loop*>(h->data)->on_wake_);
        if (work) work();
      },
      static_cast<std::uint64_t>((us + 999) / 1000), 0);
}

// The timer frees itself after it has run; the destructor frees pending timers.
void Loop::after(Duration delay, std::function<void()> work) {
  auto* once = new Once{{}, this, std::move(work)};
  timers_.insert(once);
  uv_timer_init(&loop_, &once->timer);
  once->timer.data = once;
  uv_update_time(&loop_);
  uv_timer_start(
      &once->timer,
      [](uv_timer_t* h) {
        auto* o = static_cast<Once*>(h->data);
        const auto w = std::move(o->work);
        uv_close(reinterpret_cast<uv_handle_t*>(h), [](uv_handle_t* c) {
          auto* closed = static_cast<Once*>(c->data);
          closed->loop->timers_.erase(closed);
          delete closed;
        });
        w();
      },
      static_cast<std::uint64_t>((delay.count() + 999) / 1000), 0);
}

// unref: waiting for a signal alone does not keep the loop running.
void Loop::on_signal(uv_signal_t& signal, int number, std::function<void()>& work) {
  uv_signal_init(&loop_, &signal);
  signal.data = &work;
  uv_signal_start(
      &signal, [](uv_signal_t* s, int) { (*static_cast<std::function<void()>*>(s->data))(); },
      number);
  uv_unref(reinterpret_cast<uv_handle_t*>(&signal));
}

void Loop::on_stop_signal(std::function<void()> work) {
  on_stop_ = std::move(work);
  on_signal(signals_[0], SIGINT, on_stop_);
  on_signal(signals_[1], SIGTERM, on_stop_);
}

void Loop::on_hangup(std::function<void()> work) {
  on_hangup_ = std::move(work);
  on_signal(signals_[2], SIGHUP, on_hangup_);
}

}  // namespace loglog::transport
