// Detects that a process was forked. A child shares its parent's descriptors, epoll sets among
// them, but has none of its threads. An object that owns threads or sockets must therefore do
// nothing in a child; the SDK's client and embedded cluster check this.
#pragma once

namespace loglog::transport {

/// Member of an object that a child process must leave alone.
class ProcessMark {
 public:
  ProcessMark();
  /// True in a child that was forked after the object was made. Costs a load; callable from any
  /// thread.
  bool inherited() const;

 private:
  unsigned made_;
};

}  // namespace loglog::transport
