// Tells a process that it was forked. A child shares the descriptors of its parent, epoll sets
// among them, but has none of the parent's threads; an object that owns threads or sockets must
// therefore do nothing at all in a child.
#pragma once

namespace loglog::transport {

/// A member of an object that a child process must leave alone.
class ProcessMark {
 public:
  ProcessMark();
  /// Whether this is a child, forked after the object was made. One load; from any thread.
  bool inherited() const;

 private:
  unsigned made_;
};

}  // namespace loglog::transport
