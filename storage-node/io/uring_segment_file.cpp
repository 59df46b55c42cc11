// A WriteGroup or ReadSegment becomes a Flight of up to four ring requests. The ring may refuse or
// cut short any of them without harm: the thread engine then performs the whole operation. Only a
// failed write or sync is final (K2).
#include "storage-node/io/uring_segment_file.h"

#include <fmt/format.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <cstring>
#include <set>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/io/posix_segment_directory.h"

namespace loglog::storage {
namespace {

/// If more requests wait, start() submits early or gives the operation to the thread engine.
constexpr unsigned ring_entries = 256;

class UringEngine final : public FileEngine {
 public:
  UringEngine(SegmentDirectory& directory, const PostToDriver& post)
      : directory_(directory), aside_(make_thread_engine(directory, post)) {}
  /// Runs on the loop's thread, before the loop ends.
  ~UringEngine() override {
    watch_.reset();
    if (event_ >= 0) {
      // Requests in flight use our buffers, so wait for them.
      io_uring_submit(&ring_);
      while (!flying_.empty()) {
        io_uring_cqe* cqe = nullptr;
        if (io_uring_wait_cqe(&ring_, &cqe) != 0) break;
        complete(cqe, false);
      }
      io_uring_queue_exit(&ring_);
      ::close(event_);
    }
    for (Flight* f : flying_) delete f;
  }

  /// Sets up the ring. Returns false if this machine forbids it.
  bool probe(const WatchReadable& watch) {
    // With this flag completions wait until the loop comes round, and do not interrupt it. Kernels
    // before 5.19 do not know the flag.
    if (io_uring_queue_init(ring_entries, &ring_, IORING_SETUP_COOP_TASKRUN) != 0 &&
        io_uring_queue_init(ring_entries, &ring_, 0) != 0)
      return false;
    // An fdatasync occupies a worker thread of the kernel, and the kernel starts only four for each
    // processor. Kernels before 5.15 cannot change that.
    unsigned workers[2] = {0, 0};
    if (io_uring_register_iowq_max_workers(&ring_, workers) == 0 && workers[0] < flushes_at_once) {
      workers[0] = flushes_at_once;
      io_uring_register_iowq_max_workers(&ring_, workers);
    }
    event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_ < 0 || io_uring_register_eventfd(&ring_, event_) != 0) {
      io_uring_queue_exit(&ring_);
      if (event_ >= 0) ::close(event_);
      event_ = -1;
      return false;
    }
    watch_ = watch(event_, [this] { reap(); });
    return true;
  }

  void start(DiskOperation op, Done done) override {
    if (const auto* w = std::get_if<WriteGroup>(&op);
        w != nullptr && w->buffers.size() <= IOV_MAX && has_room(steps_max)) {
      if (write_group(op, done)) return;
    } else if (std::holds_alternative<ReadSegment>(op) && has_room(1)) {
      if (read(op, done)) return;
    }
    aside_->start(std::move(op), std::move(done));
  }
  void submit() override { io_uring_submit(&ring_); }
  const char* name() const override { return "io_uring"; }

 private:
  // The steps of a flight.
  enum class What : std::uint8_t { read, frames, marks, sync };
  static constexpr std::size_t steps_max = 4;
  // An operation in flight. Freed in complete(), when its last step has ended.
  struct Flight {
    DiskOperation operation;
    Done done;
    std::shared_ptr<const int> fd;
    // Owns the buffers of a direct group.
    std::optional<DirectGroup> direct;
    std::vector<iovec> parts;
    // Steps that have not completed; and whether all bytes of completed steps were transferred.
    int left = 0;
    bool whole = true;
    // The errno of the first step that failed.
    int error = 0;
    // The sync is requested when all writes have completed (direct groups).
    bool sync_follows = false;
    std::optional<std::chrono::steady_clock::time_point> sync_begun;
    Bytes data;
    Outcome synced() const {
      if (!sync_begun) return {};
      return {Errc::ok,
              {},
              {},
              std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - *sync_begun)};
    }
    struct Step {
      Flight* flight;
      What what;
      std::size_t expected;
    } step[steps_max]{};
    std::size_t steps = 0;
  };

  // Submits to make room if necessary. The caller must not use more steps than it asked for.
  bool has_room(unsigned steps) {
    if (io_uring_sq_space_left(&ring_) < steps) submit();
    return io_uring_sq_space_left(&ring_) >= steps;
  }
  io_uring_sqe* next(Flight* f, What what, std::size_t expected) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    check(sqe != nullptr && f->steps < steps_max, "room in the ring was seen");
    f->step[f->steps] = {f, what, expected};
    io_uring_sqe_set_data(sqe, &f->step[f->steps]);
    ++f->steps;
    ++f->left;
    return sqe;
  }
  void sync(Flight* f) {
    f->sync_begun = std::chrono::steady_clock::now();
    io_uring_prep_fsync(next(f, What::sync, 0), *f->fd, IORING_FSYNC_DATASYNC);
  }

  // Returns false without taking the operation if the file cannot be opened here; the thread engine
  // then reports the error.
  bool write_group(DiskOperation& op, Done& done) {
    const auto& w = std::get<WriteGroup>(op);
    auto direct = directory_.direct(w);
    auto fd = direct ? direct->fd : directory_.descriptor(w.log, w.first);
    if (*fd < 0) return false;
    auto* f = new Flight{};
    f->direct = std::move(direct);
    f->fd = std::move(fd);
    f->operation = std::move(op);
    f->done = std::move(done);
    const auto& g = std::get<WriteGroup>(f->operation);
    if (f->direct) write_direct(f, g.sync);
    else write_cached(f, g);
    flying_.insert(f);
    return true;
  }

  /// Frames and marks may be written at once. complete() requests the sync when both have ended.
  void write_direct(Flight* f, bool synced) {
    for (const auto& [what, part] :
         {std::pair(What::marks, f->direct->marks), std::pair(What::frames, f->direct->frames)})
      if (part.size > 0)
        io_uring_prep_write(next(f, what, part.size), *f->fd, part.data,
                            static_cast<unsigned>(part.size), part.at);
    f->sync_follows = synced && f->steps > 0;
    if (f->steps == 0) sync(f);
  }

  /// Frames, marks and sync are linked, so that they run one after the other. The first two only
  /// copy into the page cache.
  void write_cached(Flight* f, const WriteGroup& g) {
    std::size_t bytes = 0;
    for (const Bytes& b : g.buffers) {
      f->parts.push_back({const_cast<std::byte*>(b.data()), b.size()});
      bytes += b.size();
    }
    if (bytes > 0) {
      io_uring_sqe* sqe = next(f, What::frames, bytes);
      io_uring_prep_writev(sqe, *f->fd, f->parts.data(), static_cast<unsigned>(f->parts.size()),
                           g.position);
      // A short or failed write cancels the rest of the link, so the fdatasync does not run, and
      // the thread engine performs the group again.
      if (!g.marks.empty() || g.sync) sqe->flags |= IOSQE_IO_LINK;
    }
    if (!g.marks.empty()) {
      io_uring_sqe* sqe = next(f, What::marks, g.marks.size());
      io_uring_prep_write(sqe, *f->fd, g.marks.data(), static_cast<unsigned>(g.marks.size()),
                          g.marks_position);
      if (g.sync) sqe->flags |= IOSQE_IO_LINK;
    }
    if (g.sync || f->steps == 0) sync(f);
  }

  bool read(DiskOperation& op, Done& done) {
    const auto& r = std::get<ReadSegment>(op);
    auto fd = directory_.descriptor(r.log, r.first);
    if (*fd < 0) return false;
    auto* f = new Flight{};
    f->fd = std::move(fd);
    f->data = Bytes::allocate(r.length);
    f->operation = std::move(op);
    f->done = std::move(done);
    io_uring_prep_read(next(f, What::read, r.length), *f->fd, f->data.mutable_data(), r.length,
                       r.position);
    flying_.insert(f);
    return true;
  }

  void reap() {
    std::uint64_t count = 0;
    // The wake-up was for somebody else.
    if (::read(event_, &count, sizeof count) < 0) return;
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0) complete(cqe, true);
    submit();
  }

  // Handles a completed step. `tell` is false while the engine is being destroyed: nobody may be
  // called then.
  void complete(io_uring_cqe* cqe, bool tell) {
    const auto* step = static_cast<const Flight::Step*>(io_uring_cqe_get_data(cqe));
    Flight* f = step->flight;
    const int result = cqe->res;
    const What what = step->what;
    const std::size_t expected = step->expected;
    io_uring_cqe_seen(&ring_, cqe);
    const bool reading = what == What::read;
    // The first real error counts: steps that were linked behind it only report ECANCELED.
    if (result < 0 && (f->error == 0 || f->error == ECANCELED)) f->error = -result;
    if (result < 0 || (!reading && static_cast<std::size_t>(result) != expected)) f->whole = false;
    // K2: after a failed fdatasync nobody knows which bytes are durable, whatever errno says.
    if (what == What::sync && result < 0 && result != -ECANCELED) f->error = EIO;
    if (reading && result >= 0) f->data = f->data.slice(0, static_cast<std::size_t>(result));
    if (--f->left > 0) return;
    if (std::exchange(f->sync_follows, false) && f->whole && tell) {
      if (has_room(1)) return sync(f);
      // No room in the ring: the thread engine performs the whole group again.
      f->whole = false;
    }
    flying_.erase(f);
    const std::unique_ptr<Flight> last(f);
    if (!tell) return;
    if (reading) {
      if (result < 0)
        f->done({Errc::io_error, fmt::format("read: {}", std::strerror(-result)), {}});
      else if (f->data.size() == std::get<ReadSegment>(f->operation).length)
        f->done({Errc::ok, {}, f->data});
      else
        aside_->start(std::move(f->operation),
                      // A short read or the end of the file: the thread engine finds out which.
                      std::move(f->done));
    } else if (f->whole) {
      f->done(f->synced());
    } else if (f->error == 0 || f->error == ECANCELED || f->error == EAGAIN || f->error == EINTR) {
      // The group was cut short and never synced, so writing it again is no retry of a failed
      // fdatasync (K2).
      aside_->start(std::move(f->operation), std::move(f->done));
    } else {
      f->done({f->error == ENOSPC ? Errc::no_space : Errc::io_error,
               fmt::format("group write: {}", std::strerror(f->error)),
               {}});
    }
  }

  SegmentDirectory& directory_;
  std::unique_ptr<FileEngine> aside_;
  io_uring ring_{};
  int event_ = -1;
  std::shared_ptr<void> watch_;
  std::set<Flight*> flying_;
};

}  // namespace

std::unique_ptr<FileEngine> make_uring_engine(SegmentDirectory& directory,
                                              const WatchReadable& watch,
                                              const PostToDriver& post) {
  auto engine = std::make_unique<UringEngine>(directory, post);
  if (!engine->probe(watch)) return nullptr;
  return engine;
}

}  // namespace loglog::storage
