// Group commits and reads by io_uring; the rare operations go to the thread engine.
#pragma once
#include "storage-node/io/file_engine.h"

namespace loglog::storage {

/// nullptr where io_uring is forbidden or missing (seccomp answers EPERM or ENOSYS): the probe
/// makes a ring and writes nothing. Lives on the loop's thread; completions come there.
std::unique_ptr<FileEngine> make_uring_engine(SegmentDirectory& directory,
                                              const WatchReadable& watch, const PostToDriver& post);

}  // namespace loglog::storage
