// Addresses "local:NAME": servers embedded in this process, reached without a port and without a
// socket. What one end gives is handed to the other in memory; the receiver copies it, as it would
// from a socket, so that the two share no payload.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/transport/uv_loop.h"
#include "proto-spec/wire/codec.h"

namespace loglog::transport {

/// NAME of "local:NAME"; nullopt for any other address.
std::optional<std::string> local_name(const std::string& address);

/// One end of a connection within this process. Each end belongs to the thread of its loop.
class LocalPipe {
 public:
  using Ptr = std::shared_ptr<LocalPipe>;
  struct Taken {
    std::vector<Encoded> messages;  ///< in the order in which they were given
    bool ended = false;             ///< the other end is closed, and nothing comes after these
  };

  /// Both ends; each loop is woken for what comes to its own. The loops may end before the pipe.
  static std::pair<Ptr, Ptr> make(Loop::Mailbox::Ptr first, Loop::Mailbox::Ptr second);
  ~LocalPipe() { close(); }

  /// `work` runs on this end's loop when there is something to take, the first time soon if there
  /// is already.
  void on_arrival(std::function<void()> work);
  /// To the other end, which is woken once for many; dropped when that is closed. Leaves `messages`
  /// empty.
  void give(std::vector<Encoded>& messages);
  Taken take();
  /// No work of on_arrival() begins after it. The other end still takes what was given.
  void close();

 private:
  struct Shared;
  LocalPipe(std::shared_ptr<Shared> shared, int end) : shared_(std::move(shared)), end_(end) {}
  std::shared_ptr<Shared> shared_;
  int end_;
};

/// A name of this process that can be dialled, as long as it lives. Belongs to the thread of its
/// loop.
class LocalListener {
 public:
  using OnAccept = std::function<void(const LocalPipe::Ptr&)>;
  /// nullptr when the name is taken.
  static std::unique_ptr<LocalListener> listen(Loop& loop, const std::string& name,
                                               OnAccept on_accept);
  ~LocalListener();
  /// A connection to it, from any loop's thread; nullptr when nobody listens there.
  static LocalPipe::Ptr dial(Loop& loop, const std::string& name);

 private:
  struct Entry;
  struct Names;
  static Names& names();
  explicit LocalListener(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
  std::shared_ptr<Entry> entry_;
};

}  // namespace loglog::transport
