// The state behind a Client, shared by its Client, Log and Follower handles, and helpers of the
// files in this folder. Calls block by a promise that the client's thread fulfils.
#pragma once
#include <loglog/client.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "sdk/api/append_budget.h"
#include "sdk/api/callback_queue.h"
#include "sdk/io/uv_client_driver.h"

namespace loglog {

/// The public form of an error. `Failure` adds offsets and fencing token.
CallError to_call_error(const Error& e);
CallError to_call_error(const client::Failure& f);

/// The public form of a log's metadata.
LogDetails to_details(const LogInfo& i);
/// A negative age becomes a huge unsigned age, which the leader refuses as it refuses the negative
/// age.
Retention to_retention(std::uint64_t bytes, std::chrono::milliseconds age);

/// The time-out, from 0 to timeout_max.
inline Duration bounded(std::chrono::milliseconds t) {
  return std::clamp(t, std::chrono::milliseconds(0), timeout_max);
}

/// Gives the events of the core to ClientOptions::on_event. Empty if that is empty.
client::ClientDriver::OnEvent listener(const ClientOptions& options,
                                       std::shared_ptr<CallbackQueue> callbacks);

/// The process's shared loop, or a loop of its own if the options ask for that.
std::shared_ptr<client::ClientLoop> loop_for(const ClientOptions& options);

/// Members are destroyed in reverse order: first the driver, whose last completions still give
/// bytes back to the budget.
struct Client::State {
  explicit State(ClientOptions o, client::Options core, std::uint64_t seed)
      : options(std::move(o)),
        budget(std::make_shared<AppendBudget>(options.bytes_in_flight_max)),
        callbacks(options.executor ? std::make_shared<CallbackQueue>(options.executor) : nullptr),
        driver(std::move(core), seed, loop_for(options), listener(options, callbacks)) {}
  ClientOptions options;
  // Shared with callbacks that an executor runs after the client is gone.
  std::shared_ptr<AppendBudget> budget;
  std::shared_ptr<CallbackQueue> callbacks;  // nullptr: callbacks run on the client's thread
  client::ClientDriver driver;
  std::atomic<std::uint64_t> refused_here = 0;  // appends refused before they reached the core
  std::atomic<bool> closing = false;            // close(wait) was called: appends are refused

  /// The deadline of a call that begins now; nullopt: with the client's time-out.
  Time deadline(Time now, std::optional<std::chrono::milliseconds> timeout = {}) const {
    return now + bounded(timeout.value_or(options.timeout));
  }
  /// Why a call must not block in this thread. forked: the client belongs to the parent process,
  /// and its thread does not exist here. would_deadlock: this is the thread on which the
  /// client runs, which would wait for itself. nullopt: a call may block.
  std::optional<Error> cannot_wait() const {
    if (driver.inherited()) return Error{Errc::forked, {}};
    if (driver.on_own_thread()) return Error{Errc::would_deadlock, {}};
    return std::nullopt;
  }

  /// Whether this thread runs a callback of the application, on the client's thread or in the
  /// executor.
  bool in_callback() const {
    return driver.on_own_thread() || (callbacks && callbacks->in_callback());
  }
  /// As cannot_wait(), of a call that waits for the callbacks too.
  std::optional<Error> cannot_wait_for_callbacks() const {
    if (driver.inherited()) return Error{Errc::forked, {}};
    if (in_callback()) return Error{Errc::would_deadlock, {}};
    return std::nullopt;
  }

  /// Makes a call and blocks until it completes. Requires that cannot_wait() is nullopt.
  client::Completed wait_for(client::ClientDriver::Call call) {
    auto promise = std::make_shared<std::promise<client::Completed>>();
    auto future = promise->get_future();
    driver.submit(std::move(call),
                  [promise](client::Completed&& c) { promise->set_value(std::move(c)); });
    return future.get();
  }
  /// Makes a call whose completion is T or a Failure, and blocks until it completes. Fails at once
  /// if this thread must not block.
  template <class T>
  std::expected<T, CallError> ask(client::ClientDriver::Call call) {
    if (const auto why = cannot_wait()) return std::unexpected(to_call_error(*why));
    client::Completed c = wait_for(std::move(call));
    if (auto* f = std::get_if<client::Failure>(&c.result))
      return std::unexpected(to_call_error(*f));
    return std::get<T>(std::move(c.result));
  }
  /// Raises the log's trim point and returns the point in force afterwards.
  std::expected<EntryOffset, CallError> trim(LogId log, Offset offset) {
    auto d = ask<client::LogDescription>([&](client::ClientMachine& m, Time now, client::Token t) {
      m.trim_log(now, t, log, offset, deadline(now));
    });
    if (!d) return std::unexpected(d.error());
    return d->info.trim.value;
  }
};

struct Log::State {
  std::shared_ptr<Client::State> client;
  LogId id;
  LogDetails details;
  bool created = false;
};

}  // namespace loglog
