#include "storage-node/app/storage_node.h"

int main(int argc, char** argv) { return loglog::storage::storage_main(argc, argv); }
