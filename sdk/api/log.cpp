// Log: appends and their results, reads, and the calls about the positions of a log. Follows are in
// follower.cpp.
#include <loglog/client.h>

#include <algorithm>
#include <memory>

#include "proto-spec/disk/frame.h"
#include "sdk/api/client_state.h"
#include "sdk/api/entries.h"

namespace loglog {

const LogDetails& Log::details() const { return state_->details; }
bool Log::was_created() const { return state_->created; }

namespace {

AppendResult refused(const Error& why) {
  return {AppendResult::Outcome::refused, 0, 0, 0, to_call_error(why)};
}

/// `size`: bytes of the entry's frame.
AppendResult to_result(const client::Completion& c, LogId log, std::uint64_t size) {
  AppendResult r;
  if (const auto* a = std::get_if<client::Appended>(&c)) {
    r.outcome = AppendResult::Outcome::committed;
    r.offset = a->offset.value;
    r.next = r.offset + size;
    r.term = a->term.value;
    r.producer = a->producer.value;
    r.sequence = a->sequence.value;
  } else {
    const auto& f = std::get<client::Failure>(c);
    if (f.error.code == Errc::outcome_unknown) r.outcome = AppendResult::Outcome::unknown;
    r.error = to_call_error(f);
    r.producer = f.entry.producer.value;
    r.sequence = f.entry.sequence.value;
    r.asked_in = f.entry.term.value;
    r.not_below = f.entry.lowest.value;
  }
  if (r.producer != 0) r.log = log.value;
  return r;
}

/// The common part of all appends: refuses invalid entries in the calling thread, takes room in the
/// budget (which may block), and hands a copy of the payload to the driver. `of_application`:
/// `done` is a callback of the application, which an executor may have to run.
void append_bytes(const std::shared_ptr<Client::State>& client, LogId log, std::string_view payload,
                  bool packed, std::function<void(AppendResult)> done, const AppendOptions& options,
                  bool of_application = true) {
  const auto refuse = [&](Errc code, std::string detail) {
    ++client->refused_here;
    done(refused(Error{code, std::move(detail)}));
  };
  if (client->driver.inherited()) return refuse(Errc::forked, {});
  if (client->closing) return refuse(Errc::client_closed, {});
  if (payload.size() > entry_bytes_max)
    return refuse(Errc::entry_too_large, "this one has " + std::to_string(payload.size()));
  const std::uint64_t size = payload.size() + frame_overhead;
  Duration left = bounded(options.timeout.value_or(client->options.timeout));
  const auto taken =
      client->budget->take(size, client->options.block_when_full && !client->in_callback(), left);
  if (taken.how != AppendBudget::How::taken) {
    const std::string bound = std::to_string(client->options.bytes_in_flight_max) +
                              " bytes (bytes_in_flight_max) are in flight";
    if (taken.how == AppendBudget::How::full) return refuse(Errc::too_many, bound);
    return refuse(Errc::deadline_exceeded, "it waited for room: " + bound);
  }
  struct End final : client::ClientDriver::AppendEnd {
    End(const Client::State& c, bool of_application, LogId l, std::uint64_t n, std::uint64_t e,
        std::function<void(AppendResult)> d)
        : budget(c.budget),
          callbacks(of_application ? c.callbacks : nullptr),
          log(l),
          size(n),
          epoch(e),
          done(std::move(d)) {}
    void ended(client::Completion&& how) override {
      if (callbacks)
        return callbacks->run(
            [b = budget, n = size, e = epoch, d = std::move(done), r = to_result(how, log, size)] {
              b->give_back(n, e);
              d(r);
            });
      budget->give_back(size, epoch);
      call_back([&] { done(to_result(how, log, size)); });
    }
    std::shared_ptr<AppendBudget> budget;
    std::shared_ptr<CallbackQueue> callbacks;  // nullptr: `done` runs on the client's thread
    LogId log;
    std::uint64_t size;
    std::uint64_t epoch;
    std::function<void(AppendResult)> done;
  };
  client->driver.append(
      log, Bytes::copy_of(payload), packed, left,
      {options.expected_offset ? Offset{*options.expected_offset} : no_offset,
       FenceToken{options.fence}},
      std::make_unique<End>(*client, of_application, log, size, taken.epoch, std::move(done)));
}

/// append_bytes with a future.
std::future<AppendResult> promised(const std::shared_ptr<Client::State>& client, LogId log,
                                   std::string_view payload, bool packed,
                                   const AppendOptions& options) {
  auto promise = std::make_shared<std::promise<AppendResult>>();
  auto future = promise->get_future();
  append_bytes(
      client, log, payload, packed, [promise](AppendResult r) { promise->set_value(std::move(r)); },
      options, false);
  return future;
}

}  // namespace

AppendResult Log::append(std::string_view payload, const AppendOptions& options) {
  if (const auto why = state_->client->cannot_wait()) return refused(*why);
  return append_async(payload, options).get();
}
std::future<AppendResult> Log::append_async(std::string_view payload,
                                            const AppendOptions& options) {
  return promised(state_->client, state_->id, payload, false, options);
}
void Log::append_then(std::string_view payload, std::function<void(AppendResult)> done,
                      const AppendOptions& options) {
  append_bytes(state_->client, state_->id, payload, false, std::move(done), options);
}

AppendResult Log::append_batch(const std::vector<std::string>& payloads,
                               const AppendOptions& options) {
  if (const auto why = state_->client->cannot_wait()) return refused(*why);
  return append_batch_async(payloads, options).get();
}
std::future<AppendResult> Log::append_batch_async(const std::vector<std::string>& payloads,
                                                  const AppendOptions& options) {
  return promised(state_->client, state_->id, pack_batch(payloads), true, options);
}
void Log::append_batch_then(const std::vector<std::string>& payloads,
                            std::function<void(AppendResult)> done, const AppendOptions& options) {
  append_bytes(state_->client, state_->id, pack_batch(payloads), true, std::move(done), options);
}

std::expected<AppendResult, CallError> Log::resolve(const AppendResult& unknown,
                                                    std::optional<Milliseconds> timeout) {
  if (unknown.outcome != AppendResult::Outcome::unknown) return unknown;
  auto& s = *state_->client;
  if (unknown.producer == 0 || unknown.sequence == 0)
    return std::unexpected(
        to_call_error(Error{Errc::invalid_argument, "the result names no producer and sequence"}));
  if (unknown.log != state_->id.value)
    return std::unexpected(to_call_error(
        Error{Errc::wrong_log, "the result is of log " + std::to_string(unknown.log)}));
  const client::EntryName entry{ProducerId{unknown.producer}, Sequence{unknown.sequence},
                                Term{unknown.asked_in}, Offset{unknown.not_below}};
  const auto found =
      s.ask<client::Resolved>([&](client::ClientMachine& m, Time now, client::Token t) {
        m.resolve(now, t, state_->id, entry, s.deadline(now, timeout));
      });
  if (!found) return std::unexpected(found.error());
  AppendResult r = unknown;
  r.error = {};
  if (found->is_committed) {
    r.outcome = AppendResult::Outcome::committed;
    r.offset = found->offset.value;
    r.next = found->next.value;
    r.term = found->term.value;
  } else {
    r.outcome = AppendResult::Outcome::refused;
    r.error = to_call_error(
        Error{Errc::deadline_exceeded, "the log does not hold the entry, and never will"});
  }
  return r;
}

std::expected<ReadResult, CallError> Log::read(EntryOffset from, std::size_t max_bytes,
                                               Milliseconds wait) {
  return read(from, ReadOptions{.max_bytes = max_bytes, .wait = wait});
}

namespace {

/// Asks for a page of the log.
std::expected<client::Delivered, CallError> read_page(Client::State& client, LogId log,
                                                      EntryOffset from, const ReadOptions& o) {
  const auto most =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(o.max_bytes, 1, page_size_max));
  return client.ask<client::Delivered>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.read(now, t, log, Offset{from}, most, bounded(o.wait),
           client.deadline(now, o.timeout) + bounded(o.wait),
           {NodeId{o.replica}, o.report_damage, o.frames});
  });
}

}  // namespace

std::expected<ReadResult, CallError> Log::read(EntryOffset from, const ReadOptions& o) {
  const auto d = read_page(*state_->client, state_->id, from, o);
  if (!d) return std::unexpected(d.error());
  ReadResult out{{}, d->next.value, {}};
  if (o.frames) {
    out.frames.reserve(d->next.value - from);
    for (const Bytes& frame : d->frames) out.frames += frame.text();
    return out;
  }
  out.entries.reserve(d->entries.size());
  for (const client::Entry& e : d->entries) out.entries.push_back(to_entry(e));
  return out;
}

std::expected<EntryViews, CallError> Log::read_views(EntryOffset from, const ReadOptions& o) {
  auto d = read_page(*state_->client, state_->id, from, o);
  if (!d) return std::unexpected(d.error());
  if (o.frames) d->entries.clear();
  return to_views(std::move(*d));
}

std::expected<TailPosition, CallError> Log::tail(std::optional<Milliseconds> timeout) {
  auto& s = *state_->client;
  auto t = s.ask<client::Tail>([&](client::ClientMachine& m, Time now, client::Token token) {
    m.tail(now, token, state_->id, s.deadline(now, timeout));
  });
  if (!t) return std::unexpected(t.error());
  return TailPosition{t->first.value, t->committed.value, t->term.value};
}

std::expected<FencePosition, CallError> Log::fence(std::uint64_t token,
                                                   std::optional<Milliseconds> timeout) {
  auto& s = *state_->client;
  auto f = s.ask<client::Fence>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.set_fence(now, t, state_->id, FenceToken{token}, s.deadline(now, timeout));
  });
  if (!f) return std::unexpected(f.error());
  return FencePosition{f->token.value, f->end.value};
}

std::expected<EntryOffset, CallError> Log::offset_at(std::chrono::system_clock::time_point time) {
  auto& s = *state_->client;
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::uint64_t wall_ms = ms > 0 ? static_cast<std::uint64_t>(ms) : 0;
  auto found = s.ask<client::PointInTime>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.offset_at(now, t, state_->id, wall_ms, s.deadline(now));
  });
  if (!found) return std::unexpected(found.error());
  return found->offset.value;
}

std::expected<EntryOffset, CallError> Log::offset_of(const LogPosition& kept) const {
  if (kept.log == state_->details.id) return kept.offset;
  return std::unexpected(
      to_call_error(Error{Errc::wrong_log, kept.text() + " is of log " + std::to_string(kept.log) +
                                               ", " + state_->details.name + " is log " +
                                               std::to_string(state_->details.id)}));
}

std::expected<EntryOffset, CallError> Log::begin() {
  // Enough bytes for the log's own frames before the first entry, because each page costs a round
  // trip.
  const auto page = read(0, 4096);
  if (page) return 0;
  if (page.error().code == Errc::trimmed) return page.error().begins_at;
  return std::unexpected(page.error());
}

std::expected<EntryOffset, CallError> Log::end() {
  auto t = tail();
  if (!t) return std::unexpected(t.error());
  return t->committed;
}

namespace {

/// The start of the last segment or term of the log that lies at or below `highest`.
std::expected<EntryOffset, CallError> start_below(Client::State& client, LogId log,
                                                  EntryOffset highest) {
  auto begins =
      client.ask<client::PointInTime>([&](client::ClientMachine& m, Time now, client::Token t) {
        m.segment_of(now, t, log, Offset{highest}, client.deadline(now));
      });
  if (!begins) return std::unexpected(begins.error());
  return begins->offset.value;
}

}  // namespace

std::expected<std::optional<Entry>, CallError> Log::last() {
  const auto tail_now = tail();
  if (!tail_now) return std::unexpected(tail_now.error());
  // A replica that lags behind the tail is waited for in steps, because a single long wait would
  // last until an entry comes, and the leader's own frames may be all that is missing.
  const auto until = AppendBudget::Clock::now() + bounded(state_->client->options.timeout);
  constexpr std::chrono::milliseconds step{100};
  std::chrono::milliseconds wait{0};
  // Frames have no link to the frame before them, so each round reads forward from a known start.
  for (EntryOffset end = tail_now->committed; end > tail_now->first;) {
    const auto begin = start_below(*state_->client, state_->id, end - 1);
    if (!begin) return std::unexpected(begin.error());
    std::optional<Entry> last;
    for (EntryOffset at = std::max(*begin, tail_now->first); at < end;) {
      auto page = read(at, {.max_bytes = page_size_max, .wait = wait});
      if (!page) return std::unexpected(page.error());
      if (page->next == at) {
        if (AppendBudget::Clock::now() >= until)
          return std::unexpected(to_call_error(Error{
              Errc::not_here, "offset " + std::to_string(at) + " of " + std::to_string(end)}));
        wait = step;
        continue;
      }
      for (Entry& e : page->entries)
        if (e.offset < end) last = std::move(e);
      at = page->next;
    }
    if (last) return last;
    end = *begin;
  }
  return std::nullopt;
}

std::expected<EntryOffset, CallError> Log::trim(EntryOffset offset) {
  // No reader could begin at a trim point where no entry begins, so a replica must show an entry
  // there first (R3). Below the log's begin the trim changes nothing.
  if (auto there = read(offset, 1); !there && there.error().code != Errc::trimmed)
    return std::unexpected(there.error());
  return state_->client->trim(state_->id, Offset{offset});
}

std::expected<EntryOffset, CallError> Log::trim_to_size(std::uint64_t keep_bytes) {
  const auto tail_now = tail();
  if (!tail_now) return std::unexpected(tail_now.error());
  if (tail_now->committed - tail_now->first <= keep_bytes) return tail_now->first;
  const auto begins = start_below(*state_->client, state_->id, tail_now->committed - keep_bytes);
  if (!begins) return std::unexpected(begins.error());
  return state_->client->trim(state_->id, Offset{*begins});
}

std::expected<EntryOffset, CallError> Log::trim_before(std::chrono::system_clock::time_point time) {
  const auto offset = offset_at(time);
  if (!offset) return std::unexpected(offset.error());
  return state_->client->trim(state_->id, Offset{*offset});
}

std::expected<void, CallError> Log::delete_log() {
  auto& s = *state_->client;
  auto d = s.ask<client::Succeeded>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.delete_log(now, t, state_->id, s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return {};
}

std::expected<LogDetails, CallError> Log::set_retention(std::uint64_t bytes, Milliseconds age) {
  auto& s = *state_->client;
  auto d = s.ask<client::LogDescription>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.set_retention(now, t, state_->id, to_retention(bytes, age), s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return to_details(d->info);
}

}  // namespace loglog
