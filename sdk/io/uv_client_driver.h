// Runs a ClientMachine on a libuv loop in a thread of its own.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proto-spec/transport/posix_fork.h"
#include "proto-spec/transport/uv_connection.h"
#include "sdk/core/client_machine.h"

namespace loglog::client {

/// Calls come from any thread and are taken in batches: many posts, one wake-up.
class ClientDriver {
 public:
  using Handler = std::function<void(Completed&&)>;
  using Call = std::function<void(ClientMachine&, Time now, Token token)>;

  ClientDriver(Options options, std::uint64_t seed);
  ~ClientDriver();

  /// From any thread: runs `call` on the driver's thread with a token of its own; `handler` gets
  /// its completions there. `started` (may be empty) learns the token before the call runs.
  void submit(Call call, Handler handler, std::function<void(Token)> started = {});
  /// Told on the driver's thread, once, how an append ended.
  class AppendEnd {
   public:
    virtual ~AppendEnd() = default;
    virtual void ended(Completion&& how) = 0;
  };
  /// From any thread: an append, in the order of the calls. The driver's thread is woken once for
  /// all that come together.
  void append(LogId log, Bytes payload, bool packed, Duration timeout,
              const AppendConditions& conditions, std::unique_ptr<AppendEnd> end);
  /// From any thread: runs on the driver's thread, no completion.
  void post(std::function<void(ClientMachine&, Time)> work);
  struct Counted {
    Figures figures;
    std::uint64_t bytes_in_flight = 0;
  };
  /// From any thread, its own too: waits until that one comes to it.
  Counted counted();
  bool on_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  /// Whether this is a child process of the one that made the driver. Then no other member may be
  /// called, the destructor included: the loop's descriptors are the parent's, and a lock may be
  /// held by a thread that the child does not have.
  bool inherited() const { return process_.inherited(); }

 private:
  struct NewAppend {
    LogId log;
    Bytes payload;
    bool packed;
    Duration timeout;
    AppendConditions conditions;
    std::unique_ptr<AppendEnd> end;
  };
  void take_appends();
  void completed(Completed&& c);
  void perform();
  void connect(const Connect& c);

  transport::ProcessMark process_;
  transport::Loop loop_;
  ClientMachine machine_;
  std::map<ConnectionId, transport::Connection::Ptr> connections_;
  std::unordered_map<Token, Handler> handlers_;
  std::uint64_t tokens_ = 0;
  std::mutex mutex_;
  std::vector<NewAppend> new_appends_;  // not yet given to the machine
  std::vector<NewAppend> taking_;
  // Appends under way by token, from appends_base_ on; null where one has ended before an earlier
  // one.
  std::deque<std::unique_ptr<AppendEnd>> appends_;
  std::uint64_t appends_base_ = 0;
  std::vector<Completed> completing_;
  std::thread thread_;
};

}  // namespace loglog::client
