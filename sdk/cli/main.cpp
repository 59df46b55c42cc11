// loglog: the command line for people and scripts.
#include <cstring>

#include "sdk/cli/cli.h"
#include "sequencer/app/sequencer.h"
#include "storage-node/app/storage_node.h"

using namespace loglog::cli;

int main(int argc, char** argv) {
  // `loglog storage …` and `loglog sequencer …` are the servers, from the one binary.
  if (argc > 1 && std::strcmp(argv[1], "storage") == 0) return loglog::storage::storage_main(argc - 1, argv + 1);
  if (argc > 1 && std::strcmp(argv[1], "sequencer") == 0) return loglog::sequencer::sequencer_main(argc - 1, argv + 1);

  CLI::App app{"LogLog: an ordered, append-only, replicated log"};
  app.set_version_flag("--version", std::string("loglog " LOGLOG_VERSION));
  app.require_subcommand(1);
  app.footer("loglog storage … and loglog sequencer … run the servers; see their --help.");
  Target target;
  Run run;
  add_dev(app, run);
  add_append(app, target, run);
  add_read(app, target, run);
  add_follow(app, target, run);
  add_tail(app, target, run);
  add_logs(app, target, run);
  add_status(app, target, run);
  add_inspect(app, run);
  add_bench(app, target, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return run ? run() : exit_failed;
}
