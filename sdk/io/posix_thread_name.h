// The name of a thread, as debuggers and top show it. Used by ClientDriver.
#pragma once
#include <string>

namespace loglog::client {

/// Names the calling thread. Only the first 15 bytes count, because Linux takes no more. Empty: the
/// thread keeps the name of the thread that started it.
void name_this_thread(const std::string& name);

}  // namespace loglog::client
