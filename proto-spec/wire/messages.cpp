// The special members of Message: once for the whole program.
#include "proto-spec/wire/messages.h"

#include <utility>

namespace loglog {

Message::Message() noexcept = default;
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  Message::Message(Name m) noexcept : MessageVariant(std::move(m)) {}
#include "proto-spec/messages.def"
Message::Message(const Message&) = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(const Message&) = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;
bool Message::operator==(const Message& o) const {
  return static_cast<const MessageVariant&>(*this) == static_cast<const MessageVariant&>(o);
}

}  // namespace loglog
