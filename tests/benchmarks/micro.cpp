// loglog-micro: the cost of each part of the append path by itself, in this process: codec, disk
// formats, group commits of each file engine, and the path of an append through the cores of SDK,
// sequencer and three storage nodes, without sockets and disks.
// loglog-micro [--only WORD] [--dir DIRECTORY] [--repetitions N] [--ms N]
// loglog-micro --count-appends N [--size BYTES] [--per-run N]   only the path, for instructions.py
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "tests/benchmarks/measure.h"

using namespace loglog::benchmarks;

int main(int argc, char** argv) {
  Settings settings;
  std::string directory = std::filesystem::temp_directory_path().string();
  std::uint64_t appends = 0;
  std::uint32_t size = 1024, per_run = 16;
  CLI::App app("What the parts of LogLog's append path cost, each by itself; tables in Markdown.");
  app.add_option("--only", settings.only, "rows whose heading or name contains this");
  app.add_option(
      "--dir", directory,
      "where a folder for segment files is made and removed (default: the temporary one)");
  app.add_option("--repetitions", settings.repetitions, "of each row (default 7)")
      ->check(CLI::PositiveNumber);
  app.add_option("--ms", settings.ms, "milliseconds of a repetition (default 50)")
      ->check(CLI::PositiveNumber);
  app.add_option("--count-appends", appends,
                 "only send so many entries through the cores, and print nothing of time");
  app.add_option("--size", size, "with --count-appends: payload bytes (default 1024)");
  app.add_option("--per-run", per_run, "with --count-appends: entries of a run (default 16)")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  if (appends != 0) return count_instructions(appends, size, per_run);
  Table table(settings);
  codec_rows(table);
  disk_format_rows(table);
  path_rows(table);
  segment_rows(table, directory);
  if (!table.empty()) return 0;
  fmt::print(stderr, "loglog-micro: no row contains '{}'\n", settings.only);
  return 1;
}
