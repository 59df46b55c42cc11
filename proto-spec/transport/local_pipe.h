// Addresses "local:NAME": servers in the same process, reached without a port and a socket. An end
// hands encoded messages to the other end in memory. The receiver copies them as it would copy from
// a socket, because nodes stamp received frames in place while the sender's buffer goes to other
// replicas too. PipeStream and Listener are the callers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "proto-spec/transport/uv_loop.h"
#include "proto-spec/wire/codec.h"

namespace loglog::transport {

/// An end of a connection within this process. Each end belongs to the thread of its own loop; the
/// two loops may differ.
class LocalPipe {
 public:
  using Ptr = std::shared_ptr<LocalPipe>;
  /// The result of take().
  struct Taken {
    std::vector<Encoded> messages;  ///< in the order in which they were given
    bool ended = false;             ///< the other end is closed; nothing comes after these
  };

  /// Makes both ends. Each loop is woken for messages to its own end. The loops may end before the
  /// pipe.
  static std::pair<Ptr, Ptr> make(Loop::Mailbox::Ptr first, Loop::Mailbox::Ptr second);
  ~LocalPipe() { close(); }

  /// Sets the work that runs on this end's loop when there is something to take. If there is
  /// something already, the work runs soon.
  void on_arrival(std::function<void()> work);
  /// Hands messages to the other end, and wakes it at most once until it takes. The messages are
  /// dropped if the other end is closed. Leaves `messages` empty.
  void give(std::vector<Encoded>& messages);
  /// All messages that have arrived since the last call.
  Taken take();
  /// No work of on_arrival() begins after it. The other end still takes the messages that were
  /// given.
  void close();

 private:
  struct Shared;
  LocalPipe(std::shared_ptr<Shared> shared, int end) : shared_(std::move(shared)), end_(end) {}
  std::shared_ptr<Shared> shared_;
  int end_;  // 0 or 1: index into Shared::ends
};

/// A name of this process that can be dialled as long as the object lives. Belongs to the thread of
/// its loop.
class LocalListener {
 public:
  using OnAccept = std::function<void(const LocalPipe::Ptr&)>;
  /// Returns nullptr if the name is taken. `on_accept` runs on the listener's loop for each
  /// connection.
  static std::unique_ptr<LocalListener> listen(Loop& loop, const std::string& name,
                                               OnAccept on_accept);
  ~LocalListener();
  /// Connects from any loop's thread; nullptr if no listener has the name.
  static LocalPipe::Ptr dial(Loop& loop, const std::string& name);

 private:
  struct Entry;
  struct Names;
  static Names& names();
  explicit LocalListener(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
  std::shared_ptr<Entry> entry_;
};

}  // namespace loglog::transport
