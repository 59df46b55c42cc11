// loglog: the command line for people and scripts, and both servers in the same binary. All work is
// in command_line.cpp.
#include "sdk/cli/command_line.h"

int main(int argc, char** argv) { return loglog::cli::run_command_line(argc, argv); }
