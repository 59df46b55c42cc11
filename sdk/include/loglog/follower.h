// Follower: a stream of committed entries. Part of <loglog/client.h>.
#pragma once
#include <loglog/entry.h>
#include <loglog/error.h>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

namespace loglog {

/// A stream of committed entries, in order. Move-only. Destruction ends the subscription, as stop()
/// does. A follower keeps its client alive. The client buffers at most about 4 MiB that next() has
/// not returned yet, so a slow application slows only its own stream. A follower has no deadline:
/// while no replica answers, it tries again and next() waits; see next_for().
class Follower {
 public:
  Follower(Follower&&) noexcept;             ///< takes over the stream
  Follower& operator=(Follower&&) noexcept;  ///< ends its own stream first, as stop() does
  ~Follower();                               ///< as stop()

  /// Waits for the next entry and returns it. nullopt: stop() was called, the client was closed, or
  /// the stream failed; error() says why. If several threads call next(), each entry goes to a
  /// single thread. In a callback next() does not wait: if no entry has arrived yet, it returns
  /// nullopt with error() would_deadlock, and the follower continues.
  /// A follower with a callback (Log::follow with `each`) gives no entries here; next() then waits
  /// until the stream ends.
  std::optional<Entry> next();
  /// As next(), for at most `wait`, which must be below 100 years; 0 or less does not wait. nullopt
  /// with stopped() false: no entry came in time.
  std::optional<Entry> next_for(std::chrono::milliseconds wait);
  /// Waits as next_for() does until an entry is there, then returns the entries that have arrived,
  /// at most `max`, in order. Empty: as nullopt of next_for(), or `max` is 0.
  std::vector<Entry> next_batch(std::size_t max, std::chrono::milliseconds wait);
  /// As next_batch(), but without a copy: the payloads are views into the received pages, which the
  /// result keeps. These bytes count for the application from then on, and not for the 4 MiB that
  /// the client buffers. EntryViews::next is position().
  EntryViews next_views(std::size_t max, std::chrono::milliseconds wait);
  /// Where the stream goes on: next() has returned every entry below this offset, and it returns no
  /// entry below it later. Log::follow can begin here again. A reader that must have read all
  /// entries below an offset, such as FencePosition::end, has read them once position() is at or
  /// above it; the position also moves over the log's own frames, which lie between entries. With a
  /// callback: all below was handed to the callback. Does not block.
  EntryOffset position() const;
  /// Ends the stream from any thread: a waiting next() returns nullopt, and entries that next() has
  /// not returned yet are dropped. Waits for a running callback (Log::follow), except when called
  /// from that callback. May be called more than once.
  void stop();
  /// Whether the stream has ended, by stop() or by an error. After an error next() still returns
  /// the entries that arrived before it, so a loop ends by next() and not by stopped().
  bool stopped() const;
  /// Why the stream ended by itself (codes: Log::follow); nullopt if stop() ended it and while the
  /// stream goes on. Also the refusal of the last next() if it could not wait (would_deadlock).
  std::optional<CallError> error() const;

  /// std::input_iterator over next(): the range ends where next() returns nullopt, and error() says
  /// why. begin() waits for the first entry.
  class iterator {
   public:
    using value_type = Entry;                                 ///< of std::input_iterator
    using difference_type = std::ptrdiff_t;                   ///< of std::input_iterator
    using iterator_concept = std::input_iterator_tag;         ///< of std::input_iterator
    iterator() = default;                                     ///< may only be assigned or destroyed
    explicit iterator(Follower* f) : follow_(f) { ++*this; }  ///< waits for the first entry
    iterator(iterator&&) = default;                           ///< takes over the entry
    iterator& operator=(iterator&&) = default;                ///< takes over the entry
    Entry& operator*() const { return *entry_; }              ///< valid until the next step
    /// Waits for the next entry.
    iterator& operator++() {
      entry_ = follow_->next();
      return *this;
    }
    void operator++(int) { ++*this; }  ///< waits for the next entry
    bool operator==(std::default_sentinel_t) const { return !entry_; }  ///< the stream has ended

   private:
    Follower* follow_ = nullptr;
    mutable std::optional<Entry> entry_;
  };
  iterator begin() { return iterator(this); }   ///< waits for the first entry
  std::default_sentinel_t end() { return {}; }  ///< the end of the range

 private:
  friend class Log;
  struct State;
  explicit Follower(std::shared_ptr<State> state);
  static void end(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace loglog
