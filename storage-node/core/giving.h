// Counts the bytes that peers have asked of this node (Copy, FetchRun) and have not received yet:
// being read, queued, or in flight on the link (P2). A peer says Taken for bytes that have come, so
// the sum is known without looking at a socket. Called by log_transfers.cpp and StorageMachine; the
// asking side is transfers.h.
#pragma once
#include <cstdint>
#include <map>

#include "proto-spec/vocabulary/ids.h"
#include "storage-node/core/options.h"

namespace loglog::storage {

class Giving {
 public:
  explicit Giving(const Options& o) : options_(o) {}

  /// Registers a question whose answer has at most `bytes`. Returns false if a limit is reached or
  /// the request id is in use; the peer then asks again. A peer of which nothing is under way is
  /// always served, so that the largest run passes.
  bool begin(ConnectionId from, RequestId request, std::uint64_t bytes);
  /// The bytes of a question have been read and the answer has `bytes`. Returns false if the peer
  /// has given up the question or is gone.
  bool may_send(ConnectionId from, RequestId request, std::uint64_t bytes);
  /// The question is answered without bytes.
  void refused(ConnectionId from, RequestId request) { may_send(from, request, 0); }

  /// The peer has received bytes (Taken).
  void taken(ConnectionId from, std::uint64_t bytes);
  /// The peer does not want the answer any more (GiveUp).
  void give_up(ConnectionId from, RequestId request);
  /// The connection is gone, with all that was under way on it.
  void lost(ConnectionId from);

  /// Bytes under way to all peers.
  std::uint64_t bytes() const { return bytes_; }

 private:
  /// A question whose bytes are being read.
  struct Reading {
    std::uint64_t bytes = 0;
    bool given_up = false;
  };
  struct Asker {
    std::map<RequestId, Reading> reading;
    /// Bytes being read, queued or in flight.
    std::uint64_t bytes = 0;
    /// The part of `bytes` that was sent and not yet reported as taken.
    std::uint64_t sent = 0;
  };
  void drop(Asker& a, std::uint64_t bytes);

  const Options& options_;
  std::map<ConnectionId, Asker> askers_;
  std::uint64_t bytes_ = 0;
};

}  // namespace loglog::storage
