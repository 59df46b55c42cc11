// The main function of every doctest program. It stands in a file of its own because compiling it
// is slow.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
