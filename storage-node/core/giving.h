// What peers have asked of this node (Copy, FetchRun) and have not yet received: bytes that are
// read, queued or under way to them. A peer says `Taken` for what has come, so the sum is known
// without a look at any socket.
#pragma once
#include <cstdint>
#include <map>

#include "proto-spec/vocabulary/ids.h"
#include "storage-node/core/options.h"

namespace loglog::storage {

class Giving {
 public:
  explicit Giving(const Options& o) : options_(o) {}

  /// A question whose answer has at most `bytes`. False: too much is under way, the peer is to ask
  /// again.
  bool begin(ConnectionId from, RequestId request, std::uint64_t bytes);
  /// The bytes have been read. False: the peer has given the question up, or is gone.
  bool may_send(ConnectionId from, RequestId request, std::uint64_t bytes);
  /// It is answered without bytes.
  void refused(ConnectionId from, RequestId request) { may_send(from, request, 0); }

  void taken(ConnectionId from, std::uint64_t bytes);
  void give_up(ConnectionId from, RequestId request);
  void lost(ConnectionId from);

  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Reading {
    std::uint64_t bytes = 0;
    bool given_up = false;
  };
  struct Asker {
    std::map<RequestId, Reading> reading;
    std::uint64_t bytes = 0;  // read, queued and under way
    std::uint64_t sent = 0;   // of them, sent
  };
  void drop(Asker& a, std::uint64_t bytes);

  const Options& options_;
  std::map<ConnectionId, Asker> askers_;
  std::uint64_t bytes_ = 0;
};

}  // namespace loglog::storage
