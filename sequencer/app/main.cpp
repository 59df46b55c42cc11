// The program `loglog-sequencer`; everything is in sequencer_main.cpp.
#include "sequencer/app/sequencer.h"

int main(int argc, char** argv) { return loglog::sequencer::sequencer_main(argc, argv); }
