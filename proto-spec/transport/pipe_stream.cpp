// The pipe knows messages and the receiver knows bytes, so a position in the taken messages stands
// between them: the receiver may stop reading in the middle of a message.
#include "proto-spec/transport/pipe_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace loglog::transport {

Stream::Ptr PipeStream::to(Loop& loop, std::string name) {
  return std::make_shared<PipeStream>(loop, std::move(name), nullptr);
}

Stream::Ptr PipeStream::accept(Loop& loop, LocalPipe::Ptr pipe) {
  return std::make_shared<PipeStream>(loop, std::string{}, std::move(pipe));
}

void PipeStream::open(std::shared_ptr<StreamReceiver> receiver) {
  receiver_ = std::move(receiver);
  if (const auto to = receiver_; pipe_) return to->on_open();
  pipe_ = LocalListener::dial(loop_, name_);
  // Posted, as for every other address: a dialled stream does not call from inside.
  loop_.post([s = shared_from_this()] {
    const auto to = s->receiver_;
    if (!to) return;
    if (s->pipe_) to->on_open();
    else to->on_failed({Errc::connection_lost, "connection refused"});
  });
}

// on_arrival() wakes the loop for messages that came before.
void PipeStream::start_reading() {
  reading_ = true;
  pipe_->on_arrival([weak = weak_from_this()] {
    if (const auto s = weak.lock()) s->take();
  });
}

// The receiver may stop reading or close in each call, which ends the loop. The messages are copied
// because the sender's buffers go to other connections too.
void PipeStream::take() {
  if (!reading_) return;
  const auto to = receiver_;
  LocalPipe::Taken more = pipe_->take();
  taken_.ended = more.ended;
  auto& messages = taken_.messages;
  if (messages.empty()) messages = std::move(more.messages);
  else
    messages.insert(messages.end(), std::make_move_iterator(more.messages.begin()),
                    std::make_move_iterator(more.messages.end()));
  while (reading_ && next_ < messages.size()) {
    const Encoded& m = messages[next_];
    if (at_ == m.size()) {
      ++next_;
      at_ = 0;
      continue;
    }
    const ByteSpan rest = at_ < m.head.size() ? m.head.span().subspan(at_)
                                              : m.tail.span().subspan(at_ - m.head.size());
    const auto room = to->receive_block();
    if (room.empty()) return to->on_no_room();
    const std::size_t n = std::min(room.size(), rest.size());
    std::memcpy(room.data(), rest.data(), n);
    at_ += n;
    to->on_received(n);
  }
  if (next_ < messages.size()) return;
  messages.clear();
  next_ = 0;
  if (reading_ && taken_.ended) to->on_end();
}

// The messages are in the other end's hands at once.
void PipeStream::write(std::vector<Encoded>& messages) {
  std::size_t bytes = 0;
  std::uint64_t tails = 0;
  for (const Encoded& e : messages) {
    bytes += e.size();
    tails += e.tail.size();
  }
  pipe_->give(messages);
  receiver_->on_written(bytes, tails);
}

// The receiver goes last, because it may be the only owner of this object.
void PipeStream::close() {
  reading_ = false;
  taken_ = {};
  next_ = at_ = 0;
  if (pipe_) pipe_->close();
  const auto last = std::exchange(receiver_, nullptr);
}

}  // namespace loglog::transport
