// Runs coming in from clients, and bytes going out to peers.
#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/rules.h"
#include "storage-node/core/log_replica.h"

namespace loglog::storage {
namespace {
constexpr std::size_t observers_max = 1u << 16;
/// Between two reports of damage in one log that are looked at. A look reads up to one file. A
/// reader that still meets the damage reports it again.
constexpr Duration report_pause = 1s;
}  // namespace

void LogReplica::refuse_upload(ConnectionId from, RequestId request, const Reference& run, Errc e) {
  state.node.send(
      from, request,
      Busy{state.id, run.producer, run.first, e, state.node.options.busy_retry_after_ms});
}

void LogReplica::accept_upload(ConnectionId from, RequestId request, const Reference& run) {
  state.node.send(from, request,
                  Uploaded{state.id, run.producer, run.first, state.told_committed()});
}

void LogReplica::upload(ConnectionId from, RequestId request, const Upload& m) {
  if (state.lost()) return refuse_upload(from, request, m.run, Errc::data_loss);
  const auto checked = check_images(m.frames, state.node.options.verify_uploads);
  if (!checked) return refuse_upload(from, request, m.run, checked.error().code);
  if (*checked != m.run && !removed(Rule::D3))
    return refuse_upload(from, request, m.run, Errc::digest_mismatch);  // D3
  if (const StagedRun* staged = state.node.staging.find(state.id, m.run.producer, m.run.first)) {
    if (staged->run != m.run && !removed(Rule::D3))
      return refuse_upload(from, request, m.run, Errc::digest_mismatch);
    return accept_upload(from, request, m.run);
  }
  const bool wanted = orders_.misses(m.run);
  if (const auto d = durable_through_.find(m.run.producer);
      !wanted && d != durable_through_.end() && m.run.first <= d->second)
    return accept_upload(from, request, m.run);  // written already: never staged again
  if (wanted) {
    if (!orders_.offer(m.run, m.frames))
      return refuse_upload(from, request, m.run, Errc::digest_mismatch);
    state.node.figures.uploaded(m.run);
    accept_upload(from, request, m.run);
    return pump();
  }
  if (state.no_space != Errc::ok) return refuse_upload(from, request, m.run, state.no_space);
  const Errc e = state.node.staging.add(
      state.node.now, state.id, m.run, m.frames,
      state.is_matched() ? Staging::Claim::upload : Staging::Claim::upload_unmatched);
  if (e != Errc::ok) return refuse_upload(from, request, m.run, e);
  state.node.figures.uploaded(m.run);
  accept_upload(from, request, m.run);
}

void LogReplica::copy(ConnectionId from, RequestId request, const Copy& m) {
  // S5: only a peer matched in the term gives bytes.
  if ((!state.is_matched() || state.matched != m.term) && !removed(Rule::S5_matched))
    return state.node.fail_request(from, request, Errc::not_matched);
  if (state.segments.empty() || m.offset < state.segments.front())
    return state.node.fail_request(from, request, Errc::trimmed);
  auto answer = [this, from, request, at = m.offset](Errc e, Bytes b) {
    if (e != Errc::ok) repair_.check_hole(at);  // the peer may have nobody else to copy from
    give(from, request, e, Copied{state.id, at, std::move(b)});
  };
  if (m.max_bytes ==
      0) {  // the header of the file that begins there: a re-based log needs its chain
    if (m.offset > state.durable.end || state.segments.holding(m.offset) != m.offset)
      return state.node.fail_request(from, request, Errc::not_here);
    if (!state.node.giving.begin(from, request, segment_header_size))
      return state.node.fail_request(from, request, Errc::too_many);
    state.node.disk(ReadSegment{state.id, m.offset, 0, segment_header_size},
                    [answer](DiskDone&& d) { answer(d.error, std::move(d.data)); });
    return;
  }
  const Offset end =
      std::min({m.until, state.durable.end, state.segments.end_of(m.offset, state.durable.end)});
  if (m.offset >= end) return state.node.fail_request(from, request, Errc::not_here);
  const auto bytes = std::min<std::uint64_t>({end - m.offset, m.max_bytes, page_size_max});
  if (!state.node.giving.begin(from, request, bytes))
    return state.node.fail_request(from, request, Errc::too_many);
  reader.fetch(m.offset, bytes, false, answer);
}

/// The end of a question that giving.begin() took. Its peer may have given it up while the bytes
/// were read.
template <class M>
void LogReplica::give(ConnectionId from, RequestId request, Errc e, M&& bytes) {
  if (e != Errc::ok) {
    state.node.giving.refused(from, request);
    return state.node.fail_request(from, request, e);
  }
  if (state.node.giving.may_send(from, request, bytes.frames.size()))
    return state.node.send(from, request, std::forward<M>(bytes));
  state.node.fail_request(from, request, Errc::cancelled);
}

void LogReplica::fetch_run(ConnectionId from, RequestId request, const FetchRun& m) {
  if (const StagedRun* staged = state.node.staging.find(state.id, m.run.producer, m.run.first)) {
    if (staged->run != m.run) return state.node.fail_request(from, request, Errc::digest_mismatch);
    if (!state.node.giving.begin(from, request, m.run.length))
      return state.node.fail_request(from, request, Errc::too_many);
    // A copy: this buffer may be stamped before the answer has left.
    return give(from, request, Errc::ok, RunIs{state.id, m.run, unstamped_copy(staged->frames)});
  }
  const bool here = state.is_matched() && state.matched == m.term && !state.segments.empty() &&
                    m.offset >= state.segments.front() && m.run.length > 0 &&
                    m.run.length <= run_size_max && m.offset + m.run.length <= state.durable.end;
  if (!here) return state.node.fail_request(from, request, Errc::not_here);
  if (!state.node.giving.begin(from, request, m.run.length))
    return state.node.fail_request(from, request, Errc::too_many);
  reader.fetch(m.offset, m.run.length, true,
               [this, from, request, run = m.run](Errc e, const Bytes& b) {
                 Bytes images = e == Errc::ok ? unstamped_copy(b) : Bytes{};
                 const auto checked = check_images(images, true);
                 const bool right = checked && *checked == run;
                 give(from, request, right ? Errc::ok : Errc::not_here,
                      RunIs{state.id, run, std::move(images)});
               });
}

/// One that finds no place is told by the leader alone.
std::optional<ConnectionId> LogReplica::observe(ConnectionId from, const Observe& m) {
  if (observers_.size() >= observers_max && !observers_.contains(m.producer)) return from;
  const auto [o, added] = observers_.try_emplace(m.producer, from);
  return added ? std::nullopt : std::optional(std::exchange(o->second, from));
}

std::size_t LogReplica::observed_by(ConnectionId c) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(observers_, [c](const auto& o) { return o.second == c; }));
}

void LogReplica::forget(ConnectionId c) {
  reader.forget(c);
  std::erase_if(observers_, [c](const auto& o) { return o.second == c; });
}

void LogReplica::report_corrupt(const ReportCorrupt& m) {
  ++state.node.figures.reports;
  if (state.node.now < next_report_) return;
  next_report_ = state.node.now + report_pause;
  state.node.event(Event::Level::info,
                   fmt::format("log {}: a reader says that {} bytes at offset {} are bad; checking",
                               state.id.value, m.length, m.offset.value));
  repair_.check_range(m.offset, m.length);
}

}  // namespace loglog::storage
