// Follower and Log::follow: a subscription whose entries wait for next(), or go to a callback.
// Subtle here: a follower may be stopped or destroyed in any thread, also in its own callback.
#include <loglog/client.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "sdk/api/client_state.h"
#include "sdk/api/entries.h"

namespace loglog {
namespace {

using client::Completed;

/// A follower reports consumed bytes to the core in steps of this size, bytes.
constexpr std::uint64_t credit_step = 64 * 1024;

}  // namespace

/// State of a subscription, shared by its Follower and, weakly, by the handler of its completions.
/// The mutex guards the fields that both threads use. It is not held while `each` runs.
struct Follower::State {
  std::shared_ptr<Client::State> client;
  std::mutex mutex;
  std::condition_variable news;
  std::deque<client::Entry> entries;  // their payloads lie in the received pages
  bool stopped = false;
  std::optional<CallError> error;
  // Why the last next() could not wait: it was called on the client's thread.
  std::optional<CallError> refused_wait;
  std::function<void(const Entry&)> each;  // empty: entries wait for next()
  std::thread::id delivers;                // the thread that runs `each` now; none: no thread does
  std::uint64_t unreported = 0;            // bytes taken by next() and not reported to the core yet
  EntryOffset position = 0;                // all entries below were given out
  EntryOffset arrived = 0;                 // all entries below have arrived
  // Shared separately, so that work posted to the driver does not hold the client: otherwise the
  // last handle could be destroyed on the driver's thread.
  std::shared_ptr<std::atomic<std::uint64_t>> token =
      std::make_shared<std::atomic<std::uint64_t>>(0);
  std::optional<std::stop_callback<std::function<void()>>> on_stop;

  void stop();
  /// Waits for an entry, then gives at most `max` of the entries that have come to `to`, which must
  /// not take long. Returns the position.
  template <class F>
  EntryOffset take(std::size_t max, std::chrono::milliseconds wait, F to);
  /// True in a child process. No lock may be taken there, because a thread that exists only in the
  /// parent may hold it.
  bool inherited() const { return client->driver.inherited(); }
  /// Tells the core that the application is done with these bytes, which gives the replica credit.
  /// The posted work runs after the call that began the follow, so the token is known by then.
  void consumed(std::uint64_t bytes) {
    client->driver.post([t = token, bytes](client::ClientMachine& m, Time now) {
      m.consumed(now, client::Token{*t}, bytes);
    });
  }
  /// Takes a completion of the follow, on the client's thread, or in the executor if there is
  /// `each`.
  void completed(const Completed& c) {
    const auto* d = std::get_if<client::Delivered>(&c.result);
    if (d != nullptr && each) return deliver(*d);
    const std::lock_guard lock(mutex);
    if (stopped) return;  // stop() has dropped the entries that were waiting
    if (const auto* f = std::get_if<client::Failure>(&c.result)) {
      if (f->error.code != Errc::cancelled) error = to_call_error(*f);
      stopped = true;
    } else if (d != nullptr) {
      entries.insert(entries.end(), d->entries.begin(), d->entries.end());
      arrived = d->next.value;
      if (entries.empty()) position = arrived;
    }
    news.notify_all();
  }
  /// Runs `each` for every entry. stop() in another thread waits until `delivers` is empty, so that
  /// no `each` runs after it has returned.
  void deliver(const client::Delivered& d) {
    std::uint64_t bytes = 0;
    std::unique_lock lock(mutex);
    for (const client::Entry& e : d.entries) {
      if (stopped) return;
      delivers = std::this_thread::get_id();
      lock.unlock();
      call_back([&] { each(to_entry(e)); });
      bytes += e.next.value - e.offset.value;
      lock.lock();
      delivers = {};
      position = e.next.value;
      if (stopped) news.notify_all();
    }
    if (stopped) return;
    position = d.next.value;
    lock.unlock();
    consumed(bytes);
  }
};

Follower Log::follow(EntryOffset from, std::stop_token stop) {
  return follow(from, {}, std::move(stop));
}

Follower Log::follow(EntryOffset from, std::function<void(const Entry&)> each,
                     std::stop_token stop) {
  auto state = std::make_shared<Follower::State>();
  state->client = state_->client;
  state->each = std::move(each);
  state->position = state->arrived = from;
  if (state->inherited()) return Follower(std::move(state));
  // Weak: the handler lives in the driver, and must keep neither the follower nor the client alive.
  std::weak_ptr<Follower::State> weak = state;
  state_->client->driver.submit(
      [id = state_->id, from](client::ClientMachine& m, Time now, client::Token t) {
        m.follow(now, t, id, Offset{from});
      },
      [weak, callbacks = state->each ? state_->client->callbacks : nullptr](Completed&& c) {
        if (!callbacks) {
          if (const auto s = weak.lock()) s->completed(c);
          return;
        }
        // The end of the stream takes the same way as its entries, so it overtakes none.
        callbacks->run([weak, c = std::move(c)] {
          if (const auto s = weak.lock()) s->completed(c);
        });
      },
      [token = state->token](client::Token t) { *token = t.value; });
  state->on_stop.emplace(std::move(stop), [weak] {
    if (const auto s = weak.lock()) s->stop();
  });
  return Follower(std::move(state));
}

Follower::Follower(std::shared_ptr<State> state) : state_(std::move(state)) {}
Follower::Follower(Follower&&) noexcept = default;
Follower& Follower::operator=(Follower&& o) noexcept {
  if (this != &o) {
    if (state_) end(std::move(state_));
    state_ = std::move(o.state_);
  }
  return *this;
}
Follower::~Follower() {
  if (state_) end(std::move(state_));
}
void Follower::end(std::shared_ptr<State> state) {
  // A child process leaks the state: even its destructor could wait for threads that exist only in
  // the parent.
  if (state->inherited()) new std::shared_ptr<State>(std::move(state));
  else state->stop();
}

std::optional<Entry> Follower::next() {
  if (state_->client->cannot_wait()) return next_for({});
  std::optional<Entry> e;
  while (!(e = next_for(std::chrono::milliseconds(3'600'000))) && !stopped()) {
  }
  return e;
}

std::optional<Entry> Follower::next_for(std::chrono::milliseconds wait) {
  std::optional<client::Entry> e;
  state_->take(1, wait, [&e](client::Entry&& taken) { e = std::move(taken); });
  return e ? std::optional(to_entry(*e)) : std::nullopt;
}

std::vector<Entry> Follower::next_batch(std::size_t max, std::chrono::milliseconds wait) {
  std::vector<client::Entry> taken;
  state_->take(max, wait, [&taken](client::Entry&& e) { taken.push_back(std::move(e)); });
  std::vector<Entry> out;
  out.reserve(taken.size());
  for (const client::Entry& e : taken) out.push_back(to_entry(e));
  return out;
}

EntryViews Follower::next_views(std::size_t max, std::chrono::milliseconds wait) {
  client::Delivered taken;
  taken.next = Offset{state_->take(
      max, wait, [&taken](client::Entry&& e) { taken.entries.push_back(std::move(e)); })};
  return to_views(std::move(taken));
}

EntryOffset Follower::position() const {
  if (state_->inherited()) return 0;
  std::lock_guard lock(state_->mutex);
  return state_->position;
}

template <class F>
EntryOffset Follower::State::take(std::size_t max, std::chrono::milliseconds wait, F to) {
  const auto why = client->cannot_wait();
  if (inherited()) return 0;
  std::unique_lock lock(mutex);
  if (max == 0) return position;
  if (!why) news.wait_for(lock, bounded(wait), [this] { return stopped || !entries.empty(); });
  refused_wait.reset();
  if (entries.empty()) {
    if (why && !stopped) refused_wait = to_call_error(*why);
    return position;
  }
  for (; max > 0 && !entries.empty(); --max) {
    client::Entry& first = entries.front();
    unreported += first.next - first.offset;
    position = first.next.value;
    to(std::move(first));
    entries.pop_front();
  }
  if (entries.empty()) position = arrived;
  // Reports are gathered, so that the driver is woken once for many entries.
  const bool report = entries.empty() || unreported >= credit_step;
  const std::uint64_t bytes = report ? std::exchange(unreported, 0) : 0;
  const EntryOffset now_at = position;
  lock.unlock();
  if (report) consumed(bytes);
  return now_at;
}

void Follower::stop() { state_->stop(); }
void Follower::State::stop() {
  if (inherited()) return;
  {
    std::unique_lock lock(mutex);
    // From here on no entry is delivered; a callback that is running is waited for, unless this is
    // it.
    const bool again = std::exchange(stopped, true);
    entries.clear();
    news.notify_all();
    news.wait(lock, [this] {
      return delivers == std::thread::id{} || delivers == std::this_thread::get_id();
    });
    if (again) return;
  }
  client->driver.post(
      [t = token](client::ClientMachine& m, Time now) { m.stop(now, client::Token{*t}); });
}

bool Follower::stopped() const {
  if (state_->inherited()) return true;
  std::lock_guard lock(state_->mutex);
  return state_->stopped;
}

std::optional<CallError> Follower::error() const {
  if (state_->inherited()) return to_call_error(Error{Errc::forked, {}});
  std::lock_guard lock(state_->mutex);
  return state_->error ? state_->error : state_->refused_wait;
}

}  // namespace loglog
