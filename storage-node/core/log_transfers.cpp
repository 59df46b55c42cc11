// LogReplica's side of uploads from clients (spec/05 step 3) and of questions from peers (Copy,
// FetchRun). Each question that Giving has counted must end in give() or in a refusal.
#include <algorithm>
#include <utility>

#include "storage-node/core/log_replica.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// Limit on the producers of a log that are observed (V2).
constexpr std::size_t observers_max = 1u << 16;
/// Time between two looks at reported damage in a log. A look reads up to a whole file, and a
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

/// The checks go from cheap and final to those that need memory. A run that is here already is
/// accepted again, because the client may not have seen the first answer.
void LogReplica::upload(ConnectionId from, RequestId request, const Upload& m) {
  if (state.lost()) return refuse_upload(from, request, m.run, Errc::data_loss);
  const auto checked = check_images(m.frames, state.node.options.verify_uploads);
  if (!checked) return refuse_upload(from, request, m.run, checked.error().code);
  // D3: the reference is computed from the bytes and compared with the reference that the client
  // names.
  if (!rules::is_same_run(*checked, m.run))
    return refuse_upload(from, request, m.run, Errc::digest_mismatch);
  if (const StagedRun* staged = state.node.staging.find(state.id, m.run.producer, m.run.first)) {
    if (!rules::is_same_run(staged->run, m.run))
      return refuse_upload(from, request, m.run, Errc::digest_mismatch);
    return accept_upload(from, request, m.run);
  }
  const bool wanted = orders_.misses(m.run);
  if (const auto d = durable_through_.find(m.run.producer);
      !wanted && d != durable_through_.end() && m.run.first <= d->second)
    // The run is durable already and must not be staged again.
    return accept_upload(from, request, m.run);
  // The run is ordered and missing: it is taken beyond all limits (D6), and the queue may go on.
  if (wanted) {
    if (!orders_.offer(m.run, m.frames))
      return refuse_upload(from, request, m.run, Errc::digest_mismatch);
    state.node.figures.uploaded(m.run);
    accept_upload(from, request, m.run);
    return pump();
  }
  // K5: no new run is accepted that the disk could not take. Runs that are ordered already wait for
  // space.
  if (state.store.no_space() != Errc::ok)
    return refuse_upload(from, request, m.run, state.store.no_space());
  const Errc e = state.node.staging.add(
      state.node.now, state.id, m.run, m.frames,
      state.is_matched() ? Staging::Claim::upload : Staging::Claim::upload_unmatched);
  if (e != Errc::ok) return refuse_upload(from, request, m.run, e);
  state.node.figures.uploaded(m.run);
  accept_upload(from, request, m.run);
}

/// S5: the checks come before Giving counts the question, so that a refusal need not end in give().
void LogReplica::copy(ConnectionId from, RequestId request, const Copy& m) {
  if (!rules::may_copy_from(state.is_matched(), state.matched, m.term))
    return state.node.fail_request(from, request, Errc::not_matched);
  if (state.store.empty() || m.offset < state.store.first_kept())
    return state.node.fail_request(from, request, Errc::trimmed);
  auto answer = [this, from, request, at = m.offset](Errc e, Bytes b) {
    // K4: a bad read may be a hole, and the asking peer may have nobody else to copy from.
    if (e != Errc::ok) repair_.check_hole(at);
    give(from, request, e, Copied{state.id, at, std::move(b)});
  };
  // A Copy of 0 bytes asks for the header of the file that begins at the offset: a re-based log
  // begins with the chain in it (decision 0002).
  if (m.max_bytes == 0) {
    if (m.offset > state.durable.end || state.store.segment_of(m.offset) != m.offset)
      return state.node.fail_request(from, request, Errc::not_here);
    if (!state.node.giving.begin(from, request, segment_header_size))
      return state.node.fail_request(from, request, Errc::too_many);
    state.store.read_header(m.offset,
                            [answer](DiskDone&& d) { answer(d.error, std::move(d.data)); });
    return;
  }
  const Offset end =
      std::min({m.until, state.durable.end, state.store.segment_end(m.offset, state.durable.end)});
  if (m.offset >= end) return state.node.fail_request(from, request, Errc::not_here);
  const auto bytes = std::min<std::uint64_t>({end - m.offset, m.max_bytes, page_size_max});
  if (!state.node.giving.begin(from, request, bytes))
    return state.node.fail_request(from, request, Errc::too_many);
  reader.fetch(m.offset, bytes, false, answer);
}

/// The end of a question that giving.begin() has counted. The peer may have given it up while the
/// bytes were read; it is answered without bytes then (P2).
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

/// A run may be staged or already part of the log. Either way the peer checks it against the
/// reference (D3).
void LogReplica::fetch_run(ConnectionId from, RequestId request, const FetchRun& m) {
  if (const StagedRun* staged = state.node.staging.find(state.id, m.run.producer, m.run.first)) {
    if (staged->run != m.run) return state.node.fail_request(from, request, Errc::digest_mismatch);
    if (!state.node.giving.begin(from, request, m.run.length))
      return state.node.fail_request(from, request, Errc::too_many);
    // A copy, because the staged buffer may be stamped before this answer has left.
    return give(from, request, Errc::ok, RunIs{state.id, m.run, unstamped_copy(staged->frames)});
  }
  const bool here = state.is_matched() && state.matched == m.term && !state.store.empty() &&
                    m.offset >= state.store.first_kept() && m.run.length > 0 &&
                    m.run.length <= run_size_max && m.offset + m.run.length <= state.durable.end;
  if (!here) return state.node.fail_request(from, request, Errc::not_here);
  if (!state.node.giving.begin(from, request, m.run.length))
    return state.node.fail_request(from, request, Errc::too_many);
  reader.fetch(m.offset, m.run.length, true,
               [this, from, request, run = m.run](Errc e, const Bytes& b) {
                 Bytes images = e == Errc::ok ? unstamped_copy(b) : Bytes{};
                 // The range may hold other frames if an earlier leader ordered the run elsewhere.
                 const auto checked = check_images(images, true);
                 const bool right = checked && *checked == run;
                 give(from, request, right ? Errc::ok : Errc::not_here,
                      RunIs{state.id, run, std::move(images)});
               });
}

/// V2: a producer that finds no place is told of its commits by the leader alone.
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
