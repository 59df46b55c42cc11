// The engine where io_uring is forbidden, as in many containers: blocking calls on threads.
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

/// Threads for one kind of work: begun as they are wanted, at most `most`.
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
  void add(DiskOperation op, FileEngine::Done done) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back({std::move(op), std::move(done)});
      if (jobs_.size() > idle_ && threads_.size() < most_) {
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
      if (stopping_) return;  // what was not begun is as if the process had died before it
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
  std::size_t idle_ = 0;  // wait for a job, or were woken for one and have not taken it yet
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // of the driver's thread alone
};

class ThreadEngine final : public FileEngine {
 public:
  ThreadEngine(SegmentDirectory& directory, const PostToDriver& post)
      : writers_(directory, post, flushes_at_once),
        reader_(directory, post, 1),
        preparer_(directory, post, 1) {}
  void start(DiskOperation op, Done done) override {
    // A preparation writes a whole segment, a trim may remove many: nobody waits behind them.
    Workers& workers = std::holds_alternative<ReadSegment>(op) ? reader_
                       : beside_strand(op)                     ? preparer_
                                                               : writers_;
    workers.add(std::move(op), std::move(done));
  }
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
