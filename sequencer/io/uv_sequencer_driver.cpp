// Two threads: the loop's thread runs the machine, and the saver thread performs saves in order.
// The saver posts each result to the loop, so the machine never needs a lock.
#include "sequencer/io/uv_sequencer_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/transport/posix_signals.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sequencer/io/uv_leader_question.h"

namespace loglog::sequencer {
namespace {

/// A reading asks for logs too if the newest list is older than this. The page shows that list when
/// no leader answers.
constexpr Duration told_anew = 30s;
constexpr std::uint32_t logs_kept_max = 1000;
/// How long after the last save the mark of raft.log moves to its end (spec/02 R2).
constexpr Duration mark_when_idle = 20ms;
/// Pause between two attempts of a save that found no space.
constexpr Duration space_asked_every = 1s;

transport::LogLevel level_of(Event::Level l) {
  return static_cast<transport::LogLevel>(static_cast<std::uint8_t>(l));
}

std::uint64_t wall_ms() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

SequencerDriver::SequencerDriver(transport::Loop& loop, RaftStorage& storage, Options options,
                                 std::uint64_t seed, transport::EventLog log,
                                 std::function<void(const Error&)> fatal)
    : loop_(loop),
      storage_(storage),
      options_(std::move(options)),
      machine_(options_, storage.disk(), seed),
      log_(std::move(log)),
      fatal_(std::move(fatal)) {
  const transport::SignalsBlocked around_the_start;
  saver_.thread = std::thread([this] { save_all(); });
}

SequencerDriver::~SequencerDriver() {
  *alive_ = false;
  {
    std::lock_guard lock(saver_.mutex);
    saver_.stopping = true;
  }
  saver_.wanted.notify_one();
  saver_.thread.join();
  links_.close_all();
}

Result<void> SequencerDriver::start(const std::string& listen_address) {
  if (auto ok = links_.listen(listen_address, [this] { return machine_.hello(); }); !ok) return ok;
  log_(transport::LogLevel::info, fmt::format("serves on {}", links_.address()));
  machine_.start(loop_.now(), wall_ms());
  loop_.on_turn_end([this, alive = alive_] {
    if (*alive) perform();
  });
  return {};
}

void SequencerDriver::resign(std::function<void()> then) {
  if (when_resigned_) return;
  when_resigned_ = std::move(then);
  machine_.resign(loop_.now());
}

void SequencerDriver::on_connected(const transport::Link& link, const Hello& peer) {
  machine_.connected(loop_.now(), {link.id, peer, link.dialled, link.connection->peer_address(),
                                   link.connection->peer_endpoint()});
}

void SequencerDriver::on_message(ConnectionId from, RequestId request, Message&& m) {
  machine_.arrived(loop_.now(), {from, request, std::move(m)});
  if (links_.outgrown(machine_.pending().sends)) perform();
}

/// The machine hears of the end only if it heard of the connection, or of the dial. It logs the
/// ends of connections that it has dialled.
void SequencerDriver::on_disconnected(const transport::Link& link, const Error& why) {
  if (link.connected) machine_.disconnected(loop_.now(), {link.id, why});
  else if (link.dialled != 0) machine_.dial_failed(loop_.now(), {link.dialled, why});
  if (link.dialled == 0 && why.code != Errc::connection_lost)
    closed_log_(loop_.now(), transport::LogLevel::warning,
                fmt::format("closed a connection: {}", why.message()));
}

/// Performs the output in the order that core/output.h states. Saves only go to the saver thread
/// here: messages that depend on a save come out of the core after its SaveDone.
void SequencerDriver::perform() {
  if (dead_) return;
  Output& o = machine_.output();
  for (const Event& e : o.events) log_(level_of(e.level), e.text);
  if (o.fatal) {
    dead_ = true;
    return fatal_(*o.fatal);
  }
  if (!o.saves.empty()) {
    std::lock_guard lock(saver_.mutex);
    for (SaveRaft& s : o.saves) saver_.saves.push_back(std::move(s));
    saver_.wanted.notify_one();
  }
  links_.send(o.sends);
  for (const Dial& d : o.dials)
    links_.dial(links_.next_id(), d.address, machine_.hello(), {{d.role}, d.id}, d.number);
  for (const CloseConnection& c : o.closes) links_.close(c.connection, c.why);
  const Time wake = o.wake;
  o.clear();
  if (when_resigned_ && machine_.may_stop()) std::exchange(when_resigned_, {})();
  loop_.set_wake(wake, [this, alive = alive_] {
    if (*alive) machine_.tick(loop_.now(), wall_ms());
  });
}

/// Asks the leader for its overview; nullptr at once if no other sequencer is known to lead.
void SequencerDriver::ask_leader(std::uint32_t logs_max,
                                 std::function<void(const Overview*)> done) {
  const auto leader = std::ranges::find(options_.sequencers, machine_.leader(), &SequencerInfo::id);
  if (leader == options_.sequencers.end() || leader->id == options_.id) return done(nullptr);
  const auto place = questions_.emplace(questions_.end());
  *place = ask_for_overview(loop_, leader->address, leader->id, logs_max, leader_patience,
                            [this, place, logs_max, done = std::move(done)](const Overview* o) {
                              questions_.erase(place);
                              if (o != nullptr && o->term == Term{})
                                o = nullptr;  // it does not lead any more, or not yet
                              if (o != nullptr && logs_max > 0) told_ = Told{*o, loop_.now()};
                              done(o);
                            });
}

/// The leader's overview if it answers, otherwise this sequencer's own.
void SequencerDriver::picture(std::uint32_t logs_max, std::function<void(ClusterPicture)> done) {
  ask_leader(logs_max, [this, logs_max, done = std::move(done)](const Overview* o) {
    Overview own = machine_.overview(logs_max);
    if (own.term != Term{} && logs_max > 0) told_ = Told{own, loop_.now()};
    done(picture_of(loop_.now(), std::move(own), told_, o != nullptr));
  });
}

void SequencerDriver::keep_history() {
  take_reading();
  loop_.after(History::every, [this, alive = alive_] {
    if (*alive) keep_history();
  });
}

/// A reading of the history. The counts of a leader need no logs; the list of logs is refreshed now
/// and then for picture().
void SequencerDriver::take_reading() {
  const std::uint32_t logs_max = !told_ || loop_.now() - told_->at >= told_anew ? logs_kept_max : 0;
  ask_leader(logs_max, [this, logs_max](const Overview* o) {
    std::optional<Overview> own;
    if (o == nullptr && machine_.leading_term() != Term{}) {
      own = machine_.overview(logs_max);
      if (logs_max > 0) told_ = Told{*own, loop_.now()};
    }
    history_.add(loop_.now(), wall_ms(), own ? &*own : o);
  });
}

/// The saver thread. A failed save ends it, because later saves must not overtake it.
void SequencerDriver::save_all() {
  SaveRaft s;
  while (next_save(s)) {
    const auto begun = std::chrono::steady_clock::now();
    if (const auto ok = save(s); !ok) return fatal(ok.error());
    loop_.post(
        [this, alive = alive_, ticket = s.ticket, took = std::chrono::steady_clock::now() - begun] {
          if (!*alive || dead_) return;
          saves_took_.count(std::chrono::duration_cast<Duration>(took));
          machine_.save_done(loop_.now(), {ticket});
        });
    tell_space();
  }
}

/// Waits for the next save, and does idle work meanwhile: the mark, and the reserve on a full disk.
/// False: the driver stops, or the disk has failed.
bool SequencerDriver::next_save(SaveRaft& s) {
  const auto wanted = [this] { return saver_.stopping || !saver_.saves.empty(); };
  std::unique_lock lock(saver_.mutex);
  while (!wanted()) {
    const bool behind = storage_.mark_is_behind();
    if (!behind && !storage_.lacks_space()) saver_.wanted.wait(lock, wanted);
    else if (!saver_.wanted.wait_for(lock, behind ? mark_when_idle : space_asked_every, wanted)) {
      lock.unlock();
      if (!behind) storage_.reserve_ahead();
      else if (const auto ok = storage_.write_mark(); !ok) return fatal(ok.error()), false;
      tell_space();
      lock.lock();
    }
  }
  if (!saver_.stopping) {
    s = std::move(saver_.saves.front());
    saver_.saves.pop_front();
    return true;
  }
  // The next start finds the mark at the log's end. A failure here is left to that start.
  if (storage_.mark_is_behind() && !storage_.write_mark())
    log_(transport::LogLevel::warning, "the mark of raft.log could not be brought up to its end");
  return false;
}

/// Performs a save. A save that finds no space, or no descriptor, has changed nothing and waits;
/// votes and entries wait behind it, and the process goes on.
Result<void> SequencerDriver::save(const SaveRaft& s) {
  for (bool told = false;;) {
    auto ok = storage_.save(s);
    if (ok || (ok.error().code != Errc::no_space && ok.error().code != Errc::too_many)) return ok;
    if (!std::exchange(told, true))
      loop_.post([this, alive = alive_, why = ok.error()] {
        if (*alive)
          log_(transport::LogLevel::alarm,
               fmt::format("{}: its reserve is used up, and this sequencer neither votes nor "
                           "acknowledges until there is {}",
                           why.detail,
                           why.code == Errc::no_space ? "space: free some, or trim logs"
                                                      : "a descriptor: raise the limit"));
      });
    std::unique_lock lock(saver_.mutex);
    if (saver_.wanted.wait_for(lock, space_asked_every, [this] { return saver_.stopping; }))
      return fail(Errc::no_space, ok.error().detail);
  }
}

/// Tells the core when the disk has become full, or has space again.
void SequencerDriver::tell_space() {
  const bool low = storage_.space_is_low();
  if (std::exchange(saver_.space_was_low, low) == low) return;
  loop_.post([this, alive = alive_, low] {
    if (*alive && !dead_) machine_.space_is_low(loop_.now(), low);
  });
}

/// From the saver thread: the process ends on the loop's thread. An
/// error without the exit code of a failed disk is reported as io_error.
void SequencerDriver::fatal(const Error& why) {
  loop_.post([this, alive = alive_, why] {
    if (!*alive || dead_) return;
    dead_ = true;
    fatal_({exit_code_of(why.code) == exit_disk_failed ? why.code : Errc::io_error, why.detail});
  });
}

}  // namespace loglog::sequencer
