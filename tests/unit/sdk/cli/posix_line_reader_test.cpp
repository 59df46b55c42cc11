// The reader of standard input for `loglog append`: lines arrive whole, waiting can be interrupted,
// and an endless line is refused (spec/09 "a line of standard input"). Most tests feed a pipe.
#include "sdk/cli/posix_line_reader.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

using namespace loglog::cli;

namespace {
/// A pipe whose write end the test closes to end the input.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { REQUIRE(::pipe(ends) == 0); }
  ~Pipe() {
    ::close(ends[0]);
    close();
  }
  void say(std::string_view text) {
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close() {
    if (ends[1] >= 0) ::close(std::exchange(ends[1], -1));
  }
};
const auto never = [] { return false; };
}  // namespace

TEST_CASE("lines come one by one, however they were written; the last may lack its newline") {
  Pipe p;
  LineReader in(p.ends[0]);
  p.say("one\n\ntw");
  CHECK(*in.next(never) == "one");
  CHECK(*in.next(never) == "");
  p.say("o\nthree");
  CHECK(*in.next(never) == "two");
  p.close();
  CHECK(*in.next(never) == "three");
  CHECK(*in.next(never) == std::nullopt);
}

TEST_CASE("a wait for a line ends when the caller wants it to, though nothing comes (A5, F29)") {
  Pipe p;
  LineReader in(p.ends[0]);
  int asked = 0;
  const auto line = in.next([&asked] { return ++asked > 3; });
  REQUIRE(line);
  CHECK(*line == std::nullopt);
}

TEST_CASE("input that cannot be read is an error, not an end") {
  // The descriptor does not exist, so reading fails at once.
  int asked = 0;
  CHECK_FALSE(LineReader(1 << 20).next([&asked] { return ++asked > 50; }));
}

TEST_CASE(
    "a line that is longer than an entry can be in base64 is refused, not gathered without end") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const std::string piece(1u << 20, 'x');
  // The file is longer than the longest allowed line and has no newline.
  for (std::size_t n = 0; n <= line_bytes_max; n += piece.size())
    REQUIRE(std::fwrite(piece.data(), 1, piece.size(), file) == piece.size());
  REQUIRE(std::fflush(file) == 0);
  REQUIRE(::lseek(::fileno(file), 0, SEEK_SET) == 0);
  const auto line = LineReader(::fileno(file)).next(never);
  REQUIRE_FALSE(line);
  CHECK(line.error().find("--file") != std::string::npos);
  std::fclose(file);
}

TEST_CASE("all that is left comes as one piece, and no more than is wanted") {
  Pipe p;
  p.say("a\nb\0c\n");
  p.close();
  CHECK(*LineReader(p.ends[0]).rest(never, 100) == std::string("a\nb"));
  Pipe q;
  q.say(std::string(200, 'x'));
  q.close();
  CHECK_FALSE(LineReader(q.ends[0]).rest(never, 100));
}
