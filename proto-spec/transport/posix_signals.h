// Signals belong to the application: no thread of this library takes one.
// A thread inherits the mask of the thread that starts it, so the mask is set around the start.
// Users: all code that starts a thread.
#pragma once
#include <pthread.h>

#include <csignal>
#include <initializer_list>

namespace loglog::transport {

/// While it lives, the calling thread blocks every signal, and so does every thread that it starts.
/// The signals that a fault of the thread itself raises stay as they are, because a handler for
/// crashes must still see them.
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
