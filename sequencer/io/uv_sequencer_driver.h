// Runs a SequencerMachine on a libuv loop: sockets, the timer, and a thread that saves.
// It performs Output in the order that core/output.h states, and decides nothing. app/sequencer.cpp
// owns it.
#pragma once
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "proto-spec/transport/connection_table.h"
#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/sparing_log.h"
#include "sequencer/core/cluster_picture.h"
#include "sequencer/core/history.h"
#include "sequencer/core/sequencer_machine.h"
#include "sequencer/io/io_figures.h"
#include "sequencer/io/posix_raft_storage.h"

namespace loglog::sequencer {

/// Belongs to its loop's thread. `fatal` is called on that thread if a save fails (io_error; a save
/// without space waits instead), or if a committed entry is not understood (newer_format). Nothing
/// is performed after that.
class SequencerDriver : private transport::ConnectionOwner {
 public:
  /// `storage` belongs to the saver thread from here to the destruction, except for disk() here.
  /// `seed`: for ids and jitter; another value at every start.
  SequencerDriver(transport::Loop& loop, RaftStorage& storage, Options options, std::uint64_t seed,
                  transport::EventLog log, std::function<void(const Error&)> fatal);
  /// Waits for the save under way; saves that have not begun are lost, as in a crash.
  ~SequencerDriver() override;
  /// Listens, and starts the core, which dials the other servers.
  Result<void> start(const std::string& listen_address);
  const std::string& address() const { return links_.address(); }
  /// See SequencerMachine::readiness().
  std::expected<std::string, std::string> readiness() const { return machine_.readiness(); }
  /// Stops taking work; a leader hands over first (SequencerMachine::resign). `then` is called
  /// once, when the driver may be destroyed.
  void resign(std::function<void()> then);
  /// For monitors.
  SequencerReport report() const {
    return {machine_.report(loop_.now()), saves_took_, loop_.traffic(), links_.admissions()};
  }
  /// Begins to take readings for history(). Call once, after start().
  void keep_history();
  const History& history() const { return history_; }
  /// Calls `done` once, now or later, with the picture of the cluster and at most `logs_max` logs.
  /// A leader that does not answer within `leader_patience` is left out.
  void picture(std::uint32_t logs_max, std::function<void(ClusterPicture)> done);
  static constexpr Duration leader_patience = 700ms;

 private:
  // The thread that saves. It shares the fields with the loop's thread, under `mutex`, except for
  // the last two.
  struct Saver {
    std::mutex mutex;
    std::condition_variable wanted;
    std::deque<SaveRaft> saves;
    bool stopping = false;
    bool space_was_low = false;  // used by the saver thread alone
    std::thread thread;
  };
  void on_connected(const transport::Link& link, const Hello& peer) override;
  void on_message(ConnectionId from, RequestId request, Message&& m) override;
  void on_disconnected(const transport::Link& link, const Error& why) override;
  void perform();
  void save_all();
  bool next_save(SaveRaft& s);
  Result<void> save(const SaveRaft& s);
  void tell_space();
  void fatal(const Error& why);
  void ask_leader(std::uint32_t logs_max, std::function<void(const Overview*)> done);
  void take_reading();

  transport::Loop& loop_;
  RaftStorage& storage_;
  Options options_;
  SequencerMachine machine_;
  transport::EventLog log_;
  transport::SparingLog closed_log_{log_};  // why connections that others made were closed
  std::function<void(const Error&)> fatal_;
  bool dead_ = false;
  std::function<void()> when_resigned_;
  transport::ConnectionTable links_{loop_, *this};  // Link::dialled is Dial::number
  observe::LatencyHistogram saves_took_;
  History history_;
  std::optional<Told> told_;                    // newest overview of a leader that lists logs
  std::list<std::shared_ptr<void>> questions_;  // under way, to the leader; each owns its question
  // False once the driver is destroyed; callbacks of the loop look at it first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Saver saver_;
};

}  // namespace loglog::sequencer
