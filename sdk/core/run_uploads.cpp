// A run's uploads go to all replicas alike. They end with the run's fate, or later if the run is
// committed and a slow replica still takes its bytes.
#include "sdk/core/run_uploads.h"

#include <algorithm>
#include <limits>

namespace loglog::client {

/// The log's write quorum W. While the log is unknown, a number that no run can reach.
std::size_t RunUploads::write_quorum() const {
  const LogInfo* info = view_.log(log_);
  return info == nullptr ? std::numeric_limits<std::size_t>::max()
                         : std::max<std::size_t>(1, info->options.write_quorum);
}

bool RunUploads::is_uploaded(const Run& run) const {
  return run.uploads.has_begun() && run.uploads.taken() >= write_quorum();
}

bool RunUploads::goes_ahead(const Run& run) const {
  return options_.eager_commit && uploads_are_fast_ && run.uploads.has_begun() &&
         run.frames.size() <= options_.eager_run_max &&
         run.uploads.taken_or_sent() >= write_quorum();
}

std::int64_t RunUploads::uploading(const RunList& runs) const {
  return std::count_if(runs.begin(), runs.end(), [this](const Run& r) { return !is_uploaded(r); });
}

/// Updates uploads_are_fast_ after an answer; `taken`: the replica staged the run. If a run cannot
/// reach its write quorum at once, the next run is committed only after its uploads (V1).
void RunUploads::judge(Time now, const Run& run, bool taken) {
  if (!taken && run.uploads.taken_or_sent() < write_quorum()) uploads_are_fast_ = false;
  if (taken && run.uploads.taken() == write_quorum())
    uploads_are_fast_ = now - run.uploads.since() <= options_.eager_upload_max;
}

ConnectionId RunUploads::due(Time now, const ReplicaUploads::Target& t) {
  const ConnectionId c = view_.node(now, t.node);
  const bool wanted = t.state == ReplicaUploads::State::wanted && t.not_before <= now;
  return wanted ? c : ConnectionId{};
}

Upload RunUploads::send(Time now, Run& run, ReplicaUploads::Target& t, ConnectionId c) {
  run.uploads.sent(t, c, now);
  ++view_.figures().uploads;
  // V2: Observe must precede the first upload on a connection, or the node could make the run
  // durable before it knows whom to tell.
  if (options_.observed_commit && observing_.insert(c).second)
    view_.tell(c, RequestId{0}, Observe{log_, producer_});
  return Upload{log_, run.reference, run.frames};
}

Run* RunUploads::find_lagging(Sequence first) {
  const auto run = std::find_if(lagging_.begin(), lagging_.end(),
                                [first](const Run& r) { return r.reference.first == first; });
  return run == lagging_.end() ? nullptr : &*run;
}

std::uint64_t RunUploads::answered(Time now, Sequence first, Run* unsettled, NodeId node,
                                   ConnectionId c, const Message* m) {
  Run* const run = unsettled != nullptr ? unsettled : find_lagging(first);
  auto* const t = run == nullptr ? nullptr : run->uploads.find(node);
  // A run that was begun anew since has other uploads under way; this answer is of an older upload.
  if (t == nullptr || t->state != ReplicaUploads::State::sent || t->on != c) return 0;
  const bool taken = m != nullptr && std::holds_alternative<Uploaded>(*m);
  t->state = taken ? ReplicaUploads::State::taken : ReplicaUploads::State::wanted;
  if (const auto* busy = m ? std::get_if<Busy>(m) : nullptr) {
    t->not_before =
        now + std::chrono::milliseconds(std::clamp<std::uint32_t>(busy->retry_after_ms, 1, 1000));
    t->refusal = busy->error;
    ++view_.figures().uploads_refused;
    view_.slow(now, node, log_, Error{busy->error, {}});
  } else if (!taken) t->not_before = now + refusal_pause;
  if (!taken) observing_.erase(c);  // the node may not have known the log when Observe came
  judge(now, *run, taken);
  if (unsettled != nullptr) return 0;
  run->uploads.drop_unsent();
  if (run->uploads.pending()) return 0;
  const std::uint64_t bytes = run->frames.size();
  lagging_.remove_if([run](const Run& r) { return &r == run; });
  return bytes;
}

bool RunUploads::keep(Time now, RunList& runs, RunList::iterator run) {
  run->uploads.drop_unsent();
  if (!run->uploads.pending()) return false;
  run->keep_until = now + std::max(options_.upload_grace, 4 * view_.longest_round_trip());
  lagging_.splice(lagging_.end(), runs, run);
  return true;
}

/// Slow replicas hold this client's memory (spec/05 "Limits and backpressure"). Closing the
/// connection drops its queue; the replica catches up from its peers.
RunUploads::GivenUp RunUploads::give_up(Time now) {
  GivenUp result;
  for (auto i = lagging_.begin(); i != lagging_.end();) {
    if (i->keep_until > now) {
      ++i;
      continue;
    }
    for (const auto& t : i->uploads.targets())
      if (t.state == ReplicaUploads::State::sent) result.slow.insert(t.on);
    result.bytes += i->frames.size();
    i = lagging_.erase(i);
  }
  for (const ConnectionId c : result.slow) observing_.erase(c);
  return result;
}

Time RunUploads::wake() const {
  Time t = never;
  for (const Run& r : lagging_) t = std::min(t, r.keep_until);
  return t;
}

}  // namespace loglog::client
