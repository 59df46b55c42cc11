#include "tests/simulator/checkers.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/segment.h"

namespace loglog::simulator {
namespace {

std::string short_form(const std::string& payload) { return payload.substr(0, payload.find('#')); }

// The frames' bytes of one replica, from its first offset on, as far as its files are contiguous.
struct ReplicaBytes {
  Offset first{};
  std::vector<std::byte> bytes;
  std::vector<Offset> files;
};

std::optional<ReplicaBytes> bytes_of(const SimulatedDisk::Log& log, LogId id) {
  if (log.segments.empty()) return std::nullopt;
  ReplicaBytes out;
  out.first = log.segments.begin()->first;
  Offset at = out.first;
  for (const auto& [first, file] : log.segments) {
    if (first != at) break;  // a gap: the rest is not comparable
    out.files.push_back(first);
    ByteSpan rest = ByteSpan(file.seen).subspan(segment_header_size);
    for (;;) {
      const FrameView v = look_at_frame(rest, id, at, true);
      if (v.state != FrameState::good) break;
      const std::uint32_t n = v.prefix.frame_length();
      out.bytes.insert(out.bytes.end(), rest.begin(), rest.begin() + n);
      rest = rest.subspan(n);
      at += n;
    }
  }
  return out;
}

}  // namespace

Checkers::Checkers(World& world) : world_(world) {
  world_.network.tap = [this](const Process& from, const Process&, const Message& m) {
    if (const auto* seal = std::get_if<Seal>(&m)) {
      const auto [at, fresh] = leader_of_.try_emplace({LogId{}, seal->term}, seal->instance);
      if (!fresh && at->second != seal->instance)
        violated("one leader per term",
                 fmt::format("term {} was sealed by two instances, the second at {}", seal->term.value, from.name()));
    }
  };
}

void Checkers::violated(const std::string& checker, const std::string& what) { world_.stop_at_violation(checker + ": " + what); }

void Checkers::append_started(LogId log, const std::string& payload) { logs_[log].started.insert(payload); }

void Checkers::append_ended(LogId log, const std::string& payload, const client::Completion& result) {
  PerLog& l = logs_[log];
  if (const auto* ok = std::get_if<client::Appended>(&result)) {
    ++acknowledged_;
    l.acknowledged[payload] = ok->offset;
    l.floor = std::max(l.floor, ok->offset + payload.size() + frame_overhead);
  } else if (const auto* no = std::get_if<client::Failure>(&result)) {
    if (no->error.code == Errc::outcome_unknown) ++unknown_;
    else {
      ++failed_;
      l.failed.insert(payload);
    }
  }
}

void Checkers::entry_read(LogId log, const client::Entry& e) {
  ++read_;
  PerLog& l = logs_[log];
  const std::string payload{e.payload.text()};
  if (!l.started.contains(payload))
    return violated("readers see only what was appended", fmt::format("offset {} holds bytes that nobody appended", e.offset.value));
  if (l.failed.contains(payload))
    return violated("failed is never visible", fmt::format("{} failed, yet stands at {}", short_form(payload), e.offset.value));
  const Seen seen{std::hash<std::string>{}(payload), e.next, e.producer, e.sequence};
  const auto [at, fresh] = l.seen.try_emplace(e.offset, seen);
  if (!fresh && (at->second.hash != seen.hash || at->second.next != seen.next))
    violated("readers agree", fmt::format("offset {} was read with two contents", e.offset.value));
}

Offset Checkers::tail_floor(LogId log) const {
  const auto l = logs_.find(log);
  return l == logs_.end() ? Offset{} : l->second.floor;
}

void Checkers::tail_answered(LogId log, Offset floor, Offset committed) {
  if (committed < floor)
    return violated("tail is linearizable", fmt::format("tail {} below {}, which was known before the call", committed.value, floor.value));
  PerLog& l = logs_[log];
  l.floor = std::max(l.floor, committed);
}

void Checkers::log_fully_read(LogId log, const std::vector<client::Entry>& entries, Offset first) {
  PerLog& l = logs_[log];
  std::map<std::string, Offset> found;
  std::map<ProducerId, Sequence> last;
  for (const auto& e : entries) {
    const std::string payload{e.payload.text()};
    if (const auto [at, fresh] = found.try_emplace(payload, e.offset); !fresh)
      violated("no entry twice", fmt::format("{} stands at {} and at {}", short_form(payload), at->second.value, e.offset.value));
    Sequence& before = last[e.producer];
    if (e.sequence <= before)
      violated("producer order", fmt::format("producer {:x}: sequence {} after {}", e.producer.value, e.sequence.value, before.value));
    before = e.sequence;
    if (l.failed.contains(payload))
      violated("failed is never visible", fmt::format("{} failed, yet stands at {}", short_form(payload), e.offset.value));
  }
  for (const auto& [payload, offset] : l.acknowledged) {
    if (offset < first) continue;  // trimmed
    const auto at = found.find(payload);
    if (at == found.end())
      violated("acknowledged is never lost", fmt::format("{} was acknowledged at {} and is gone", short_form(payload), offset.value));
    else if (at->second != offset)
      violated("acknowledged is never moved",
               fmt::format("{} was acknowledged at {} and stands at {}", short_form(payload), offset.value, at->second.value));
  }
}

void Checkers::compare_replicas(LogId log, Offset committed) {
  std::optional<ReplicaBytes> base;
  std::string base_name;
  for (const auto& node : world_.storage) {
    const auto& logs = node->disk.content();
    const auto l = logs.find(log);
    if (l == logs.end()) continue;
    auto mine = bytes_of(l->second, log);
    if (!mine || mine->first + mine->bytes.size() < committed) {
      violated("replicas are identical", fmt::format("{} ends at {}, committed is {}", node->name(),
                                                     mine ? (mine->first + mine->bytes.size()).value : 0, committed.value));
      continue;
    }
    if (!base) {
      base = std::move(mine);
      base_name = node->name();
      continue;
    }
    const Offset from = std::max(base->first, mine->first);
    if (from < committed &&
        std::memcmp(base->bytes.data() + (from - base->first), mine->bytes.data() + (from - mine->first), committed - from) != 0)
      violated("replicas are identical", fmt::format("{} and {} differ below {}", base_name, node->name(), committed.value));
    const auto below = [&](const std::vector<Offset>& v) {
      std::vector<Offset> out;
      std::copy_if(v.begin(), v.end(), std::back_inserter(out), [&](Offset o) { return o >= from && o < committed; });
      return out;
    };
    if (below(base->files) != below(mine->files))
      violated("replicas are identical", fmt::format("{} and {} have other segment files", base_name, node->name()));
  }
}

}  // namespace loglog::simulator
