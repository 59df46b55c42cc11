// What the simulated clients do: many pipelined appends of unique entries, followers, tail readers.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulator/checkers.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

struct WorkloadOptions {
  int entries_per_client = 200;
  int in_flight = 8;
  std::uint32_t payload_max = 1500;
  std::uint64_t segment_size = 64u << 10;
  Duration think_max = 20ms;  ///< pause between appends of a client, at random up to this
  Duration append_deadline = 20s;
  int logs = 1;
};

/// One client: opens the log, appends, follows, asks for tails; keeps on trying whatever may be tried again.
class ClientWorkload {
 public:
  ClientWorkload(World& world, Checkers& checkers, ClientProcess& process, std::string log, const WorkloadOptions& options, bool creates);
  void start();
  bool appends_done() const { return ended_ >= options_.entries_per_client; }
  LogId log() const { return log_; }
  std::uint64_t tails() const { return tails_; }
  Offset followed_to() const { return followed_to_; }

 private:
  enum class Kind { create, open, append, follow, tail };
  struct Pending {
    Kind kind;
    std::string payload;
    Offset floor{};
  };
  client::Token token(Kind kind, std::string payload = {}, Offset floor = {});
  void completed(const client::Completed& c);
  void opened(LogId log);
  void open();
  void append_more();
  void follow();
  void ask_tail();
  void later(Duration d, void (ClientWorkload::*what)());

  World& world_;
  Checkers& checkers_;
  ClientProcess& process_;
  std::string name_;
  WorkloadOptions options_;
  bool creates_;
  LogId log_{};
  std::uint64_t tokens_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  int started_ = 0;
  int ended_ = 0;
  int flying_ = 0;
  bool thinking_ = false;
  Offset followed_to_{};
  std::uint64_t tails_ = 0;
};

/// Reads a whole log with a fresh client, after everything has healed.
class FullRead {
 public:
  FullRead(World& world, ClientProcess& process, std::string log);
  void start();
  bool done() const { return done_; }
  Offset first() const { return tail_.first; }
  Offset committed() const { return tail_.committed; }
  LogId log() const { return log_; }
  const std::vector<client::Entry>& entries() const { return entries_; }
  const std::string& last_error() const { return error_; }

 private:
  void completed(const client::Completed& c);
  void next();
  World& world_;
  ClientProcess& process_;
  std::string name_;
  LogId log_{};
  int step_ = 0;  // 0 open, 1 tail, 2 read
  client::Tail tail_{};
  Offset at_{};
  std::uint64_t tokens_ = 1'000'000;
  std::vector<client::Entry> entries_;
  bool done_ = false;
  std::string error_;
};

}  // namespace loglog::simulator
