// Runs a SequencerMachine on a libuv loop: sockets, dialling, the timer, and one thread that saves.
#pragma once
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/posix_descriptors.h"
#include "proto-spec/transport/sparing_log.h"
#include "proto-spec/transport/uv_connection.h"
#include "sequencer/core/cluster_picture.h"
#include "sequencer/core/history.h"
#include "sequencer/core/sequencer_machine.h"
#include "sequencer/io/io_figures.h"
#include "sequencer/io/posix_raft_storage.h"

namespace loglog::sequencer {

/// Belongs to its loop's thread. `fatal` is called when a save fails (io_error; one that finds no
/// space waits), or when what was committed is not understood (newer_format); nothing is performed
/// after it.
class SequencerDriver {
 public:
  SequencerDriver(transport::Loop& loop, RaftStorage& storage, Options options, std::uint64_t seed,
                  transport::EventLog log, std::function<void(const Error&)> fatal);
  ~SequencerDriver();
  /// Listens, then dials every other sequencer with a higher id and every storage node, again and
  /// again.
  Result<void> start(const std::string& listen_address);
  const std::string& address() const { return listener_->address(); }
  std::expected<std::string, std::string> readiness() const { return machine_.readiness(); }
  /// Hands over first where it leads (SequencerMachine::resign); `then` is called once, when the
  /// driver may go.
  void resign(std::function<void()> then);
  SequencerReport report() const {
    return {machine_.report(loop_.now()), saves_took_, loop_.traffic(), admissions_->figures()};
  }
  /// Once, after start(): readings for history(), from now on.
  void keep_history();
  const History& history() const { return history_; }
  /// Calls `done` once, now or later, with what this sequencer and the leader know and `logs_max`
  /// logs at most. A leader that does not answer within `leader_patience` is done without.
  void picture(std::uint32_t logs_max, std::function<void(ClusterPicture)> done);
  static constexpr Duration leader_patience = 700ms;

 private:
  struct Peer {  // somebody this side dials
    std::string address;
    Role role{};
    std::uint32_t id = 0;
    Duration backoff{};
    Errc said = Errc::ok;  // why it was not reached, as the log has it
  };
  void dial(std::size_t peer);
  void redial(std::size_t peer);
  void adopt(ConnectionId id, const transport::Connection::Ptr& connection, std::size_t peer);
  void perform();
  void perform_if_large();
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
  Random jitter_;
  transport::EventLog log_;
  transport::SparingLog closed_log_{log_};  // why connections of others were closed
  std::function<void(const Error&)> fatal_;
  bool dead_ = false;
  std::function<void()> when_resigned_;
  std::unique_ptr<transport::Listener> listener_;
  std::shared_ptr<transport::Admissions> admissions_ =
      std::make_shared<transport::Admissions>(transport::descriptor_limit());
  std::map<ConnectionId, transport::Connection::Ptr> connections_;
  std::map<ConnectionId, std::size_t> dialled_;
  std::vector<Peer> peers_;
  std::uint64_t ids_ = 0;
  std::size_t sized_ = 0;  // sends of the machine's output that are counted in output_bytes_
  std::size_t output_bytes_ = 0;
  observe::LatencyHistogram saves_took_;
  History history_;
  std::optional<Told> told_;                    // the newest of a leader, with logs
  std::list<std::shared_ptr<void>> questions_;  // to the leader
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<SaveRaft> saves_;
  bool stopping_ = false;
  bool space_was_low_ = false;  // of the saver alone
  std::thread saver_;
};

}  // namespace loglog::sequencer
