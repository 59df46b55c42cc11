// The thread and the event loop on which clients run. The clients of a process share a loop unless
// they ask for a thread of their own, so that a thousand small clients cost a single thread. Used
// by ClientDriver.
#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto-spec/transport/posix_fork.h"
#include "proto-spec/transport/uv_loop.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::client {

/// Runs its members in turns. A turn costs nothing for members to which nothing happened.
class ClientLoop {
 public:
  /// A client on the loop. The loop calls it on the loop's thread only, and never from inside a
  /// call to the loop.
  class Member {
   public:
    virtual ~Member() = default;
    /// Takes the work that other threads have given to the member since the last call.
    virtual void take_calls() = 0;
    /// The time that perform() returned has come.
    virtual void tick() = 0;
    /// The end of a turn in which something happened to the member. Returns when to tick next.
    virtual Time perform() = 0;

   private:
    friend class ClientLoop;
    Time wake_ = never;
    bool stepped_ = false;
    bool called_ = false;  // guarded by ClientLoop::mutex_
  };

  /// Starts the thread. `thread_name`: shown by the system's tools; its first 15 bytes count.
  /// Empty: "loglog-client".
  explicit ClientLoop(std::string thread_name = {});
  /// Joins the thread. Every member must have been removed. Must not run on the loop's thread.
  ~ClientLoop();
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

  /// The loop that this process's clients share. It is made for its first client and ends with its
  /// last client. From any thread.
  static std::shared_ptr<ClientLoop> shared();

  /// From any thread, does not block: the loop calls take_calls() of the member soon, once for many
  /// calls of this function.
  void call(Member& member);
  bool on_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  /// Whether this process is a child of the process that made the loop. Then nothing else may be
  /// called, not even the destructor: the loop's descriptors belong to the parent, and a thread
  /// that exists only there may hold a lock.
  bool inherited() const { return process_.inherited(); }

  // ---- On the loop's thread
  /// Something happened to the member: it performs at the end of this turn.
  void step(Member& member);
  /// The loop forgets the member. Must be called in its take_calls().
  void remove(Member& member);
  transport::Loop& loop() { return loop_; }

 private:
  void take_calls();
  void wake();
  void end_turn();

  transport::ProcessMark process_;
  transport::Loop loop_;
  std::mutex mutex_;             // guards called_; all else belongs to the thread
  std::vector<Member*> called_;  // call() was called for them
  std::vector<Member*> stepped_;
  std::vector<Member*> performing_;  // empty between uses; keeps its memory
  std::set<std::pair<Time, Member*>> wakes_;
  std::thread thread_;
};

}  // namespace loglog::client
