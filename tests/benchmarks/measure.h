// What the rows of loglog-micro share: time, CPU and heap allocations of a piece of work, repeated,
// and the table they end in. Made here and not with Google Benchmark: rows need allocations, CPU of
// helper threads, parts of one path timed apart, and a table that can be pasted; that is less than
// an adapter would take.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace loglog::benchmarks {

/// Of a piece of work, or of one operation of it.
struct Cost {
  double ns = 0;      ///< by the monotonic clock
  double cpu_ns = 0;  ///< of the whole process, all threads; measured only where a row asks for it
  double allocations = 0;  ///< calls of operator new in this thread
  Cost& operator+=(const Cost& o);
  Cost operator/(double n) const;
};

/// Adds what happens in its lifetime to `to`. What reading the clock costs is left out.
class Metered {
 public:
  explicit Metered(Cost& to);
  ~Metered();
  Metered(const Metered&) = delete;
  Metered& operator=(const Metered&) = delete;

 private:
  Cost& to_;
  std::uint64_t allocations_;
  std::int64_t begin_;
};

/// CPU seconds of the process so far, in nanoseconds.
double cpu_ns();
/// Keeps the compiler from leaving out what makes `value`.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

struct Settings {
  int repetitions = 7;
  double ms = 50;  ///< about how long a repetition takes
  std::string only;
};

/// Rows under headings, printed as they are measured: median [least–most] of the repetitions.
class Table {
 public:
  explicit Table(Settings settings) : settings_(std::move(settings)) {}

  /// A new table with this title, where one of its rows is wanted at all.
  void heading(std::string title, std::string unit, bool with_cpu = false);
  bool wanted(const std::string& row) const;
  /// Does `times` operations and says what they cost.
  using Work = std::function<Cost(std::uint64_t times)>;
  void row(const std::string& name, const Work& work, double bytes = 0);
  /// The same where one piece of work has several parts with a row each; all cost of one operation.
  using Parts = std::function<std::vector<Cost>(std::uint64_t times)>;
  void rows(const std::vector<std::string>& names, const Parts& work, double bytes = 0);
  bool empty() const { return printed_ == 0; }

 private:
  Settings settings_;
  std::string title_, unit_;
  bool with_cpu_ = false;
  bool begun_ = false;
  int printed_ = 0;
};

/// A Work that calls `operation` so many times.
template <class Operation>
Table::Work each(Operation operation) {
  return [operation = std::move(operation)](std::uint64_t times) mutable {
    Cost cost;
    {
      const Metered metered(cost);
      for (std::uint64_t i = 0; i < times; ++i) operation();
    }
    return cost;
  };
}

// The rows, by file.
void codec_rows(Table& table);
void disk_format_rows(Table& table);
void segment_rows(Table& table, const std::string& directory);
void path_rows(Table& table);
/// `appends` entries through the path and nothing else, for instructions.py.
int count_instructions(std::uint64_t appends, std::uint32_t size, std::uint32_t entries_per_run);

}  // namespace loglog::benchmarks
