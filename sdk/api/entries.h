// Entries of the core as the application gets them: copied, or as views into the received page.
// Used by the files of this folder that read.
#pragma once
#include <loglog/entry.h>

#include <vector>

#include "sdk/core/output.h"

namespace loglog {

/// Copies the payload.
Entry to_entry(const client::Entry& e);
/// Views that keep the memory of the entries and frames. Copies no payload.
EntryViews to_views(client::Delivered&& d);

}  // namespace loglog
