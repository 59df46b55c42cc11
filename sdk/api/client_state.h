// The state behind a Client, for the files of this folder.
#pragma once
#include <loglog/client.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "sdk/io/uv_client_driver.h"

namespace loglog {

CallError to_call_error(const Error& e);
CallError to_call_error(const client::Failure& f);

// Bytes under way, bounded: the caller waits here, not the cluster.
class Budget {
 public:
  explicit Budget(std::uint64_t limit) : limit_(limit) {}
  bool take(std::uint64_t bytes, bool wait) {
    std::unique_lock lock(mutex_);
    // One entry larger than the whole budget still goes when nothing else is under way.
    const auto fits = [&] { return used_ == 0 || used_ + bytes <= limit_; };
    if (!wait && !fits()) return false;
    room_.wait(lock, fits);
    used_ += bytes;
    return true;
  }
  void give_back(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    used_ -= bytes;
    room_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
};

struct Client::State {
  explicit State(ClientOptions o, client::Options core, std::uint64_t seed)
      : options(std::move(o)), budget(options.bytes_in_flight_max), driver(std::move(core), seed) {}
  ClientOptions options;
  Budget budget;
  client::ClientDriver driver;
  std::atomic<std::uint64_t> refused_here = 0;  // appends that the core has never seen

  Time deadline(Time now, std::optional<std::chrono::milliseconds> timeout = {}) const {
    return now + Duration(timeout.value_or(options.timeout));
  }

  /// One call, waited for.
  client::Completed wait_for(client::ClientDriver::Call call) {
    auto promise = std::make_shared<std::promise<client::Completed>>();
    auto future = promise->get_future();
    driver.submit(std::move(call), [promise](client::Completed&& c) { promise->set_value(std::move(c)); });
    return future.get();
  }
  template <class T>
  std::expected<T, CallError> ask(client::ClientDriver::Call call) {
    client::Completed c = wait_for(std::move(call));
    if (auto* f = std::get_if<client::Failure>(&c.result)) return std::unexpected(to_call_error(*f));
    return std::get<T>(std::move(c.result));
  }
};

}  // namespace loglog
