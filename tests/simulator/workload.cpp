// In the order of the header: the client, the churn of logs, and the readers of the end. Calls are
// asynchronous; `completed` dispatches each answer by the kind of its call.
#include "tests/simulator/workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/disk/frame.h"

namespace loglog::simulator {

using client::Token;

namespace {
/// A resolution waits for the next term, which a healed cluster may not begin.
constexpr Duration resolve_deadline = 5s;
}  // namespace

void resolution_ended(World& world, Checkers& checkers, const ClientProcess& process, LogId log,
                      const std::string& payload, const client::Completion& result) {
  LogHistory& history = checkers.of(log);
  if (const auto* f = std::get_if<client::Failure>(&result)) {
    world.faults.count(f->timed_out ? "resolutions at their deadline" : "resolutions over a trim");
    return history.unresolved(payload, f->error, f->timed_out);
  }
  auto answer = std::get<client::Resolved>(result);
  world.faults.count(answer.is_committed ? "appends resolved as committed"
                                         : "appends resolved as absent");
  if (world.has(Bug::finds_nothing)) answer = {};
  if (world.has(Bug::finds_elsewhere)) answer.offset = answer.next;
  history.resolved(payload, answer, process.wall_ms());
}

ClientWorkload::ClientWorkload(World& world, Checkers& checkers, ClientProcess& process,
                               std::string log, const WorkloadOptions& options, bool creates)
    : world_(world),
      checkers_(checkers),
      process_(process),
      name_(std::move(log)),
      options_(options),
      creates_(creates),
      first_of_log_(creates) {}

void ClientWorkload::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  process_.on_restarted = [this] { restarted(); };
  open();
}

// The application has died with its client, so it does not know the outcomes of its calls.
void ClientWorkload::restarted() {
  for (const auto& [token, p] : pending_) {
    if (p.kind != Kind::append) continue;
    checkers_.append_abandoned();
    if (world_.has(Bug::repeats_after_restart)) to_repeat_.push_back(p.payload);
    else ++ended_;
  }
  pending_.clear();
  flying_ = 0;
  thinking_ = false;
  // The process is still inside its start here; the next event finds it up.
  world_.scheduler.after(
      0us, [this, life = process_.life()] { process_.deliver(life, [this] { open(); }); });
}

Token ClientWorkload::token(Kind kind, std::string payload, Offset floor) {
  pending_[++tokens_] = Pending{kind, std::move(payload), floor, process_.wall_ms()};
  return Token{tokens_};
}

Duration ClientWorkload::up_to(Duration max) {
  return Duration(
      static_cast<std::int64_t>(world_.random.below(static_cast<std::uint64_t>(max.count()) + 1)));
}

// Later work is dropped if the process has died meanwhile.
void ClientWorkload::later(Duration d, void (ClientWorkload::*what)()) {
  world_.scheduler.after(d, [this, what, life = process_.life()] {
    process_.deliver(life, [this, what] { (this->*what)(); });
  });
}

void ClientWorkload::open() {
  const Time now = process_.now();
  process_.call([&](client::ClientMachine& m) {
    if (creates_)
      m.create_log(now, token(Kind::create), name_,
                   LogOptions{options_.replicas, options_.write_quorum, options_.segment_size,
                              Durability::sync, options_.retention},
                   now + 5s);
    else m.open_log(now, token(Kind::open), name_, now + 5s);
  });
}

void ClientWorkload::opened(LogId log) {
  creates_ = false;
  log_ = log;
  append_more();
  follow();
  ask_tail();
  if (options_.read_every > 0us) later(options_.read_every, &ClientWorkload::read_again);
  if (options_.fence_every > 0us) later(up_to(2 * options_.fence_every), &ClientWorkload::fence);
  if (options_.times_every > 0us) later(options_.times_every, &ClientWorkload::ask_time);
  if (first_of_log_ && options_.trim_every > 0us) later(options_.trim_every, &ClientWorkload::trim);
}

void ClientWorkload::append_more() {
  thinking_ = false;
  while (flying_ < options_.in_flight &&
         (started_ < options_.entries_per_client || !to_repeat_.empty())) {
    if (!to_repeat_.empty()) {
      append(std::move(to_repeat_.back()));
      to_repeat_.pop_back();
      continue;
    }
    ++started_;
    std::string payload = fmt::format("{}:{}:{}#", process_.name(), name_, started_);
    const std::size_t exact =
        std::max<std::size_t>(options_.payload_exact, payload.size()) - payload.size();
    const std::size_t more =
        options_.payload_exact > 0 ? exact : world_.random.below(options_.payload_max + 1);
    payload.append(more, static_cast<char>('a' + started_ % 26));
    append(std::move(payload));
  }
}

void ClientWorkload::append_last() {
  last_ = true;
  last_acknowledged_ = false;
  options_.append_deadline = 30s;
  ++options_.entries_per_client;
  append_more();
}

// The checkers learn of the append before the core does, so that no answer can precede it.
void ClientWorkload::append(std::string payload) {
  ++flying_;
  checkers_.append_started(log_, payload);
  client::AppendConditions conditions;
  if (!last_) conditions = {options_.conditional ? expected_end() : no_offset, fence_};
  checkers_.conditions(log_).append_started(payload, conditions,
                                            {followed_to_, checkers_.of(log_).tail_floor()});
  const Bytes bytes = Bytes::copy_of(payload);
  const Token t = token(Kind::append, std::move(payload));
  pending_[t.value].begun = world_.scheduler.now();
  process_.call([&](client::ClientMachine& m) {
    const Time now = process_.now();
    pending_[t.value].deadline = now + options_.append_deadline;
    m.append(now, t, log_, bytes, false, now + options_.append_deadline, conditions);
  });
}

/// F1: the end of the log as the client has seen it. With wild expectations the offset may also lie
/// beyond the end or inside an entry.
Offset ClientWorkload::expected_end() {
  if (!options_.expect_wildly) return followed_to_;
  const std::uint64_t entry = frame_overhead + std::max<std::uint64_t>(options_.payload_exact, 1);
  switch (world_.random.below(4)) {
    case 0:
      return followed_to_ + (1 + world_.random.below(3)) * entry;
    case 1:
      return followed_to_ + world_.random.below(entry);
    case 2:
      return Offset{followed_to_.value -
                    std::min(followed_to_.value, world_.random.below(2 * entry))};
    default:
      return followed_to_;
  }
}

// The append has ended: informs the checkers, judges its duration, and schedules the next appends
// after a pause.
void ClientWorkload::append_ended(const Pending& p, const client::Completion& result) {
  --flying_;
  last_acknowledged_ = std::holds_alternative<client::Appended>(result);
  const auto* failure = std::get_if<client::Failure>(&result);
  if (failure) world_.trace(process_.name(), "append ends: " + failure->error.message());
  if (last_acknowledged_ && !world_.hindered.contains(&process_)) {
    const Duration took = world_.scheduler.now() - p.begun;
    world_.slowest_append = std::max(world_.slowest_append, took);
    if (options_.append_within > 0us && took > options_.append_within)
      violated(world_, promise::held_up,
               fmt::format("an append takes {} ms",
                           std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  }
  checkers_.append_ended(log_, p.payload, result, process_.wall_ms());
  if (failure && failure->error.code == Errc::offset_mismatch)
    checkers_.conditions(log_).mismatched(p.payload, failure->ends);
  if (failure && (failure->error.code == Errc::offset_mismatch ||
                  failure->error.code == Errc::producer_fenced))
    world_.faults.count(std::string(name_of(failure->error.code)));
  if (failure && failure->error.code == Errc::outcome_unknown && process_.now() < p.deadline &&
      !closing_)
    checkers_.of(log_).unknown_early(p.payload, failure->error.message());
  // A trim may have passed all that this client knew of the log (A5), which `unknown_early` has
  // judged. Then another append is the last append.
  if (last_ && failure && failure->error.code == Errc::outcome_unknown &&
      process_.now() < p.deadline)
    ++options_.entries_per_client;
  if (options_.resolve && failure && failure->error.code == Errc::outcome_unknown && !closing_) {
    const UnknownAppend unknown{p.payload, failure->entry};
    unknown_.push_back(unknown);
    resolve(unknown);
    if (on_unknown) on_unknown(unknown);
  }
  if (failure && failure->error.code == Errc::outcome_unknown &&
      world_.has(Bug::unknown_is_retried))
    to_repeat_.push_back(p.payload);
  else ++ended_;
  if (thinking_) return;
  thinking_ = true;
  later(up_to(options_.think_max), &ClientWorkload::append_more);
}

// A client that has not opened the log yet asks nothing.
void ClientWorkload::resolve(const UnknownAppend& append) {
  if (log_ == LogId{}) return;
  process_.call([&](client::ClientMachine& m) {
    const Time now = process_.now();
    const Token t = token(Kind::resolve, append.payload);
    m.resolve(now, t, log_, append.entry, now + resolve_deadline);
  });
}

void ClientWorkload::follow() {
  following_ = token(Kind::follow);
  process_.call(
      [&](client::ClientMachine& m) { m.follow(process_.now(), following_, log_, followed_to_); });
  if (options_.follow_anew > 0us)
    later(up_to(2 * options_.follow_anew), &ClientWorkload::follow_anew);
}

void ClientWorkload::follow_anew() {
  process_.call([&](client::ClientMachine& m) { m.stop(process_.now(), following_); });
}

// Each delivery must begin where the last ended; a gap is reported to the checker.
void ClientWorkload::followed(const client::Completed& c) {
  if (const auto* d = std::get_if<client::Delivered>(&c.result)) {
    std::uint64_t bytes = 0;
    Offset at = followed_to_;
    for (const auto& e : d->entries) {
      checkers_.entry_read(log_, e);
      if (options_.read_every > 0us) followed_.push_back(e.offset);
      if (e.offset != at) checkers_.of(log_).passed_over(at, e.offset);
      at = e.next;
      bytes += e.next - e.offset;
      if (options_.trim_every > 0us && e.sequence.value % 16 == 0) entry_ends_.push_back(e.next);
    }
    if (d->next != at) checkers_.of(log_).passed_over(at, d->next);
    followed_to_ = d->next;
    process_.call([&](client::ClientMachine& m) { m.consumed(process_.now(), c.token, bytes); });
  } else if (c.last) {
    const auto* failure = std::get_if<client::Failure>(&c.result);
    if (failure && failure->error.code == Errc::past_end)
      violated(world_, promise::the_end,
               fmt::format("a follower at {} is told that the log ends at {}", followed_to_.value,
                           failure->ends.value));
    if (failure && failure->error.code == Errc::trimmed) {
      checkers_.of(log_).begins_at(failure->begins);
      followed_to_ = std::max(followed_to_, failure->begins);
    }
    later(200ms, &ClientWorkload::follow);
  }
}

// Reads late entries more often than early entries.
void ClientWorkload::read_again() {
  if (resting_) return;
  if (!followed_.empty()) {
    const std::size_t back = world_.random.below(1 + world_.random.below(followed_.size()));
    const Offset from = followed_[followed_.size() - 1 - back];
    process_.call([&](client::ClientMachine& m) {
      const Time now = process_.now();
      m.read(now, token(Kind::read, {}, from), log_, from, 16u << 10, 0ms, now + 5s);
    });
  }
  later(up_to(2 * options_.read_every), &ClientWorkload::read_again);
}

void ClientWorkload::read_ended(const Pending& p, const client::Completion& result) {
  if (const auto* f = std::get_if<client::Failure>(&result);
      f != nullptr && f->error.code == Errc::past_end)
    violated(world_, promise::the_end,
             fmt::format("of {}, where an entry stands, it is said that the log ends at {}",
                         p.floor.value, f->ends.value));
  const auto* d = std::get_if<client::Delivered>(&result);
  if (d == nullptr) return;
  for (const auto& e : d->entries) checkers_.entry_read(log_, e);
  if (d->entries.empty()) return;  // the replica has not heard yet that this entry is committed
  if (d->entries.front().offset != p.floor)
    violated(world_, promise::follower,
             fmt::format("a read at {}, where an entry stands, begins at {}", p.floor.value,
                         d->entries.front().offset.value));
}

// R6: asks for a time within the last 8 s.
void ClientWorkload::ask_time() {
  if (resting_) return;
  const std::uint64_t time = process_.wall_ms() - world_.random.below(8000);
  process_.call([&](client::ClientMachine& m) {
    const Time now = process_.now();
    const Token t = token(Kind::time);
    pending_[t.value].time_ms = time;
    m.offset_at(now, t, log_, time, now + 5s);
  });
  later(up_to(2 * options_.times_every), &ClientWorkload::ask_time);
}

void ClientWorkload::time_answered(const Pending& p, const client::Completion& result) {
  const auto* found = std::get_if<client::PointInTime>(&result);
  world_.faults.count(found ? "points in time" : "points in time not found");
  if (found) checkers_.of(log_).point_told(p.time_ms, found->offset);
}

void ClientWorkload::ask_tail() {
  if (resting_) return;
  const Offset floor = checkers_.of(log_).tail_floor();
  process_.call([&](client::ClientMachine& m) {
    const Time now = process_.now();
    const Token t = token(Kind::tail, {}, floor);
    pending_[t.value].begin_floor = checkers_.of(log_).begin_floor();
    m.tail(now, t, log_, now + 5s);
  });
}

void ClientWorkload::tail_answered(const Pending& p, const client::Completion& result) {
  if (const auto* t = std::get_if<client::Tail>(&result)) {
    ++tails_;
    const Offset floor =
        world_.has(Bug::orders_by_clock) ? checkers_.of(log_).acknowledged_by(p.asked_ms) : p.floor;
    checkers_.of(log_).tail_answered(floor, t->committed);
    checkers_.of(log_).begin_told(p.begin_floor, t->first);
  }
  later(150ms, &ClientWorkload::ask_tail);
}

// Trims at an entry's end that the follower has passed or, with wild trims, at an old point or
// beyond the end (R3).
void ClientWorkload::trim() {
  if (resting_) return;
  if (!entry_ends_.empty()) {
    const std::size_t i = world_.random.below(entry_ends_.size());
    Offset point = entry_ends_[i];
    const std::uint64_t whim = options_.trim_wildly ? world_.random.below(4) : 0;
    if (whim == 1 && !trimmed_at_.empty()) {
      point = trimmed_at_[world_.random.below(trimmed_at_.size())];
    } else if (whim == 2) {
      point = followed_to_ + (1ULL << 40);
    } else {
      entry_ends_.erase(entry_ends_.begin(),
                        entry_ends_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      trimmed_at_.push_back(point);
    }
    process_.call([&](client::ClientMachine& m) {
      const Time now = process_.now();
      const Token t = token(Kind::trim);
      pending_[t.value].number = checkers_.of(log_).trim_asked(point);
      m.trim_log(now, t, log_, point, now + 5s);
    });
  }
  later(up_to(2 * options_.trim_every), &ClientWorkload::trim);
}

/// F2: a lock service has given the client a token. The client uses it late, perhaps after another
/// client was given a newer token.
void ClientWorkload::fence() {
  if (resting_) return;
  const FenceToken fence = checkers_.conditions(log_).next_token();
  world_.scheduler.after(up_to(options_.fence_every), [this, fence, life = process_.life()] {
    process_.deliver(life, [this, fence] {
      const Offset floor = checkers_.of(log_).tail_floor();
      process_.call([&](client::ClientMachine& m) {
        const Time now = process_.now();
        const Token t = token(Kind::fence, {}, floor);
        pending_[t.value].fence = fence;
        m.set_fence(now, t, log_, fence, now + 5s);
      });
    });
  });
  later(up_to(4 * options_.fence_every), &ClientWorkload::fence);
}

void ClientWorkload::fence_answered(const Pending& p, const client::Completion& result) {
  const auto* f = std::get_if<client::Fence>(&result);
  world_.faults.count(f ? "fences set" : "fences refused");
  if (f == nullptr || f->token != p.fence) return;
  fence_ = std::max(fence_, p.fence);
  checkers_.of(log_).tail_answered(p.floor, f->end);
  checkers_.conditions(log_).fence_set(f->token, f->end);
}

// Some appends are still under way when the client closes; they must end as well.
bool ClientWorkload::close() {
  for (int i = 0; i < 3; ++i) append(fmt::format("{}:{}:closing {}#", process_.name(), name_, i));
  closing_ = true;
  process_.call([&](client::ClientMachine& m) { m.close(process_.now()); });
  return pending_.empty();
}

void ClientWorkload::completed(const client::Completed& c) {
  const auto at = pending_.find(c.token.value);
  if (at == pending_.end())
    return violated(world_, promise::ends, fmt::format("call {} ends twice", c.token.value));
  const Pending p = at->second;
  if (c.last) pending_.erase(at);
  const auto* failure = std::get_if<client::Failure>(&c.result);
  switch (p.kind) {
    case Kind::create:
      if (failure && failure->error.code == Errc::log_exists) creates_ = false;
      [[fallthrough]];
    case Kind::open:
      if (failure) later(100ms, &ClientWorkload::open);
      else if (const auto* d = std::get_if<client::LogDescription>(&c.result)) opened(d->info.id);
      break;
    case Kind::append:
      append_ended(p, c.result);
      break;
    case Kind::resolve:
      resolution_ended(world_, checkers_, process_, log_, p.payload, c.result);
      break;
    case Kind::follow:
      followed(c);
      break;
    case Kind::tail:
      tail_answered(p, c.result);
      break;
    case Kind::read:
      read_ended(p, c.result);
      break;
    case Kind::fence:
      fence_answered(p, c.result);
      break;
    case Kind::time:
      time_answered(p, c.result);
      break;
    case Kind::trim:
      world_.faults.count(failure ? "trims refused" : "trims");
      if (!failure) checkers_.of(log_).trim_answered(p.number);
      break;
  }
}

// ---- Logs that come and go

LogChurn::LogChurn(World& world, Checkers& checkers, ClientProcess& process, Duration pause)
    : world_(world), checkers_(checkers), process_(process), pause_(pause) {}

void LogChurn::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  take(Step::creating);
}

void LogChurn::take(Step s) {
  step_ = s;
  if (s == Step::pausing) {
    ++rounds_;
    world_.scheduler.after(pause_, [this] {
      if (!resting_) take(Step::creating);
    });
    return;
  }
  if (s == Step::appending) payload_ = fmt::format("{}:churn:{}#", process_.name(), ++entries_);
  ask();
}

void LogChurn::again() {
  world_.scheduler.after(50ms, [this] { ask(); });
}

void LogChurn::ask() {
  const Time now = process_.now();
  const Token t{++tokens_};
  if (step_ == Step::appending) checkers_.append_started(log_, payload_);
  process_.call([&](client::ClientMachine& m) {
    switch (step_) {
      case Step::pausing:
        break;
      case Step::creating:
        return m.create_log(now, t, "churn",
                            LogOptions{0, 0, segment_size_min, Durability::sync, {}}, now + 3s);
      case Step::opening:
        return m.open_log(now, t, "churn", now + 3s);
      case Step::appending:
        return m.append(now, t, log_, Bytes::copy_of(payload_), false, now + 10s);
      case Step::reading:
        return m.read(now, t, log_, Offset{}, 64u << 10, 0ms, now + 3s);
      case Step::deleting:
        return m.delete_log(now, t, "churn", now + 3s);
    }
  });
}

void LogChurn::completed(const client::Completed& c) {
  if (c.token.value != tokens_) return;
  const auto* failure = std::get_if<client::Failure>(&c.result);
  switch (step_) {
    case Step::pausing:
      break;
    case Step::creating:
      if (failure && failure->error.code == Errc::log_exists)
        return take(Step::opening);  // the answer to an earlier creation was lost
      [[fallthrough]];
    case Step::opening:
      if (failure && failure->error.code == Errc::no_such_log) return take(Step::creating);
      if (failure) return again();
      log_ = std::get<client::LogDescription>(c.result).info.id;
      if (gone_.contains(log_))
        violated(world_, promise::fresh_name,
                 fmt::format("log {} was deleted and its id is given again", log_.value));
      return take(Step::appending);
    case Step::appending:
      if (failure) still_there(failure->error.code);
      checkers_.append_ended(log_, payload_, c.result, process_.wall_ms());
      return take(world_.random.chance(1, 2) ? Step::appending : Step::reading);
    case Step::reading:
      if (failure) {
        still_there(failure->error.code);
        return again();
      }
      for (const auto& e : std::get<client::Delivered>(c.result).entries)
        checkers_.entry_read(log_, e);
      return take(Step::deleting);
    case Step::deleting:
      if (failure && failure->error.code != Errc::no_such_log) return again();
      gone_.insert(log_);
      return take(Step::pausing);
  }
}

/// T5: only this process deletes the log, and it has not begun to.
void LogChurn::still_there(Errc e) {
  if (e == Errc::no_such_log || e == Errc::log_deleted)
    violated(world_, promise::own_delete,
             fmt::format("log {} is gone ({}), and was not deleted", log_.value, name_of(e)));
}

// ---- The readers of the end

TimeRead::TimeRead(ClientProcess& process, LogId log, std::vector<std::uint64_t> times)
    : process_(process), log_(log), times_(std::move(times)) {}

void TimeRead::start() {
  process_.on_completed = [this](const client::Completed& c) {
    if (c.token.value != tokens_) return;
    if (const auto* found = std::get_if<client::PointInTime>(&c.result))
      answers_.push_back(found->offset);
    else error_ = std::get<client::Failure>(c.result).error.message();
    if (!done()) next();
  };
  if (!done()) next();
}

void TimeRead::next() {
  const Time now = process_.now();
  process_.call([&](client::ClientMachine& m) {
    m.offset_at(now, Token{++tokens_}, log_, times_[answers_.size()], now + 5s);
  });
}

FateRead::FateRead(World& world, Checkers& checkers, ClientProcess& process, LogId log,
                   std::vector<UnknownAppend> appends)
    : world_(world),
      checkers_(checkers),
      process_(process),
      log_(log),
      appends_(std::move(appends)) {}

// The token of a call is its number among the appends.
void FateRead::start() {
  constexpr std::uint64_t tokens = 6'000'000;
  process_.on_completed = [this](const client::Completed& c) {
    if (c.token.value < tokens || c.token.value >= tokens + appends_.size()) return;
    ++ended_;
    resolution_ended(world_, checkers_, process_, log_, appends_[c.token.value - tokens].payload,
                     c.result);
  };
  const Time now = process_.now();
  process_.call([&](client::ClientMachine& m) {
    for (std::size_t i = 0; i < appends_.size(); ++i)
      m.resolve(now, Token{tokens + i}, log_, appends_[i].entry, now + resolve_deadline);
  });
}

LoneRead::LoneRead(World& world, ClientProcess& process, LogId log, Offset from, Offset committed)
    : world_(world), process_(process), log_(log), at_(from), committed_(committed) {}

void LoneRead::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  next();
}

std::string LoneRead::standing() const {
  return fmt::format("log {} is read up to {} of {}; the last answer: {}", log_.value, at_.value,
                     committed_.value, error_);
}

void LoneRead::next() {
  if (done()) return;
  const Time now = process_.now();
  process_.call([&](client::ClientMachine& m) {
    m.read(now, Token{++tokens_}, log_, at_, 256u << 10, 0ms, now + 5s);
  });
}

void LoneRead::completed(const client::Completed& c) {
  if (c.token.value != tokens_ || done()) return;
  if (const auto* d = std::get_if<client::Delivered>(&c.result); d != nullptr && d->next > at_) {
    at_ = d->next;
    return next();
  }
  if (const auto* f = std::get_if<client::Failure>(&c.result)) {
    error_ = f->error.message();
    if (f->error.code == Errc::trimmed)
      at_ = std::max(at_, f->begins);  // the retention has trimmed since the full read
  }
  world_.scheduler.after(100ms, [this] { next(); });
}

FullRead::FullRead(World& world, ClientProcess& process, std::string log)
    : world_(world), process_(process), name_(std::move(log)) {}

bool FullRead::holds(NodeId node) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&](const Member& m) { return m.node == node; });
}

void FullRead::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  next();
}

void FullRead::next() {
  const Time now = process_.now();
  const Token t{++tokens_};
  process_.call([&](client::ClientMachine& m) {
    if (step_ == 0) m.open_log(now, t, name_, now + 5s);
    else if (step_ == 1) m.tail(now, t, log_, now + 5s);
    else m.read(now, t, log_, at_, 256u << 10, 0ms, now + 5s);
  });
}

void FullRead::completed(const client::Completed& c) {
  if (c.token.value != tokens_) return;
  if (const auto* f = std::get_if<client::Failure>(&c.result)) {
    error_ = f->error.message();
    world_.trace(process_.name(), "full read: " + error_);
    if (f->error.code == Errc::trimmed && entries_.empty())
      at_ = tail_.first = std::max(at_, f->begins);  // trimmed since the tail was asked
    world_.scheduler.after(100ms, [this] { next(); });
    return;
  }
  if (const auto* d = std::get_if<client::LogDescription>(&c.result)) {
    log_ = d->info.id;
    members_ = d->info.members;
    step_ = 1;
  } else if (const auto* t = std::get_if<client::Tail>(&c.result)) {
    tail_ = *t;
    at_ = tail_.first;
    step_ = 2;
  } else if (const auto* e = std::get_if<client::Delivered>(&c.result)) {
    entries_.insert(entries_.end(), e->entries.begin(), e->entries.end());
    const bool moved = e->next != at_;
    at_ = e->next;
    if (at_ >= tail_.committed) {
      done_ = true;
      return;
    }
    if (!moved) {
      world_.scheduler.after(20ms, [this] { next(); });
      return;
    }
  }
  next();
}

}  // namespace loglog::simulator
