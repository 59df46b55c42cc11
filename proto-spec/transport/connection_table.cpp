// Callbacks hold the id and not the link: the owner may close a connection in any of them.
#include "proto-spec/transport/connection_table.h"

#include <utility>

#include "proto-spec/transport/posix_descriptors.h"

namespace loglog::transport {

Result<void> ConnectionTable::listen(const std::string& address, std::function<Hello()> own) {
  admissions_ = std::make_shared<Admissions>(descriptor_limit());
  auto listener =
      Listener::listen(loop_, address, [this, own = std::move(own)](const Stream::Ptr& s) {
        adopt(next_id(), 0, Connection::accept(loop_, s, own(), {}, admissions_));
      });
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  return {};
}

void ConnectionTable::dial(ConnectionId id, const std::string& address, Hello own,
                           Session::Expectation expected, std::uint32_t dialled) {
  adopt(id, dialled, Connection::dial(loop_, address, std::move(own), std::move(expected), {}));
}

// No callback has been missed: neither accept() nor dial() calls from inside.
void ConnectionTable::adopt(ConnectionId id, std::uint32_t dialled, const Connection::Ptr& c) {
  links_[id] = {id, dialled, c, false};
  c->set_callbacks({
      [this, id](const Hello& peer) {
        Link& here = links_.at(id);
        here.connected = true;
        const Link link = here;
        owner_.on_connected(link, peer);
      },
      [this, id](RequestId request, Message&& m) { owner_.on_message(id, request, std::move(m)); },
      [this, id](const Error& why) { disconnected(id, why); },
      [this, id](std::uint64_t bytes) { owner_.on_written(id, bytes); },
  });
}

void ConnectionTable::disconnected(ConnectionId id, const Error& why) {
  const auto node = links_.extract(id);
  owner_.on_disconnected(node.mapped(), why);
}

void ConnectionTable::send(ConnectionId to, RequestId request, const Message& m) {
  if (const auto found = links_.find(to); found != links_.end())
    found->second.connection->send(request, m);
}

void ConnectionTable::send(const std::vector<net::Send>& sends) {
  sized_ = sized_bytes_ = 0;
  for (const net::Send& s : sends) send(s.to, s.request, s.message);
}

bool ConnectionTable::outgrown(const std::vector<net::Send>& sends) {
  for (; sized_ < sends.size(); ++sized_) sized_bytes_ += encoded_size(sends[sized_].message);
  return sized_bytes_ >= turn_output_max;
}

std::uint32_t ConnectionTable::close(ConnectionId id, const Error& why) {
  const auto found = links_.find(id);
  if (found == links_.end()) return 0;
  found->second.connection->close(why);
  const std::uint32_t dialled = found->second.dialled;
  links_.erase(found);
  return dialled;
}

void ConnectionTable::close_all() {
  for (auto& [id, link] : links_) link.connection->close();
  links_.clear();
}

}  // namespace loglog::transport
