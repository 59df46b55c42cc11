// Positive controls: each kind of fault alone, with a small planted bug that makes it do harm. A
// control passes when the fault without the bug is harmless, the bug without the fault is harmless,
// and both together are found.
#pragma once

namespace loglog::simulator {

/// Prints a line for each; true: all passed. `only`: the kinds whose names contain it.
bool run_controls(int processes, const char* only);

}  // namespace loglog::simulator
