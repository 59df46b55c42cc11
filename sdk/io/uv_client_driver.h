// Runs a ClientMachine on a libuv loop in a thread of its own: posts the application's calls to
// that thread, owns the connections and performs the machine's Output. It decides nothing. Used by
// sdk/api.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proto-spec/transport/connection_table.h"
#include "proto-spec/transport/posix_fork.h"
#include "sdk/core/client_machine.h"

namespace loglog::client {

/// Calls come from any thread and are taken in batches: many posts cause a single wake-up.
class ClientDriver : private transport::ConnectionOwner {
 public:
  using Handler = std::function<void(Completed&&)>;
  using Call = std::function<void(ClientMachine&, Time now, Token token)>;

  /// Gets the events of the machine, on the driver's thread. Empty: events are dropped.
  using OnEvent = std::function<void(Event&&)>;

  /// Starts the thread. `seed` must differ between clients. `thread_name`: shown by the system's
  /// tools; its first 15 bytes count.
  ClientDriver(Options options, std::uint64_t seed, const std::string& thread_name = {},
               OnEvent on_event = {});
  /// Ends all calls, runs their handlers and joins the thread. Must not run on the driver's thread.
  ~ClientDriver() override;

  /// From any thread, does not block: runs `call` on the driver's thread with a fresh token.
  /// `handler` gets the completions of that token there. `started` (may be empty) gets the token
  /// before the call runs.
  void submit(Call call, Handler handler, std::function<void(Token)> started = {});
  /// Receiver of the outcome of an append; called exactly once, on the driver's thread.
  class AppendEnd {
   public:
    virtual ~AppendEnd() = default;
    virtual void ended(Completion&& how) = 0;
  };
  /// From any thread, does not block: appends an entry, in the order of the calls. The driver's
  /// thread is woken once for all appends that gather. `timeout` counts from when that thread takes
  /// the append.
  void append(LogId log, Bytes payload, bool packed, Duration timeout,
              const AppendConditions& conditions, std::unique_ptr<AppendEnd> end);
  /// From any thread, does not block: runs `work` on the driver's thread, without a completion.
  void post(std::function<void(ClientMachine&, Time)> work);
  struct Counted {
    Figures figures;
    std::uint64_t bytes_in_flight = 0;
  };
  /// The machine's counts. From any thread; blocks until the driver's thread has read them. On the
  /// driver's own thread it reads them directly.
  Counted counted();
  bool on_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  /// Whether this process is a child of the process that made the driver. Then no other member may
  /// be called but counted(), not even the destructor: the loop's descriptors belong to the parent,
  /// and a thread that exists only there may hold a lock.
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
  /// Gives the gathered appends to the machine.
  void take_appends();
  /// Gives a completion to its handler.
  void completed(Completed&& c);
  /// Performs the machine's Output; runs at the end of each turn of the loop.
  void perform();
  void on_connected(const transport::Link& link, const Hello& peer) override;
  void on_message(ConnectionId from, RequestId request, Message&& m) override;
  void on_disconnected(const transport::Link& link, const Error& why) override;

  transport::ProcessMark process_;
  transport::Loop loop_;
  ClientMachine machine_;
  transport::ConnectionTable links_{loop_, *this};
  std::unordered_map<Token, Handler> handlers_;
  std::uint64_t tokens_ = 0;
  std::mutex mutex_;                    // guards new_appends_; all else belongs to the thread
  std::vector<NewAppend> new_appends_;  // not given to the machine yet
  std::vector<NewAppend> taking_;       // empty between uses; keeps its memory
  // Unfinished appends in the order of their tokens, which count from appends_base_. An append that
  // ended before an earlier append leaves a null entry.
  std::deque<std::unique_ptr<AppendEnd>> appends_;
  std::uint64_t appends_base_ = 0;
  std::vector<Completed> completing_;  // empty between uses; keeps its memory
  OnEvent on_event_;
  std::thread thread_;
};

}  // namespace loglog::client
