// Helpers of test programs that start a whole cluster in their own process: a check that ends the
// program, and a temporary folder. Nothing here depends on doctest.
#pragma once
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace loglog::testing {

/// Ends the program with exit code 1 unless `ok` holds; stderr then names the expectation that
/// failed.
inline void must(bool ok, const std::string& what) {
  if (ok) return;
  fmt::print(stderr, "failed: {}\n", what);
  std::exit(1);
}

/// A temporary folder. The destructor deletes the folder and everything in it.
struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "loglog-test-XXXXXX").string();
  Folder() { must(::mkdtemp(path.data()) != nullptr, "a folder"); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

}  // namespace loglog::testing
