// For test programs that bring a cluster in their own process.
#pragma once
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace loglog::testing {

/// Ends the program with exit code 1 and the sentence where it is not so.
inline void must(bool ok, const std::string& what) {
  if (ok) return;
  fmt::print(stderr, "failed: {}\n", what);
  std::exit(1);
}

/// A folder that goes with this object.
struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "loglog-test-XXXXXX").string();
  Folder() { must(::mkdtemp(path.data()) != nullptr, "a folder"); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

}  // namespace loglog::testing
