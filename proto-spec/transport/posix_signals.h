// Signals belong to the application: no thread of this library takes a signal. A thread inherits
// the mask of the thread that starts it, so the mask is set around each start. All code that starts
// a thread uses this.
#pragma once
#include <pthread.h>

#include <csignal>
#include <initializer_list>

namespace loglog::transport {

/// During its lifetime the calling thread blocks every signal, and so do the threads that it
/// starts, for good. Signals raised by a fault of the thread itself stay unblocked, because a crash
/// handler must still see them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
      sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace loglog::transport
