// The file engine of blocking calls on threads. It serves machines that forbid io_uring, as many
// containers do, and the rare operations of the ring engine.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "proto-spec/transport/posix_signals.h"
#include "storage-node/io/file_engine.h"
#include "storage-node/io/posix_segment_directory.h"

namespace loglog::storage {
namespace {

/// Threads for a kind of work. They are started when they are needed, up to `most`.
class Workers {
 public:
  Workers(SegmentDirectory& directory, PostToDriver post, std::size_t most)
      : directory_(directory), post_(std::move(post)), most_(most) {}
  ~Workers() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wanted_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  // Called on the driver's thread. Starts a thread if all threads are busy.
  void add(DiskOperation op, FileEngine::Done done) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back({std::move(op), std::move(done)});
      if (jobs_.size() > idle_ && threads_.size() < most_) {
        // Signals are for the main thread, so a new thread blocks them.
        const transport::SignalsBlocked around_the_start;
        threads_.emplace_back([this] { run(); });
      }
    }
    wanted_.notify_one();
  }

 private:
  struct Job {
    DiskOperation operation;
    FileEngine::Done done;
  };
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      ++idle_;
      wanted_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      --idle_;
      // Jobs that have not begun are dropped, as if the process had died before them.
      if (stopping_) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      post_([done = std::move(job.done), outcome = directory_.perform(job.operation)]() mutable {
        done(std::move(outcome));
      });
    }
  }

  SegmentDirectory& directory_;
  PostToDriver post_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Job> jobs_;
  // Threads that wait for a job, or were woken for a job and have not taken it yet.
  std::size_t idle_ = 0;
  bool stopping_ = false;
  // Used by the driver's thread alone.
  std::vector<std::thread> threads_;
};

class ThreadEngine final : public FileEngine {
 public:
  ThreadEngine(SegmentDirectory& directory, const PostToDriver& post)
      : writers_(directory, post, flushes_at_once),
        reader_(directory, post, 1),
        preparer_(directory, post, 1) {}
  void start(DiskOperation op, Done done) override {
    // A preparation may write a whole segment and a trim may remove many files, so neither groups
    // nor reads wait behind them.
    Workers& workers = std::holds_alternative<ReadSegment>(op) ? reader_
                       : beside_strand(op)                     ? preparer_
                                                               : writers_;
    workers.add(std::move(op), std::move(done));
  }
  // Threads begin at once, so there is nothing to submit.
  void submit() override {}
  const char* name() const override { return "threads"; }

 private:
  Workers writers_;
  Workers reader_;
  Workers preparer_;
};

}  // namespace

std::unique_ptr<FileEngine> make_thread_engine(SegmentDirectory& directory,
                                               const PostToDriver& post) {
  return std::make_unique<ThreadEngine>(directory, post);
}

}  // namespace loglog::storage
