// How SIGINT (Ctrl-C) and SIGTERM end a command: the command sees interrupted() at its next turn,
// and calls to the cluster that block are ended by closing their clients.
#pragma once
#include <loglog/client.h>

#include <chrono>

namespace loglog::cli {

/// Begins to watch. The first SIGINT or SIGTERM makes interrupted() true; `grace` later every
/// client that was given to end_when_interrupted() is closed, which ends its calls. A second signal
/// ends the process at once, as if nothing watched. To be called once, before clients are made.
void watch_signals(std::chrono::milliseconds grace = {});
/// Whether a signal has asked the command to end. From any thread.
bool interrupted();
/// Closes this client after a signal. Keeps the client alive until forget_clients(). Without effect
/// unless watch_signals() was called before.
void end_when_interrupted(const Client& client);
/// Releases the clients, at the end of the command.
void forget_clients();

}  // namespace loglog::cli
