// Positive controls: each kind of fault, with a planted bug (bugs.h) that makes the fault do harm.
// A control passes if the fault alone is harmless, the bug alone is harmless, and both together are
// found. `loglog-simulate --controls` runs them.
#pragma once

namespace loglog::simulator {

/// Prints a line for each control; returns true if all passed and every kind of fault has a
/// control. `processes`: how many worker processes. `only`: a text that the fault's name must
/// contain; "" selects all.
bool run_controls(int processes, const char* only);

}  // namespace loglog::simulator
