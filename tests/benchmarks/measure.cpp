// The global operator new of this program counts allocations by thread; the rest is arithmetic of
// the table.
#include "tests/benchmarks/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <new>

namespace {
thread_local std::uint64_t allocated = 0;

void* counted(std::size_t size) {
  ++allocated;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace loglog::benchmarks {
namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The time that an empty Metered measures: the least of many tries.
std::int64_t clock_ns() {
  static const std::int64_t least = [] {
    std::int64_t best = 1'000'000;
    for (int i = 0; i < 10'000; ++i) {
      const std::int64_t begin = now_ns();
      best = std::min(best, now_ns() - begin);
    }
    return best;
  }();
  return least;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 == 1 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

std::string number(double v) {
  return v < 10    ? fmt::format("{:.2f}", v)
         : v < 100 ? fmt::format("{:.1f}", v)
                   : fmt::format("{:.0f}", v);
}
std::string spread(const std::vector<double>& v) {
  const auto [least, most] = std::minmax_element(v.begin(), v.end());
  return fmt::format("{} [{}–{}]", number(median(v)), number(*least), number(*most));
}

}  // namespace

Cost& Cost::operator+=(const Cost& o) {
  ns += o.ns;
  cpu_ns += o.cpu_ns;
  allocations += o.allocations;
  return *this;
}
Cost Cost::operator/(double n) const { return {ns / n, cpu_ns / n, allocations / n}; }

Metered::Metered(Cost& to) : to_(to), allocations_(allocated), begin_((clock_ns(), now_ns())) {}
Metered::~Metered() {
  const std::int64_t end = now_ns();
  to_.ns += static_cast<double>(std::max<std::int64_t>(0, end - begin_ - clock_ns()));
  to_.allocations += static_cast<double>(allocated - allocations_);
}

double cpu_ns() { return static_cast<double>(std::clock()) * (1e9 / CLOCKS_PER_SEC); }

void Table::heading(std::string title, std::string unit, bool with_cpu) {
  title_ = std::move(title);
  unit_ = std::move(unit);
  with_cpu_ = with_cpu;
  begun_ = false;
}

bool Table::wanted(const std::string& row) const {
  return settings_.only.empty() || (title_ + " " + row).find(settings_.only) != std::string::npos;
}

void Table::row(const std::string& name, const Work& work, double bytes) {
  rows({name}, [&](std::uint64_t times) { return std::vector{work(times)}; }, bytes);
}

void Table::rows(const std::vector<std::string>& names, const Parts& work, double bytes) {
  if (std::none_of(names.begin(), names.end(), [this](const auto& n) { return wanted(n); })) return;
  // Warm up, and find the number of operations that fills a repetition.
  std::uint64_t times = 1;
  for (;;) {
    const std::int64_t begin = now_ns();
    work(times);
    const double ms = static_cast<double>(now_ns() - begin) / 1e6;
    if (ms >= settings_.ms / 2) {
      times = std::max<std::uint64_t>(
          1,
          static_cast<std::uint64_t>(std::llround(static_cast<double>(times) * settings_.ms / ms)));
      break;
    }
    times = ms < settings_.ms / 20 ? times * 10 : times * 2;
  }
  std::vector<std::vector<Cost>> costs(names.size());
  for (int i = 0; i < settings_.repetitions; ++i) {
    const std::vector<Cost> parts = work(times);
    for (std::size_t p = 0; p < parts.size(); ++p)
      costs[p].push_back(parts[p] / static_cast<double>(times));
  }
  if (!begun_) {
    fmt::print("\n**{}**\n\n| {} | ns |{} allocations | MB/s |\n|---|---|{}---|---|\n", title_,
               unit_, with_cpu_ ? " CPU ns |" : "", with_cpu_ ? "---|" : "");
    begun_ = true;
  }
  const auto of = [](const std::vector<Cost>& c, double Cost::* what) {
    std::vector<double> v;
    for (const Cost& x : c) v.push_back(x.*what);
    return v;
  };
  for (std::size_t p = 0; p < names.size(); ++p) {
    const auto ns = of(costs[p], &Cost::ns);
    fmt::print("| {} | {} |{} {} | {} |\n", names[p], spread(ns),
               with_cpu_ ? " " + spread(of(costs[p], &Cost::cpu_ns)) + " |" : "",
               number(median(of(costs[p], &Cost::allocations))),
               bytes > 0 ? number(bytes * 1000 / median(ns)) : "");
    std::fflush(stdout);
    ++printed_;
  }
}

}  // namespace loglog::benchmarks
