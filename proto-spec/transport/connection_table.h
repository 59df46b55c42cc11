// The connections of a driver, by the ids under which its core knows them. The table listens,
// dials, sends and closes; its owner, a driver, hears of hellos, messages and ends. Drivers of SDK
// and servers have a table each; nothing is decided here.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto-spec/session/net.h"
#include "proto-spec/transport/connection.h"
#include "proto-spec/transport/listener.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog::transport {

/// A connection of a table.
struct Link {
  ConnectionId id;
  /// The number that the owner gave to dial(); 0: the peer dialled.
  std::uint32_t dialled = 0;
  Connection::Ptr connection;
  /// Both hellos were exchanged, so the owner has heard of it.
  bool connected = false;
};

/// Takes the events of a table, on its loop's thread and never from inside a call of the table. It
/// may send and close from inside each of them.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void on_connected(const Link& link, const Hello& peer) = 0;
  virtual void on_message(ConnectionId from, RequestId request, Message&& m) = 0;
  /// The connection has ended, or the dial has failed, for a reason other than close(). The table
  /// has forgotten it already.
  virtual void on_disconnected(const Link& link, const Error& why) = 0;
  /// See Connection::Callbacks::on_written.
  virtual void on_written(ConnectionId, std::uint64_t) {}
};

/// Belongs to its loop's thread. `owner` must outlive it, or close_all() must come first.
class ConnectionTable {
 public:
  ConnectionTable(Loop& loop, ConnectionOwner& owner) : loop_(loop), owner_(owner) {}
  ~ConnectionTable() { close_all(); }
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  /// Listens, and accepts under fresh ids within the limits of Admissions. Errors as
  /// Listener::listen(). `own` gives this side's hello for each connection.
  Result<void> listen(const std::string& address, std::function<Hello()> own);
  /// Connections that stand stay.
  void stop_listening() { listener_.reset(); }
  /// Only while listening.
  const std::string& address() const { return listener_->address(); }
  /// Zeros before listen().
  Admissions::Figures admissions() const {
    return admissions_ ? admissions_->figures() : Admissions::Figures{};
  }

  /// An id that is not in use; ids only rise.
  ConnectionId next_id() { return ConnectionId{++ids_}; }
  /// Dials under an id that is not in use. `dialled`: see Link; not 0.
  void dial(ConnectionId id, const std::string& address, Hello own, Session::Expectation expected,
            std::uint32_t dialled = 1);
  /// Queues a message. Drops it if the connection is gone.
  void send(ConnectionId to, RequestId request, const Message& m);
  /// Queues all messages that a core wants sent.
  void send(const std::vector<net::Send>& sends);
  /// W8: many requests may arrive in a single read. True once the messages that wait in a core's
  /// `sends` pass turn_output_max: the driver then sends them before the next request is looked at,
  /// so that the bound of a connection's queue holds within a turn too. A call looks only at the
  /// messages that have come since the last call.
  bool outgrown(const std::vector<net::Send>& sends);
  /// Closes and forgets a connection, as Connection::close(). Returns its Link::dialled; 0 if there
  /// is no such connection.
  std::uint32_t close(ConnectionId id, const Error& why = {});
  void close_all();

 private:
  void adopt(ConnectionId id, std::uint32_t dialled, const Connection::Ptr& c);
  void disconnected(ConnectionId id, const Error& why);

  Loop& loop_;
  ConnectionOwner& owner_;
  std::map<ConnectionId, Link> links_;
  std::uint64_t ids_ = 0;
  std::size_t sized_ = 0;        // sends that sized_bytes_ counts already
  std::size_t sized_bytes_ = 0;  // encoded
  std::unique_ptr<Listener> listener_;
  std::shared_ptr<Admissions> admissions_;  // null before listen()
};

}  // namespace loglog::transport
