// Locking: a mutex for each pipe guards inboxes and flags; a mutex for the process guards the table
// of names. No callback runs under either, so callbacks may close pipes and dial.
#include "proto-spec/transport/local_pipe.h"

#include <map>
#include <mutex>
#include <utility>

namespace loglog::transport {

struct LocalPipe::Shared {
  struct End {
    // on_arrival belongs to the thread of `loop`; the mutex guards the other fields.
    Loop::Mailbox::Ptr loop;
    std::function<void()> on_arrival;
    std::vector<Encoded> inbox;
    bool woken = false;
    bool closed = false;
  };
  std::mutex mutex;
  End ends[2];

  // Posts to the end's loop. Never called under the mutex.
  static void wake(const std::shared_ptr<Shared>& s, int end) {
    s->ends[end].loop->post([s, end] {
      // A copy: the work may close this end, which clears on_arrival.
      if (const auto work = s->ends[end].on_arrival) work();
    });
  }
};

std::pair<LocalPipe::Ptr, LocalPipe::Ptr> LocalPipe::make(Loop::Mailbox::Ptr first,
                                                          Loop::Mailbox::Ptr second) {
  auto shared = std::make_shared<Shared>();
  shared->ends[0].loop = std::move(first);
  shared->ends[1].loop = std::move(second);
  return {Ptr(new LocalPipe(shared, 0)), Ptr(new LocalPipe(shared, 1))};
}

void LocalPipe::on_arrival(std::function<void()> work) {
  shared_->ends[end_].on_arrival = std::move(work);
  Shared::wake(shared_, end_);
}

// Swaps instead of moving each message if the inbox is empty, which is the usual case.
void LocalPipe::give(std::vector<Encoded>& messages) {
  Shared::End& other = shared_->ends[1 - end_];
  bool wake = false;
  {
    const std::lock_guard lock(shared_->mutex);
    if (!other.closed) {
      if (other.inbox.empty()) other.inbox.swap(messages);
      else
        other.inbox.insert(other.inbox.end(), std::make_move_iterator(messages.begin()),
                           std::make_move_iterator(messages.end()));
      wake = !std::exchange(other.woken, true);
    }
  }
  messages.clear();
  if (wake) Shared::wake(shared_, 1 - end_);
}

LocalPipe::Taken LocalPipe::take() {
  const std::lock_guard lock(shared_->mutex);
  Shared::End& own = shared_->ends[end_];
  own.woken = false;
  return {std::exchange(own.inbox, {}), shared_->ends[1 - end_].closed};
}

// The other end is woken, so that it sees `ended`.
void LocalPipe::close() {
  Shared::End& own = shared_->ends[end_];
  {
    const std::lock_guard lock(shared_->mutex);
    if (std::exchange(own.closed, true)) return;
    own.inbox.clear();
  }
  own.on_arrival = nullptr;
  Shared::wake(shared_, 1 - end_);
}

struct LocalListener::Entry {
  Loop::Mailbox::Ptr loop;
  std::string name;
  OnAccept on_accept;
};

/// The listeners of this process. Never destroyed: loops may outlive main()'s objects.
struct LocalListener::Names {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Entry>> entries;
};
LocalListener::Names& LocalListener::names() {
  static auto* n = new Names;
  return *n;
}

std::unique_ptr<LocalListener> LocalListener::listen(Loop& loop, const std::string& name,
                                                     OnAccept on_accept) {
  auto entry = std::make_shared<Entry>(Entry{loop.mailbox(), name, std::move(on_accept)});
  const std::lock_guard lock(names().mutex);
  if (!names().entries.try_emplace(name, entry).second) return nullptr;
  return std::unique_ptr<LocalListener>(new LocalListener(std::move(entry)));
}

LocalListener::~LocalListener() {
  const std::lock_guard lock(names().mutex);
  names().entries.erase(entry_->name);
}

LocalPipe::Ptr LocalListener::dial(Loop& loop, const std::string& name) {
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(names().mutex);
    if (const auto it = names().entries.find(name); it != names().entries.end())
      entry = it->second.lock();
  }
  if (!entry) return nullptr;
  auto [own, other] = LocalPipe::make(loop.mailbox(), entry->loop);
  // The listener may go before its loop comes to this; then the connection is dropped, and its far
  // end sees `ended`.
  entry->loop->post([weak = std::weak_ptr(entry), end = std::move(other)] {
    if (const auto e = weak.lock()) e->on_accept(end);
  });
  return own;
}

}  // namespace loglog::transport
