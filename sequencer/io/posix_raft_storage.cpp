// The order of writes is the subtle part: the records, then the mark of the write before, then a
// single fdatasync. A file that is replaced whole is durable before anything that refers to it.
#include "sequencer/io/posix_raft_storage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "proto-spec/files/posix_files.h"
#include "sequencer/core/raft/raft_log.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace fs = std::filesystem;
namespace {

constexpr const char* cure =
    "move this directory aside and start the sequencer with an empty one: it gets from the others "
    "what it had (C3)";

ByteSpan bytes_of(const std::string& s) { return std::as_bytes(std::span(s.data(), s.size())); }

std::unexpected<Error> os_error(const std::string& what, const std::string& path) {
  return std::unexpected(files::last_error(what, path, Errc::io_error));
}

/// True if a failed save has changed nothing, so that it may be done again.
bool may_try_again(const Result<void>& r) {
  return !r && (r.error().code == Errc::no_space || r.error().code == Errc::too_many);
}

/// The records of a save, in the order that SaveRaft states.
std::string records_of(const SaveRaft& s) {
  std::string out;
  if (s.hard_state) append_record(out, RaftHardState{s.hard_state->term, s.hard_state->vote});
  if (s.truncate_from != RaftIndex{}) append_cut(out, s.truncate_from);
  for (const RaftEntry& e : s.entries) append_record(out, e);
  return out;
}

std::string records_of(const RaftDisk& disk) {
  std::string out;
  append_record(out, RaftHardState{disk.hard_state.term, disk.hard_state.vote});
  for (const RaftEntry& e : disk.entries) append_record(out, e);
  return out;
}

/// Reads a file of the directory that must be readable; nullopt if it does not exist (K7).
Result<std::optional<Bytes>> read_state(const std::string& path) {
  auto file = files::read_file(path);
  if (!file) file.error().detail += fmt::format("; if the disk is damaged there, {}", cure);
  return file;
}

/// True if the log holds records or damage, so that it belonged to a sequencer that has run.
bool has_records(const Bytes& log) {
  bool any = false;
  RaftRecords on{[&any](const RaftHardState&) { any = true; },
                 [&any](const RaftEntry&) { any = true; }, [&any](RaftIndex) { any = true; }};
  const auto end = read_raft_log(log, on);
  return any || !end || end->lost || end->torn;
}

}  // namespace

Result<std::unique_ptr<RaftStorage>> RaftStorage::open(const std::string& path, SequencerId id,
                                                       const std::string& cluster_name) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, error.message()));
  std::unique_ptr<RaftStorage> s(new RaftStorage(path));
  s->lock_ = ::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (s->lock_ < 0)
    return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  if (::flock(s->lock_, LOCK_EX | LOCK_NB) != 0) return fail(Errc::directory_in_use, path);
  ::unlink((path + "/identity.new").c_str());  // of a first start that was killed
  if (auto ok = s->check_identity(id, cluster_name); !ok) return std::unexpected(ok.error());
  if (auto ok = s->load(); !ok) return std::unexpected(ok.error());
  s->identity_file_.reserve(identity_file_size);
  return s;
}

RaftStorage::~RaftStorage() {
  if (log_ >= 0) ::close(log_);
  if (lock_ >= 0) ::close(lock_);
}

Result<void> RaftStorage::check_identity(SequencerId id, const std::string& cluster_name) {
  const auto saved = read_state(path_ + "/identity");
  if (!saved) return std::unexpected(saved.error());
  if (!*saved) {
    const auto log = read_state(log_file_.path());
    if (!log) return std::unexpected(log.error());
    const auto snapshot = files::exists(snapshot_file_.path());
    if (!snapshot) return std::unexpected(snapshot.error());
    // A log or a snapshot without an identity means that the identity was lost (T4). Only a first
    // start that was cut short leaves a log alone, and that log has no records.
    const bool records = *log && has_records(**log);
    if (records || *snapshot)
      return fail(Errc::raft_damaged, fmt::format("{} has a {} and no identity", path_,
                                                  records ? "raft.log with records" : "snapshot"));
    // The log is made before the identity: an identity without a log means a lost state, not a
    // fresh directory (T4, C3).
    if (auto ok = log_file_.replace(encode_raft_header({1, raft_header_size}),
                                    raft_header_size + raft_reserve_bytes);
        !ok)
      return ok;
    Identity fresh;
    fresh.id = id.value;
    fresh.role = static_cast<std::uint8_t>(Role::sequencer);
    fresh.cluster_name = cluster_name;
    identity_ = fresh;
    return files::replace_file(path_, "identity", encode_identity(fresh));
  }
  const auto found = decode_identity(**saved);
  if (!found)
    return fail(found.error().code == Errc::data_loss ? Errc::raft_damaged : found.error().code,
                fmt::format("{}/identity: {}", path_, found.error().detail));
  if (found->role != static_cast<std::uint8_t>(Role::sequencer) || found->id != id.value)
    return fail(Errc::wrong_identity, fmt::format("{} belongs to id {}, not to sequencer {}", path_,
                                                  found->id, id.value));
  if (found->cluster_name != cluster_name)
    return fail(Errc::wrong_cluster, fmt::format("{} belongs to cluster \"{}\", not to \"{}\"",
                                                 path_, found->cluster_name, cluster_name));
  if (!rules::may_start(found->record_version, record_version_highest)) {
    Error why = unreadable_records(*found, record_version_highest);
    return fail(why.code, fmt::format("{}: {}", path_, why.detail));
  }
  identity_ = *found;
  disk_.record_version = found->record_version;
  return {};
}

/// T7: the identity names the version, durably, before the caller writes any record of it. Its
/// space was taken at the start, so a full disk does not hold up the saves behind it.
Result<void> RaftStorage::name_version(std::uint8_t version) {
  if (version <= identity_.record_version) return {};
  Identity next = identity_;
  next.record_version = version;
  if (auto ok = identity_file_.replace(encode_identity(next), identity_file_size); !ok) return ok;
  identity_file_.reserve(identity_file_size);
  identity_ = std::move(next);
  disk_.record_version = version;
  return {};
}

/// The newest snapshot. It was renamed into place whole, so damage in it is final.
Result<void> RaftStorage::load_snapshot() {
  const auto file = read_state(snapshot_file_.path());
  if (!file) return std::unexpected(file.error());
  if (!*file) return {};
  auto s = decode_snapshot(**file);
  if (!s)
    return fail(s.error().code, fmt::format("{}: {}", snapshot_file_.path(), s.error().detail));
  disk_.snapshot = s->state;
  disk_.snapshot_index = s->index;
  disk_.snapshot_term = s->term;
  return {};
}

/// Replays raft.log onto disk_, then makes it fit for appending.
Result<void> RaftStorage::load() {
  if (auto ok = load_snapshot(); !ok) return ok;
  const std::string& path = log_file_.path();
  const auto file = read_state(path);
  if (!file) return std::unexpected(file.error());
  if (!*file) return fail(Errc::raft_damaged, path + " is not there, beside an identity");
  std::string gap;
  RaftRecords on;
  on.hard_state = [this](const RaftHardState& h) { disk_.hard_state = {h.term, h.vote}; };
  on.cut = [this](RaftIndex from) {
    std::erase_if(disk_.entries, [from](const RaftEntry& e) { return e.index >= from; });
  };
  on.entry = [&](const RaftEntry& e) {
    if (!disk_.entries.empty() && e.index != disk_.entries.back().index + 1)
      gap = fmt::format("{} has entry {} after {}", path, e.index.value,
                        disk_.entries.back().index.value);
    disk_.entries.push_back(e);
  };
  const auto end = read_raft_log(**file, on);
  if (!end) return fail(end.error().code, fmt::format("{}: {}", path, end.error().detail));
  if (end->lost) {
    // The file stays as it is until the core has decided and saves. So a start that is killed
    // before then finds the same loss again.
    disk_.entries.clear();
    disk_.lost_records = true;
    loss_ = fmt::format(
        "{} is damaged at byte {}, and was durable up to byte {}: votes or entries are lost", path,
        end->good, end->mark.durable);
    end_ = end->good;
    return open_log();
  }
  if (!gap.empty()) return fail(Errc::raft_damaged, gap);
  return settle(*end);
}

/// Makes the directory fit for appending at the log's end.
Result<void> RaftStorage::settle(const RaftLogEnd& end) {
  // A crash may have come after the snapshot's rename and before the log's rewrite. Make up for it
  // here, because later entries must not follow entries that do not count.
  const bool behind = raft::follow_snapshot(disk_);
  if (!disk_.entries.empty() && disk_.entries.front().index != disk_.snapshot_index + 1)
    return fail(Errc::raft_damaged,
                fmt::format("{} begins with entry {}, the snapshot ends with {}", log_file_.path(),
                            disk_.entries.front().index.value, disk_.snapshot_index.value));
  end_ = end.good;
  mark_ = end.mark;
  if (auto ok = open_log(); !ok) return ok;
  if (end.torn) {
    // Zero a torn record. Otherwise a shorter record written over it could be followed by its old
    // bytes, which might read as good records.
    const std::vector<std::byte> zeros(static_cast<std::size_t>(size_ - end_));
    if (!files::write_all(log_, zeros, end_)) return os_error("cannot cut", log_file_.path());
  }
  // A killed process may have left records in the page cache only. They must be durable before the
  // core answers for them (K1).
  if (::fdatasync(log_) != 0) return os_error("cannot make durable", log_file_.path());
  if (auto ok = behind ? rewrite(disk_) : files::sync_directory(path_); !ok) return ok;
  if (mark_is_behind())
    if (auto ok = write_mark(); !ok) return ok;
  reserve_ahead();
  return {};
}

/// Opens the log anew: after a replacement the old descriptor is the spare file's.
Result<void> RaftStorage::open_log() {
  const int opened = ::open(log_file_.path().c_str(), O_RDWR | O_CLOEXEC);
  struct stat s{};
  if (opened < 0 || ::fstat(opened, &s) != 0) {
    auto failed = os_error("cannot open", log_file_.path());
    if (opened >= 0) ::close(opened);
    return failed;
  }
  if (log_ >= 0) ::close(log_);
  log_ = opened;
  size_ = static_cast<std::uint64_t>(s.st_size);
  return {};
}

/// Reserves in steps, so that not every append asks the disk.
void RaftStorage::reserve_ahead() {
  if (size_ - end_ < raft_reserve_bytes - raft_reserve_bytes / 4) {
    const std::uint64_t wanted = end_ + raft_reserve_bytes;
    refused_ = !files::reserve_space(log_, size_, wanted);
    if (!refused_) size_ = wanted;
  } else {
    refused_ = false;
  }
  if (refused_) return;
  log_file_.reserve(raft_header_size + raft_reserve_bytes);
  snapshot_file_.reserve(std::max<std::uint64_t>(snapshot_reserve_min, 2 * disk_.snapshot.size()));
}

/// Writes records behind the end; durable when it returns. Space is reserved before the bytes, so a
/// full disk changes nothing.
Result<void> RaftStorage::append(const std::string& records) {
  const std::uint64_t end = end_ + records.size();
  if (end > size_) {
    if (!files::reserve_space(log_, size_, end))
      return os_error("cannot reserve space in", log_file_.path());
    size_ = end;
  }
  if (!files::write_all(log_, bytes_of(records), end_))
    return os_error("cannot write", log_file_.path());
  // The mark names the end that was durable before this write, so that it never covers bytes that a
  // power cut may tear.
  const RaftMark next{mark_.counter + 1, end_};
  if (!files::write_all(log_, encode_raft_mark(next), raft_mark_at(next)))
    return os_error("cannot write", log_file_.path());
  // K2: it is unknown which bytes a failed fdatasync has kept, whatever its reason, so it is not
  // tried again.
  if (::fdatasync(log_) != 0)
    return fail(Errc::io_error, os_error("cannot make durable", log_file_.path()).error().detail);
  mark_ = next;
  end_ = end;
  reserve_ahead();
  return {};
}

Result<void> RaftStorage::write_mark() {
  const RaftMark next{mark_.counter + 1, end_};
  if (!files::write_all(log_, encode_raft_mark(next), raft_mark_at(next)) || ::fdatasync(log_) != 0)
    return fail(Errc::io_error, os_error("cannot write", log_file_.path()).error().detail);
  mark_ = next;
  return {};
}

/// Writes the whole log anew, with only the records that count.
Result<void> RaftStorage::rewrite(const RaftDisk& disk) {
  const std::string records = records_of(disk);
  const RaftMark mark{1, raft_header_size + records.size()};
  std::string content(encode_raft_header(mark).text());
  content += records;
  auto replaced = log_file_.replace(bytes_of(content), content.size() + raft_reserve_bytes);
  if (may_try_again(replaced) && !disk_.lost_records) {
    // The disk has no room for a second file. So a cut record takes back the old records in the
    // existing file, and the records that count follow it.
    std::string anew;
    append_cut(anew, RaftIndex{1});
    return append(anew + records);
  }
  if (!replaced) return replaced;
  if (auto ok = open_log(); !ok) return ok;
  mark_ = mark;
  end_ = content.size();
  reserve_ahead();
  return {};
}

Result<void> RaftStorage::save(const SaveRaft& s) {
  if (auto ok = name_version(s.record_version); !ok) return ok;
  if (s.has_snapshot || disk_.lost_records) return save_whole(s);
  const std::string records = records_of(s);
  if (records.empty()) return {};
  if (auto ok = append(records); !ok) return ok;
  raft::apply(disk_, s);
  return {};
}

/// A save that replaces more than it appends. The snapshot is durable before the log that relies on
/// it; a crash between the two is made up for by settle().
Result<void> RaftStorage::save_whole(const SaveRaft& s) {
  if (s.has_snapshot) {
    const Bytes image = encode_snapshot({s.snapshot_index, s.snapshot_term, s.snapshot});
    const auto replaced = snapshot_file_.replace(image, image.size());
    // A snapshot that only shortens the log can wait for space; the rest of the save cannot.
    if (may_try_again(replaced) && s.snapshot_may_wait) {
      SaveRaft rest = s;
      rest.has_snapshot = false;
      return save(rest);
    }
    if (!replaced) return replaced;
  }
  RaftDisk next = disk_;
  raft::apply(next, s);
  if (auto ok = rewrite(next); !ok) return ok;
  disk_ = std::move(next);
  return {};
}

}  // namespace loglog::sequencer
