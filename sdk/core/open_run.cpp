// There is no timer: the open run fills while earlier runs are uploaded, and is cut when they have
// arrived, or earlier if it is large enough.
#include "sdk/core/open_run.h"

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/check.h"

namespace loglog::client {
namespace {
/// Whether the next entry must not join this run. All entries of a run are committed under the same
/// conditions. An entry that expects an offset is a run of its own, so that no other entry shares
/// its fate (F1).
bool keeps_apart(const Run& run, const AppendConditions& of_next) {
  if (run.entries.empty()) return false;
  const AppendConditions& c = run.conditions;
  return c.expected != no_offset || of_next.expected != no_offset || c.fence != of_next.fence;
}
}  // namespace

/// Size of a full run, bytes: half of the bytes in flight, so that a run is uploaded while the
/// nodes write the previous run. Below run_size_min the cost of a run outweighs that gain.
std::uint32_t OpenRun::target(std::uint64_t in_flight) const {
  return std::min(
      std::max(static_cast<std::uint32_t>(std::min<std::uint64_t>(in_flight / 2, run_size_max)),
               options_.run_size_min),
      options_.run_size_target);
}

bool OpenRun::takes(std::size_t payload_size, const AppendConditions& conditions,
                    std::uint64_t in_flight) const {
  return builder_.fits(static_cast<std::uint32_t>(payload_size) + frame_overhead,
                       target(in_flight)) &&
         !keeps_apart(run_, conditions);
}

void OpenRun::add(Time now, Token token, FrameKind kind, ByteSpan payload, Time deadline,
                  const AppendConditions& conditions) {
  run_.since = std::min(run_.since, now);
  run_.conditions = conditions;
  add(run_, builder_, {token, next_, deadline, 0, 0}, kind, payload);
  next_ = next_ + 1;
}

void OpenRun::add(Run& to, RunBuilder& builder, RunEntry entry, FrameKind kind, ByteSpan payload) {
  entry.at = builder.add(entry.sequence, kind, payload);
  entry.length = static_cast<std::uint32_t>(payload.size()) + frame_overhead;
  to.next_deadline = std::min(to.next_deadline, entry.deadline);
  to.entries.push_back(entry);
}

bool OpenRun::is_due(std::int64_t uploading) const {
  return uploading == 0 || (uploading < options_.uploads_in_flight_max &&
                            builder_.size() >= options_.run_size_min / 2);
}

void OpenRun::cut(Run& run, RunBuilder& builder, RunList& to) {
  if (builder.empty()) return;
  auto built = builder.take();
  run.reference = built.reference;
  run.frames = std::move(built.frames);
  to.push_back(std::move(run));
  run = Run{};
}

std::uint64_t OpenRun::drop() {
  const std::uint64_t bytes = builder_.size();
  run_ = Run{};
  builder_ = RunBuilder(producer_);
  return bytes;
}

/// None of the entries has been in a Commit since the last resolution. They get new sequence
/// numbers, because a node may hold staged runs under the old numbers with other bytes (D3). The
/// old numbers are never used again (A6).
OpenRun::Rebuilt OpenRun::rebuild(const RunList& old) {
  check(empty(), "the open run is cut before older runs are built anew");
  next_ = rules::number_for_rebuilt(next_, old.front().reference.first);
  Rebuilt result;
  Run fresh;
  RunBuilder builder(producer_);
  for (const Run& r : old) {
    for (RunEntry e : r.entries) {
      if (!e.live) {
        result.dropped += e.length;
        continue;
      }
      check(!r.was_committed(), "a committed entry keeps its sequence number");
      const ByteSpan payload =
          r.frames.span().subspan(e.at + frame_prefix_size, e.length - frame_overhead);
      const auto prefix = read_prefix(r.frames.data() + e.at);
      check(prefix.has_value(), "a run holds frame images");
      if (!builder.fits(e.length, options_.run_size_target) || keeps_apart(fresh, r.conditions))
        cut(fresh, builder, result.runs);
      fresh.since = std::min(fresh.since, r.since);
      fresh.conditions = r.conditions;
      e.sequence = next_;
      next_ = next_ + 1;
      add(fresh, builder, e, prefix->kind, payload);
    }
  }
  cut(fresh, builder, result.runs);
  return result;
}

}  // namespace loglog::client
