// A state machine of requests: each answer takes it to the next step, a failed answer included. A
// failed request leaves its outcome unknown, and the fields say so until a later answer settles it.
#include "tests/simulator/administrator.h"

#include <fmt/format.h>

#include "proto-spec/vocabulary/limits.h"

namespace loglog::simulator {
namespace {

constexpr const char* settings_log = "settings";
constexpr const char* made_log = "made";
/// Some requests get a short deadline, so that bad weather leaves their outcomes unknown.
constexpr Duration short_deadline = 60ms;
constexpr Duration long_deadline = 3s;

const client::Failure* failure_of(const client::Completion& c) {
  return std::get_if<client::Failure>(&c);
}

}  // namespace

Administrator::Administrator(World& world, ClientProcess& process, Duration pause)
    : world_(world), process_(process), pause_(pause) {}

void Administrator::start() {
  process_.on_completed = [this](const client::Completed& c) { completed(c); };
  take(Step::preparing);
}

void Administrator::take(Step s) {
  step_ = s;
  if (s == Step::setting) asked_ = {segment_size_min * (1 + world_.random.below(1000)), 0};
  if (s == Step::fencing) ++fences_;
  if (s != Step::pausing) return ask();
  ++rounds_;
  const auto pause = Duration(static_cast<std::int64_t>(
      world_.random.below(static_cast<std::uint64_t>(2 * pause_.count()))));
  world_.scheduler.after(pause, [this] {
    if (!resting_) take(Step::looking);
  });
}

void Administrator::ask() {
  const Time now = process_.now();
  const Time deadline =
      now +
      (world_.random.chance(1, 4) && step_ != Step::preparing ? short_deadline : long_deadline);
  const client::Token t{++tokens_};
  const LogOptions small{0, 0, segment_size_min, Durability::sync, {}};
  process_.call([&](client::ClientMachine& m) {
    switch (step_) {
      case Step::preparing:
        return there_ ? m.open_log(now, t, settings_log, deadline)
                      : m.create_log(now, t, settings_log, small, deadline);
      case Step::setting:
        return m.set_retention(now, t, log_, asked_, deadline);
      case Step::fencing:
        return m.set_fence(now, t, log_, FenceToken{}, deadline);
      case Step::creating:
        return m.create_log(now, t, made_log, small, deadline);
      case Step::deleting:
        return m.delete_log(now, t, made_log, deadline);
      case Step::pausing:
        return;
      case Step::looking:
        // A trim to 0 changes nothing; its answer describes the log as it stands when the command
        // is applied.
        return m.trim_log(now, t, log_, Offset{}, deadline);
      case Step::looking_for_made:
        return m.open_log(now, t, made_log, deadline);
    }
  });
}

void Administrator::completed(const client::Completed& c) {
  if (c.token.value != tokens_) return;
  const client::Failure* failure = failure_of(c.result);
  if (failure != nullptr)
    world_.trace(process_.name(), "administering ends: " + failure->error.message());
  switch (step_) {
    case Step::preparing:
      if (failure != nullptr) {
        there_ = there_ || failure->error.code == Errc::log_exists;
        world_.scheduler.after(100ms, [this] { ask(); });
        return;
      }
      log_ = std::get<client::LogDescription>(c.result).info.id;
      return take(Step::setting);
    case Step::setting:
      retention_set(failure);
      return take(Step::fencing);
    case Step::fencing:
      fenced(c.result);
      return take(Step::creating);
    case Step::creating:
      created(c.result);
      return take(Step::deleting);
    case Step::deleting:
      deleted(failure);
      return take(Step::pausing);
    case Step::pausing:
      return;
    case Step::looking:
      if (failure == nullptr) looked(std::get<client::LogDescription>(c.result).info);
      return take(Step::looking_for_made);
    case Step::looking_for_made:
      looked_for_made(c.result);
      return take(Step::setting);
  }
}

// A setting with an unknown outcome may be either value, so it cannot be checked until the next
// success.
void Administrator::retention_set(const client::Failure* failure) {
  if (failure == nullptr) retention_ = asked_;
  else if (!world_.has(Bug::unknown_is_failed)) retention_.reset();
}

// The only writer asks for the next token, so each answer must lie above the last token and at most
// at the number of requests (T6).
void Administrator::fenced(const client::Completion& result) {
  const auto* f = std::get_if<client::Fence>(&result);
  if (f == nullptr) {
    if (!world_.has(Bug::unknown_is_failed)) fence_.reset();
    return;
  }
  if (f->token <= highest_ || f->token.value > fences_)
    violated(world_, promise::tokens,
             fmt::format("the {}th fence of the log's one writer has token {}, after {}", fences_,
                         f->token.value, highest_.value));
  fence_ = highest_ = f->token;
}

// T6: a repeat of the request that made the log must not be refused as `log_exists`, and a late
// copy must not make the log again after its deletion.
void Administrator::created(const client::Completion& result) {
  const client::Failure* failure = failure_of(result);
  if (failure != nullptr) {
    if (failure->error.code == Errc::log_exists && !maybe_made_ && made_ == LogId{})
      violated(world_, promise::made_once,
               "nobody made a log of that name, and its creation is refused as one that exists");
    maybe_made_ = true;
    return;
  }
  made_ = std::get<client::LogDescription>(result).info.id;
  if (gone_.contains(made_))
    violated(world_, promise::made_once,
             fmt::format("log {} was deleted and is there again", made_.value));
}

void Administrator::deleted(const client::Failure* failure) {
  if (failure != nullptr) {
    maybe_made_ = maybe_made_ || made_ != LogId{};
    return;
  }
  gone_.insert(made_);
  made_ = {};
  // A late creation is based on metadata older than the deletion, so it must not act (T6).
  maybe_made_ = false;
}

// Compares the settings read with the last acknowledged settings.
void Administrator::looked(const LogInfo& info) {
  if (retention_ && info.options.retention != *retention_)
    violated(world_, promise::setting,
             fmt::format("the retention was set to {} bytes, and is {}", retention_->bytes,
                         info.options.retention.bytes));
  if (fence_ && info.fence != *fence_)
    violated(
        world_, promise::tokens,
        fmt::format("the one writer has token {}, the log {}", fence_->value, info.fence.value));
}

// A log of that name may exist only if a creation succeeded or has an unknown outcome.
void Administrator::looked_for_made(const client::Completion& result) {
  if (const auto* d = std::get_if<client::LogDescription>(&result);
      d != nullptr && !maybe_made_ && made_ == LogId{})
    violated(world_, promise::made_once,
             fmt::format("log {} is there, which nobody made since the last one was deleted",
                         d->info.id.value));
}

}  // namespace loglog::simulator
