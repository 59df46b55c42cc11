// The program `loglog-storage`; everything is in storage_main.cpp.
#include "storage-node/app/storage_node.h"

int main(int argc, char** argv) { return loglog::storage::storage_main(argc, argv); }
