// Runs a ClientMachine on a ClientLoop: posts the application's calls to the loop's thread, owns
// the connections and performs the machine's Output. It decides nothing. Used by sdk/api.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "proto-spec/transport/connection_table.h"
#include "sdk/core/client_machine.h"
#include "sdk/io/uv_client_loop.h"

namespace loglog::client {

/// Calls come from any thread and are taken in batches: many posts cause a single wake-up.
class ClientDriver : private transport::ConnectionOwner, private ClientLoop::Member {
 public:
  using Handler = std::function<void(Completed&&)>;
  using Call = std::function<void(ClientMachine&, Time now, Token token)>;

  /// Gets the events of the machine, on the loop's thread. Empty: events are dropped.
  using OnEvent = std::function<void(Event&&)>;

  /// `seed` must differ between clients.
  ClientDriver(Options options, std::uint64_t seed, std::shared_ptr<ClientLoop> loop,
               OnEvent on_event = {});
  /// Ends all calls and runs their handlers. Must not run on the loop's thread.
  ~ClientDriver() override;

  /// From any thread, does not block: runs `call` on the loop's thread with a fresh token.
  /// `handler` gets the completions of that token there. `started` (may be empty) gets the token
  /// before the call runs.
  void submit(Call call, Handler handler, std::function<void(Token)> started = {});
  /// Receiver of the outcome of an append; called exactly once, on the loop's thread.
  class AppendEnd {
   public:
    virtual ~AppendEnd() = default;
    virtual void ended(Completion&& how) = 0;
  };
  /// From any thread, does not block: appends an entry, in the order of the calls. The loop's
  /// thread is woken once for all appends that gather. `timeout` counts from when that thread takes
  /// the append.
  void append(LogId log, Bytes payload, bool packed, Duration timeout,
              const AppendConditions& conditions, std::unique_ptr<AppendEnd> end);
  /// From any thread, does not block: runs `work` on the loop's thread, without a completion.
  void post(std::function<void(ClientMachine&, Time)> work);
  struct Counted {
    Figures figures;
    std::uint64_t bytes_in_flight = 0;
  };
  /// The machine's counts. From any thread; blocks until the loop's thread has read them. On that
  /// thread it reads them directly.
  Counted counted();
  /// Whether this is the loop's thread, where the callbacks of all clients of the loop run.
  bool on_own_thread() const { return loop_->on_own_thread(); }
  /// See ClientLoop::inherited(). If it is true, only counted() may be called.
  bool inherited() const { return loop_->inherited(); }

 private:
  struct NewAppend {
    LogId log;
    Bytes payload;
    bool packed;
    Duration timeout;
    AppendConditions conditions;
    std::unique_ptr<AppendEnd> end;
  };
  void take_calls() override;
  void tick() override;
  /// Performs the machine's Output.
  Time perform() override;
  /// Gives the gathered appends to the machine.
  void take_appends();
  /// From any thread: `work` runs on the loop's thread, behind all that was posted before.
  void post_to_thread(std::function<void()> work);
  /// Gives a completion to its handler.
  void completed(Completed&& c);
  void on_connected(const transport::Link& link, const Hello& peer) override;
  void on_message(ConnectionId from, RequestId request, Message&& m) override;
  void on_disconnected(const transport::Link& link, const Error& why) override;

  const std::shared_ptr<ClientLoop> loop_;
  ClientMachine machine_;
  transport::ConnectionTable links_{loop_->loop(), *this};
  std::unordered_map<Token, Handler> handlers_;
  std::uint64_t tokens_ = 0;
  std::mutex mutex_;  // guards posted_ and new_appends_; all else belongs to the loop's thread
  std::vector<std::function<void()>> posted_;
  std::vector<NewAppend> new_appends_;  // not given to the machine yet
  std::vector<NewAppend> taking_;       // empty between uses; keeps its memory
  // Unfinished appends in the order of their tokens, which count from appends_base_. An append that
  // ended before an earlier append leaves a null entry.
  std::deque<std::unique_ptr<AppendEnd>> appends_;
  std::uint64_t appends_base_ = 0;
  std::vector<Completed> completing_;  // empty between uses; keeps its memory
  OnEvent on_event_;
};

}  // namespace loglog::client
