// loglog: the command line for people and scripts.
#include "sdk/cli/command_line.h"

int main(int argc, char** argv) { return loglog::cli::run_command_line(argc, argv); }
