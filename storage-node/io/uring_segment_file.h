// The file engine for Linux with io_uring: group commits and reads go through a ring, rare
// operations go to the thread engine. app/ chooses the engine.
#pragma once
#include "storage-node/io/file_engine.h"

namespace loglog::storage {

/// Makes the engine, or returns nullptr if io_uring is missing or forbidden (seccomp answers EPERM
/// or ENOSYS). The attempt makes a ring and writes nothing. The engine is used and destroyed on the
/// loop's thread, and completions run there.
std::unique_ptr<FileEngine> make_uring_engine(SegmentDirectory& directory,
                                              const WatchReadable& watch, const PostToDriver& post);

}  // namespace loglog::storage
