// Integration: a sequencer whose disk holds a committed command of a newer version ends with exit
// code 5 and a sentence, and leaves its log as it was.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto-spec/disk/raft_log.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sequencer/io/posix_raft_storage.h"

using namespace loglog;

namespace {

void must(bool ok, const std::string& what) {
  if (ok) return;
  fmt::print(stderr, "newer_command: {}\n", what);
  std::exit(1);
}

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "loglog-newer-XXXXXX").string();
  Folder() { must(::mkdtemp(path.data()) != nullptr, "a folder"); }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}

/// The end of a process: exit code and stderr.
struct Ended {
  int code;
  std::string said;
};

/// Runs the sequencer that lies beside this program until it ends by itself, at most 30 s.
Ended run(const std::string& data) {
  std::array<int, 2> pipe{};
  must(::pipe(pipe.data()) == 0, "a pipe");
  const std::string program =
      (std::filesystem::canonical("/proc/self/exe").parent_path() / "loglog-sequencer").string();
  const pid_t child = ::fork();
  must(child >= 0, "a process");
  if (child == 0) {
    ::dup2(pipe[1], STDERR_FILENO);
    ::close(pipe[0]);
    ::alarm(30);  // ends the child if it does not end itself
    ::execl(program.c_str(), program.c_str(), "--id", "1", "--cluster-name", "newer", "--listen",
            "127.0.0.1:0", "--data", data.c_str(), "--sequencers", "1=127.0.0.1:1", "--storage",
            "1=127.0.0.1:1", nullptr);
    ::_exit(127);
  }
  ::close(pipe[1]);
  Ended e{};
  std::array<char, 4096> piece{};
  for (ssize_t n = 0; (n = ::read(pipe[0], piece.data(), piece.size())) > 0;)
    e.said.append(piece.data(), static_cast<std::size_t>(n));
  ::close(pipe[0]);
  int status = 0;
  must(::waitpid(child, &status, 0) == child && WIFEXITED(status),
       fmt::format("it ends by itself: {}", e.said));
  e.code = WEXITSTATUS(status);
  return e;
}

}  // namespace

int main() {
  const Folder folder;
  {
    // Command kind 200 exists in no version so far.
    auto storage = sequencer::RaftStorage::open(folder.path, SequencerId{1}, "newer");
    must(storage.has_value(), "a sequencer's directory");
    sequencer::SaveRaft s;
    s.hard_state = {RaftTerm{1}, SequencerId{1}};
    s.entries = {{RaftTerm{1}, RaftIndex{1}, Bytes::copy_of("\xC8 of a newer version")}};
    must((*storage)->save(s).has_value(), "an entry");
  }
  // Only the records are compared: the marks in the header move, and zeros stand behind the
  // records.
  const auto records = [&folder] {
    const std::string file = slurp(folder.path + "/raft.log");
    return file.substr(raft_header_size,
                       file.find_last_not_of(std::string(1, 0)) + 1 - raft_header_size);
  };
  const std::string before = records();
  const Ended e = run(folder.path);
  must(e.code == exit_newer_format, fmt::format("exit code {}: {}", e.code, e.said));
  must(e.said.find("metadata entry 1 (kind 200,") != std::string::npos &&
           e.said.find("run that version") != std::string::npos,
       fmt::format("it says why: {}", e.said));
  must(records().starts_with(before), "nothing of its log is lost");
  fmt::print("newer_command: ok\n");
}
