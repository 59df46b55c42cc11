// The table's start, which reads all folders of logs, then its changes: a log is added, dropped and
// freed.
#include "storage-node/core/log_table.h"

#include <algorithm>
#include <unordered_map>

#include "proto-spec/wire/field_codec.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {

bool all_zero(ByteSpan b) {
  return std::all_of(b.begin(), b.end(), [](std::byte x) { return x == std::byte{0}; });
}

}  // namespace

Result<void> LogTable::start(StartupDisk& disk) {
  if (auto found = find_tombstones(disk); !found) return found;
  const auto ids = not_absent(disk.logs());
  if (!ids) return std::unexpected(ids.error());
  std::unordered_map<LogId, const LogInfo*> known;
  for (const LogInfo& l : node_.metadata.logs) known[l.id] = &l;
  for (const LogId id : *ids) {
    if (tombstones_.names(id)) {
      // The process ended between tombstone and removal.
      node_.disk(DropLog{id}, {});
      continue;
    }
    const auto l = known.find(id);
    if (auto found = find_log(disk, id, l == known.end() ? nullptr : l->second); !found)
      return found;
  }
  return {};
}

/// A tombstone only prevents that a dropped log is made again by a late Join (T5).
Result<void> LogTable::find_tombstones(StartupDisk& disk) {
  const auto saved = not_absent(disk.file("tombstones"));
  if (!saved) return std::unexpected(saved.error());
  auto t = decode_tombstones(*saved);
  if (t && rules::keeps_tombstones()) tombstones_.found(std::move(*t));
  // The file is longer than zeros only once a slot was written, and each write leaves the other
  // slot.
  if (!t && !all_zero(*saved))
    node_.event(
        Event::Level::alarm,
        "the list of dropped logs (tombstones) is unreadable in both slots: a late Join could "
        "make a deleted log anew (T5); find out what damaged the disk");
  return {};
}

/// Opens a log that has a folder. The metadata describes it if it names the log,
/// otherwise the log's own `info` does.
Result<void> LogTable::find_log(StartupDisk& disk, LogId id, const LogInfo* in_metadata) {
  const auto files = not_absent(disk.files_of(id));
  if (!files) return std::unexpected(files.error());
  const auto segments = not_absent(disk.segments_of(id));
  if (!segments) return std::unexpected(segments.error());
  LogInfo info;
  const bool described = !files->info.empty() &&
                         decode_record(files->info, node_.options.record_version_highest, info);
  // Join makes the folder before it answers, so nobody relies on this log.
  if (!described && segments->empty()) return {};
  auto log = std::make_unique<LogReplica>(node_, node_promise_, id);
  LogCore& s = log->state;
  s.made = true;
  // T4: a promise file of the log that has content must be readable. All zeros means that no
  // promise was made.
  const auto own = decode_promise(files->promise);
  if (own) s.own_promise.found(*own);
  const bool has_content =
      files->promise.size() < promise_file_size ? !segments->empty() : !all_zero(files->promise);
  if (rules::is_promise_lost(!own && has_content)) {
    s.data_loss = true;
    node_.event(Event::Level::alarm,
                fmt::format("DATA LOSS: the promise of log {} cannot be read (T4)", id.value));
  }
  auto recovered = recover_log(disk, id, *segments);
  if (!recovered) return std::unexpected(recovered.error());
  log->recovered(std::move(*recovered));
  info.id = id;
  log->described(in_metadata != nullptr ? *in_metadata : info, RaftIndex{});
  logs_[id] = std::move(log);
  return {};
}

/// T5: an id stands for the same log for ever.
bool LogTable::is_another_log(const LogInfo& named) const {
  const LogReplica* l = live(named.id);
  if (l == nullptr) return false;
  const LogInfo& here = l->state.info;
  LogOptions options = named.options;
  options.retention = here.options.retention;
  return !here.name.empty() && (here.name != named.name || here.options != options);
}

LogReplica& LogTable::add(const LogInfo& info) {
  LogReplica& l = *(logs_[info.id] = std::make_unique<LogReplica>(node_, node_promise_, info.id));
  l.described(info, RaftIndex{});
  return l;
}

/// T5: tombstone first, folder second. The removal waits for everything else on the log's strand. A
/// repeated Drop is harmless, and is answered when it is durable too.
void LogTable::drop(LogReplica& log, ConnectionId from, RequestId request) {
  log.drop();
  tombstones_.add(log.state.id, [this, from, request, id = log.state.id] {
    node_.disk(DropLog{id}, [this, from, request, id](DiskDone&&) {
      node_.send(from, request, Dropped{id});
      leaving_.insert(id);
    });
  });
}

std::vector<LogId> LogTable::take_gone() {
  std::vector<LogId> gone;
  std::erase_if(leaving_, [&](LogId id) {
    if (node_.works_on(id)) return false;
    gone.push_back(id);
    return true;
  });
  return gone;
}

}  // namespace loglog::storage
