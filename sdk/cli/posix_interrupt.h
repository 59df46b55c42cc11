// Ctrl-C: how SIGINT and SIGTERM end a command.
#pragma once
#include <loglog/client.h>

#include <chrono>

namespace loglog::cli {

/// From now on the first SIGINT or SIGTERM asks the command to end: interrupted() is true, and
/// after `grace` the calls of every client that was given to end_when_interrupted() end
/// (Client::close). A second one ends the process at once, as without this.
void watch_signals(std::chrono::milliseconds grace = {});
bool interrupted();
void end_when_interrupted(const Client& client);
/// Lets the clients go, which are kept until then.
void forget_clients();

}  // namespace loglog::cli
