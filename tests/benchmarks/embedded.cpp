// loglog-embedded: how much an embedded cluster saves. The same load of a client runs against a
// sequencer and three storage nodes in three places, in alternation: in this process without
// sockets, in this process over loopback TCP, and in another process over loopback TCP.
// loglog-embedded [--size BYTES] [--in-flight N] [--seconds S] [--rounds N] [--dir DIRECTORY]
#include <fmt/format.h>
#include <loglog/embedded.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stdexcept>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::size_t size = 1024;
  std::uint32_t in_flight = 256;
  double seconds = 3;
  int rounds = 3;
  std::string directory = std::filesystem::temp_directory_path().string();
};

/// A temporary folder below `parent`, which the destructor deletes.
class Folder {
 public:
  explicit Folder(const std::string& parent) {
    std::string name = parent + "/loglog-embedded-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      throw std::runtime_error("cannot make a folder in " + parent);
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

loglog::EmbeddedCluster start(const std::filesystem::path& data, const std::string& listen) {
  auto cluster =
      loglog::EmbeddedCluster::start({.name = "bench", .data = data.string(), .listen = listen});
  if (!cluster) throw std::runtime_error(cluster.error().message);
  if (!cluster->wait_ready(std::chrono::seconds(20)))
    throw std::runtime_error("the cluster is not ready after 20 s");
  return std::move(*cluster);
}

// The cluster in a process of its own. The process ends with this object, or with this process if
// that is killed: it waits for the end of a pipe.
class Elsewhere {
 public:
  explicit Elsewhere(const std::filesystem::path& data) {
    std::array<int, 2> told{}, held{};
    if (::pipe(told.data()) != 0 || ::pipe(held.data()) != 0) throw std::runtime_error("no pipe");
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("no process");
    if (process_ == 0) {
      ::close(told[0]);
      ::close(held[1]);
      serve(data, told[1], held[0]);
    }
    ::close(told[1]);
    ::close(held[0]);
    hold_ = held[1];
    char buffer[256];
    const auto n = ::read(told[0], buffer, sizeof buffer);
    ::close(told[0]);
    if (n > 0) address.assign(buffer, static_cast<std::size_t>(n));
  }
  ~Elsewhere() {
    ::close(hold_);
    ::waitpid(process_, nullptr, 0);
  }
  std::string address;

 private:
  // Serves until the other end of the pipe is closed.
  [[noreturn]] static void serve(const std::filesystem::path& data, int tell, int held) {
    try {
      auto cluster = start(data, "127.0.0.1:0");
      if (::write(tell, cluster.address().data(), cluster.address().size()) < 0) std::_Exit(1);
      char nothing = 0;
      while (::read(held, &nothing, 1) > 0) {
      }
      cluster.stop();
    } catch (const std::exception& e) {
      fmt::print(stderr, "loglog-embedded: {}\n", e.what());
      std::_Exit(1);
    }
    std::_Exit(0);
  }
  pid_t process_ = -1;
  int hold_ = -1;
};

struct Measured {
  double per_s = 0, p50_us = 0, cpu_us = 0;  // cpu_us: CPU of client and cluster for each entry
};

double cpu_s(int who) {
  rusage u{};
  ::getrusage(who, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

// Keeps `in_flight` appends under way for the given time. Returns the time of each append in
// microseconds.
std::vector<double> load(const std::string& address, const Options& o) {
  auto client = loglog::Client::connect({.addresses = {address}});
  if (!client) throw std::runtime_error(client.error().message);
  auto log = client->open_or_create_log("bench");
  if (!log) throw std::runtime_error(log.error().message);
  std::mutex mutex;
  std::condition_variable room;
  std::uint32_t flying = 0;
  std::string error;
  std::vector<double> took;
  const std::string payload(o.size, 'x');
  const auto until = Clock::now() + std::chrono::duration<double>(o.seconds);
  std::unique_lock lock(mutex);
  while (Clock::now() < until && error.empty()) {
    room.wait(lock, [&] { return flying < o.in_flight; });
    const std::uint32_t free = o.in_flight - flying;
    flying += free;
    lock.unlock();
    for (std::uint32_t i = 0; i < free; ++i) {
      log->append_then(payload, [&, begin = Clock::now()](const loglog::AppendResult& r) {
        const std::lock_guard hold(mutex);
        if (r)
          took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
        else error = r.error.message;
        --flying;
        room.notify_one();
      });
    }
    lock.lock();
  }
  room.wait(lock, [&] { return flying == 0; });
  if (!error.empty()) throw std::runtime_error(error);
  return took;
}

enum Place { local, loopback, elsewhere, places };
constexpr std::array<const char*, places> names = {"in this process, without sockets",
                                                   "in this process, loopback TCP",
                                                   "another process, loopback TCP"};

/// Runs the load against a fresh cluster in the given place.
Measured measure(Place place, const Options& o) {
  const Folder folder(o.directory);
  const double cpu = cpu_s(RUSAGE_SELF) + cpu_s(RUSAGE_CHILDREN);
  std::vector<double> took;
  if (place == elsewhere) {
    const Elsewhere cluster(folder.path);
    if (cluster.address.empty())
      throw std::runtime_error("the cluster in another process did not start");
    took = load(cluster.address, o);
  } else {
    auto cluster = start(folder.path, place == local ? "" : "127.0.0.1:0");
    took = load(cluster.address(), o);
    cluster.stop();
  }
  if (took.empty()) throw std::runtime_error("nothing was acknowledged");
  const double used = cpu_s(RUSAGE_SELF) + cpu_s(RUSAGE_CHILDREN) - cpu;
  std::nth_element(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2),
                   took.end());
  return {static_cast<double>(took.size()) / o.seconds, took[took.size() / 2],
          used * 1e6 / static_cast<double>(took.size())};
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

void print(const std::array<std::vector<Measured>, places>& runs, const Options& o) {
  fmt::print(
      "| {} B, {} in flight | entries/s | least–most | p50 µs | CPU µs an entry | rate to loopback "
      "|\n|---|---|---|---|---|---|\n",
      o.size, o.in_flight);
  const auto column = [&](std::size_t place, double Measured::* what) {
    std::vector<double> v;
    for (const Measured& m : runs[place]) v.push_back(m.*what);
    return v;
  };
  const double base = median(column(elsewhere, &Measured::per_s));
  for (std::size_t p = 0; p < places; ++p) {
    const auto rate = column(p, &Measured::per_s);
    fmt::print("| {} | {:.0f} | {:.0f}–{:.0f} | {:.0f} | {:.2f} | {:.2f} |\n", names[p],
               median(rate), *std::min_element(rate.begin(), rate.end()),
               *std::max_element(rate.begin(), rate.end()), median(column(p, &Measured::p50_us)),
               median(column(p, &Measured::cpu_us)), median(rate) / base);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("The same load against a cluster in this process, and against one over loopback.");
  app.add_option("--size", o.size, "payload bytes of an entry (default 1024)");
  app.add_option("--in-flight", o.in_flight, "appends under way at once (default 256)")
      ->check(CLI::PositiveNumber);
  app.add_option("--seconds", o.seconds, "of each run (default 3)")->check(CLI::PositiveNumber);
  app.add_option("--rounds", o.rounds, "runs in each place, in alternation (default 3)")
      ->check(CLI::PositiveNumber);
  app.add_option("--dir", o.directory,
                 "where data go for the time (default: the temporary folder)");
  CLI11_PARSE(app, argc, argv);
  ::signal(SIGPIPE, SIG_IGN);
  try {
    std::array<std::vector<Measured>, places> runs;
    for (int r = 0; r < o.rounds; ++r)
      for (std::size_t p = 0; p < places; ++p) runs[p].push_back(measure(static_cast<Place>(p), o));
    print(runs, o);
  } catch (const std::exception& e) {
    fmt::print(stderr, "loglog-embedded: {}\n", e.what());
    return 1;
  }
  return 0;
}
