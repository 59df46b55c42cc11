// The callbacks of the connection hold the question weakly, so the guard alone keeps it alive.
#include "sequencer/io/uv_leader_question.h"

#include <utility>

namespace loglog::sequencer {
namespace {

/// `done` is called at most once: it is taken out before the call, which may destroy the guard.
struct Question {
  transport::Connection::Ptr connection;
  std::function<void(const Overview*)> done;

  ~Question() {
    if (connection) connection->close();
  }
  void answer(const Overview* o) {
    if (connection) connection->close();
    if (auto call = std::exchange(done, {})) call(o);
  }
};

}  // namespace

std::shared_ptr<void> ask_for_overview(transport::Loop& loop, const std::string& address,
                                       SequencerId id, std::uint32_t logs_max, Duration patience,
                                       std::function<void(const Overview*)> done) {
  auto q = std::make_shared<Question>();
  q->done = std::move(done);
  Hello own;
  own.magic = hello_magic;
  own.lowest_version = protocol_lowest;
  own.highest_version = protocol_highest;
  own.role = Role::client;
  own.message_body_max = message_body_max;
  const std::weak_ptr<Question> weak = q;
  const auto with = [weak](auto work) {
    if (const auto alive = weak.lock()) work(*alive);
  };
  q->connection = transport::Connection::dial(
      loop, address, own, {{Role::sequencer}, id.value},
      {
          [with, logs_max](const Hello&) {
            with([&](Question& x) { x.connection->send(RequestId{1}, GetOverview{logs_max}); });
          },
          [with](RequestId, Message&& m) {
            with([&](Question& x) { x.answer(std::get_if<Overview>(&m)); });
          },
          [with](const Error&) { with([](Question& x) { x.answer(nullptr); }); },
      });
  loop.after(patience, [with] { with([](Question& x) { x.answer(nullptr); }); });
  return q;
}

}  // namespace loglog::sequencer
