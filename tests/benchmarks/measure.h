// The meter and the table of loglog-micro: time, CPU and heap allocations of repeated work.
// Not Google Benchmark, because the rows need allocations, CPU of helper threads, parts of a path
// timed apart, and a table that can be pasted. An adapter would be longer than this file.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace loglog::benchmarks {

/// The cost of a piece of work, or of an operation of it after division.
struct Cost {
  double ns = 0;           ///< monotonic time in nanoseconds
  double cpu_ns = 0;       ///< CPU time of all threads; measured only for rows that ask for it
  double allocations = 0;  ///< calls of operator new in this thread
  Cost& operator+=(const Cost& o);
  Cost operator/(double n) const;
};

/// Adds time and allocations of its lifetime to `to`. The cost of reading the clock is subtracted.
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

/// CPU time of the process so far, in nanoseconds.
double cpu_ns();
/// Forces the compiler to compute `value`.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

/// The options of a run; `only` filters rows by heading and name.
struct Settings {
  int repetitions = 7;
  double ms = 50;  ///< approximate milliseconds of a repetition
  std::string only;
};

/// Rows under headings, printed as they are measured: median [least-most] of the repetitions.
class Table {
 public:
  explicit Table(Settings settings) : settings_(std::move(settings)) {}

  /// Begins a table. Its title is printed with the first row that is wanted.
  void heading(std::string title, std::string unit, bool with_cpu = false);
  /// True if the settings select a row of this name under the current heading.
  bool wanted(const std::string& row) const;
  /// Does `times` operations and returns their total cost.
  using Work = std::function<Cost(std::uint64_t times)>;
  /// Measures a row. With `bytes` for each operation the row also shows MB/s.
  void row(const std::string& name, const Work& work, double bytes = 0);
  /// Like Work, for a piece of work with several parts that each have a row. Returns each part's
  /// cost of all `times` operations.
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

/// Returns a Work that calls `operation` that many times.
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

// The rows, by the file that defines them.
void codec_rows(Table& table);
void disk_format_rows(Table& table);
void segment_rows(Table& table, const std::string& directory);
void path_rows(Table& table);
/// Sends `appends` entries through the path and prints no times, for instructions.py. Returns the
/// exit code.
int count_instructions(std::uint64_t appends, std::uint32_t size, std::uint32_t entries_per_run);

}  // namespace loglog::benchmarks
