#include "sequencer/io/posix_raft_storage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto-spec/disk/raft_log.h"
#include "sequencer/core/raft/raft_log.h"

namespace loglog::sequencer {
namespace fs = std::filesystem;
namespace {

std::unexpected<Error> os_error(const std::string& what) { return fail(Errc::io_error, fmt::format("{}: {}", what, std::strerror(errno))); }

bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Result<void> sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool ok = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!ok) return os_error("cannot make durable " + path);
  return {};
}

Result<void> replace_file(const std::string& folder, const std::string& name, std::string_view data) {
  const std::string path = folder + "/" + name;
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  const bool ok = fd >= 0 && write_all(fd, data) && ::fdatasync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!ok || ::rename(temporary.c_str(), path.c_str()) != 0) return os_error("cannot write " + path);
  return sync_directory(folder);
}

Bytes slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream s;
  s << in.rdbuf();
  return Bytes::copy_of(s.str());
}

}  // namespace

Result<std::unique_ptr<RaftStorage>> RaftStorage::open(const std::string& path, SequencerId id, const std::string& cluster_name) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, error.message()));
  std::unique_ptr<RaftStorage> s(new RaftStorage(path));
  s->lock_ = ::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (s->lock_ < 0) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  if (::flock(s->lock_, LOCK_EX | LOCK_NB) != 0) return fail(Errc::directory_in_use, path);
  if (auto ok = s->check_identity(id, cluster_name); !ok) return std::unexpected(ok.error());
  if (auto ok = s->load(); !ok) return std::unexpected(ok.error());
  return s;
}

RaftStorage::~RaftStorage() {
  if (log_ >= 0) ::close(log_);
  if (lock_ >= 0) ::close(lock_);
}

Result<void> RaftStorage::check_identity(SequencerId id, const std::string& cluster_name) {
  const std::string path = path_ + "/identity";
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (error) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, error.message()));
    // A log or a snapshot without an identity is somebody's whose identity is lost (T4). Only a first start that was cut short
    // leaves a log, and that one has no records.
    const bool log = fs::exists(path_ + "/raft.log", error) && slurp(path_ + "/raft.log") != encode_raft_header();
    if (log || fs::exists(path_ + "/snapshot", error))
      return fail(Errc::data_loss, fmt::format("{} has a {} and no identity", path_, log ? "raft.log with records" : "snapshot"));
    if (error) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path_, error.message()));
    // The log is made first: an identity without a log is a lost state, not a fresh one (T4, C3).
    if (auto ok = replace_file(path_, "raft.log", encode_raft_header().text()); !ok) return ok;
    Identity fresh;
    fresh.id = id.value;
    fresh.role = static_cast<std::uint8_t>(Role::sequencer);
    fresh.cluster_name = cluster_name;
    return replace_file(path_, "identity", encode_identity(fresh).text());
  }
  const auto found = decode_identity(slurp(path));
  if (!found) return std::unexpected(found.error());
  if (found->role != static_cast<std::uint8_t>(Role::sequencer) || found->id != id.value)
    return fail(Errc::wrong_identity, fmt::format("{} belongs to id {}, not to sequencer {}", path_, found->id, id.value));
  if (found->cluster_name != cluster_name)
    return fail(Errc::wrong_cluster, fmt::format("{} belongs to cluster \"{}\", not to \"{}\"", path_, found->cluster_name, cluster_name));
  return {};
}

Result<void> RaftStorage::load() {
  if (fs::exists(path_ + "/snapshot")) {
    auto s = decode_snapshot(slurp(path_ + "/snapshot"));
    if (!s) return std::unexpected(s.error());
    disk_.snapshot = s->state;
    disk_.snapshot_index = s->index;
    disk_.snapshot_term = s->term;
  }
  const std::string path = path_ + "/raft.log";
  const Bytes file = slurp(path);
  std::string gap;
  RaftRecords on;
  on.hard_state = [this](const RaftHardState& h) { disk_.hard_state = {h.term, h.vote}; };
  on.cut = [this](RaftIndex from) { std::erase_if(disk_.entries, [from](const RaftEntry& e) { return e.index >= from; }); };
  on.entry = [&](const RaftEntry& e) {
    if (!disk_.entries.empty() && e.index != disk_.entries.back().index + 1)
      gap = fmt::format("raft.log has entry {} after {}", e.index.value, disk_.entries.back().index.value);
    disk_.entries.push_back(e);
  };
  const auto good = read_raft_log(file, on);
  if (!good) return std::unexpected(good.error());
  if (!gap.empty()) return fail(Errc::data_loss, gap);
  // The snapshot may have been renamed and the log not yet written anew. That is made up for here: what is appended later
  // must not stand behind entries that do not count.
  const bool behind = raft::follow_snapshot(disk_);
  if (!disk_.entries.empty() && disk_.entries.front().index != disk_.snapshot_index + 1)
    return fail(Errc::data_loss, fmt::format("raft.log begins with entry {}, the snapshot ends with {}", disk_.entries.front().index.value,
                                             disk_.snapshot_index.value));
  log_ = ::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
  if (log_ < 0) return fail(Errc::directory_unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  // A torn end goes, and what a killed process left in the page cache is made durable (K1).
  if (::ftruncate(log_, static_cast<off_t>(*good)) != 0 || ::fdatasync(log_) != 0) return os_error("cannot make durable " + path);
  return behind ? rewrite() : sync_directory(path_);
}

Result<void> RaftStorage::append(const std::string& records) {
  if (!write_all(log_, records) || ::fdatasync(log_) != 0) return os_error("cannot write " + path_ + "/raft.log");
  return {};
}

Result<void> RaftStorage::rewrite() {
  std::string out{encode_raft_header().text()};
  append_record(out, RaftHardState{disk_.hard_state.term, disk_.hard_state.vote});
  for (const RaftEntry& e : disk_.entries) append_record(out, e);
  if (auto ok = replace_file(path_, "raft.log", out); !ok) return ok;
  ::close(log_);
  log_ = ::open((path_ + "/raft.log").c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
  if (log_ < 0) return os_error("cannot open " + path_ + "/raft.log");
  return {};
}

Result<void> RaftStorage::save(const SaveRaft& s) {
  std::string out;
  if (s.has_snapshot) {
    if (auto ok = replace_file(path_, "snapshot", encode_snapshot({s.snapshot_index, s.snapshot_term, s.snapshot}).text()); !ok) return ok;
    disk_.snapshot = s.snapshot;
    disk_.snapshot_index = s.snapshot_index;
    disk_.snapshot_term = s.snapshot_term;
    raft::follow_snapshot(disk_);
  }
  if (s.hard_state) {
    disk_.hard_state = *s.hard_state;
    append_record(out, RaftHardState{s.hard_state->term, s.hard_state->vote});
  }
  if (s.truncate_from != RaftIndex{}) {
    std::erase_if(disk_.entries, [&](const RaftEntry& e) { return e.index >= s.truncate_from; });
    append_cut(out, s.truncate_from);
  }
  for (const RaftEntry& e : s.entries) {
    disk_.entries.push_back(e);
    append_record(out, e);
  }
  if (s.has_snapshot) return rewrite();
  return out.empty() ? Result<void>{} : append(out);
}

}  // namespace loglog::sequencer
