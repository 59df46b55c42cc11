// The engine where io_uring is forbidden: blocking calls on three threads.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "storage-node/io/file_engine.h"
#include "storage-node/io/posix_segment_directory.h"

namespace loglog::storage {
namespace {

class Worker {
 public:
  Worker(SegmentDirectory& directory, PostToDriver post) : directory_(directory), post_(std::move(post)), thread_([this] { run(); }) {}
  ~Worker() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wanted_.notify_one();
    thread_.join();
  }
  void add(DiskOperation op, FileEngine::Done done) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back({std::move(op), std::move(done)});
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
      wanted_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;  // what was not begun is as if the process had died before it
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      post_([done = std::move(job.done), outcome = directory_.perform(job.operation)]() mutable { done(std::move(outcome)); });
    }
  }

  SegmentDirectory& directory_;
  PostToDriver post_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

class ThreadEngine final : public FileEngine {
 public:
  ThreadEngine(SegmentDirectory& directory, const PostToDriver& post)
      : writer_(directory, post), reader_(directory, post), preparer_(directory, post) {}
  void start(DiskOperation op, Done done) override {
    // A preparation writes a whole segment, a trim may remove many: nobody waits behind them.
    Worker& worker = std::holds_alternative<ReadSegment>(op) ? reader_ : beside_strand(op) ? preparer_ : writer_;
    worker.add(std::move(op), std::move(done));
  }
  void submit() override {}
  const char* name() const override { return "threads"; }

 private:
  Worker writer_;
  Worker reader_;
  Worker preparer_;
};

}  // namespace

std::unique_ptr<FileEngine> make_thread_engine(SegmentDirectory& directory, const PostToDriver& post) {
  return std::make_unique<ThreadEngine>(directory, post);
}

}  // namespace loglog::storage
