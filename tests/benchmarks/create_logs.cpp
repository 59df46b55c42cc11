// Benchmark: how many logs a second a cluster creates.
// loglog-create-logs ADDRESSES PREFIX COUNT [AT-ONCE] creates logs PREFIX/1/1 to
// PREFIX/<COUNT/100>/100, AT-ONCE at a time, and prints the time.
#include <fmt/format.h>
#include <loglog/client.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "loglog-create-logs ADDRESS PREFIX COUNT [AT-ONCE]\n");
    return 2;
  }
  const std::string prefix = argv[2];
  const int count = std::atoi(argv[3]);
  const int at_once = argc > 4 ? std::atoi(argv[4]) : 64;
  auto client =
      loglog::Client::connect({.addresses = {argv[1]}, .timeout = std::chrono::seconds(60)});
  if (!client) {
    fmt::print(stderr, "{}\n", client.error().message);
    return 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<int> next{0}, failed{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < at_once; ++t)
    threads.emplace_back([&] {
      for (int i = next++; i < count; i = next++) {
        const auto made =
            client->open_or_create_log(fmt::format("{}/{}/{}", prefix, 1 + i / 100, 1 + i % 100));
        if (!made && failed++ == 0) fmt::print(stderr, "{}\n", made.error().message);
      }
    });
  threads.clear();  // waits for all threads
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{} logs in {:.2f} s, {:.0f} a second, {} failed\n", count, took.count(),
             count / took.count(), failed.load());
  return failed == 0 ? 0 : 1;
}
