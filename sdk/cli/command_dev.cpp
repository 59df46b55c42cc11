// loglog dev: an EmbeddedCluster that runs until a signal, for development and tests.
#include <fmt/format.h>
#include <loglog/embedded.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"

namespace loglog::cli {
namespace {

struct DevOptions {
  std::string data;
  std::string listen = "127.0.0.1:7070";
  std::string http;
  std::uint32_t sequencers = 1;
  std::uint32_t storage = 3;
};

// A folder that is removed when the command ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "loglog-dev-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int dev(const DevOptions& o) {
  watch_signals();
  std::optional<TemporaryFolder> folder;
  if (o.data.empty()) folder.emplace();
  const std::string data = folder ? folder->path() : o.data;
  if (data.empty()) return failed("cannot make a temporary folder; name one with --data");
  auto cluster = EmbeddedCluster::start({.name = "dev",
                                         .data = data,
                                         .listen = o.listen,
                                         .http = o.http,
                                         .sequencers = o.sequencers,
                                         .storage = o.storage});
  if (!cluster) return failed(cluster.error());
  bool ready = false;
  while (!interrupted() && !(ready = cluster->wait_ready(std::chrono::milliseconds(200)))) {
  }
  if (ready) {
    put("ready {}\n", cluster->address());
    flush_out();
  }
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  cluster->stop();
  return ready ? 0 : exit_failed;
}

}  // namespace

void add_dev(CLI::App& app, Run& run) {
  auto o = std::make_shared<DevOptions>();
  auto* c =
      app.add_subcommand("dev", "run a whole cluster in this process, for development and tests");
  c->add_option("--data", o->data,
                "folder to keep its data in (default: a temporary one, removed at exit)")
      ->type_name(folder_type);
  c->add_option("--listen", o->listen, "address of the first sequencer")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  c->add_option("--http", o->http,
                "where the first sequencer answers monitors over HTTP; each further node takes the "
                "next port, sequencers first (default: none "
                "does)")
      ->type_name("HOST:PORT");
  c->add_option("--sequencers", o->sequencers, "sequencers")
      ->check(CLI::IsMember({1, 3, 5}))
      ->capture_default_str();
  c->add_option("--storage", o->storage, "storage nodes")
      ->check(CLI::Range(1, 9))
      ->capture_default_str();
  c->footer(
      R"(Prints `ready HOST:PORT` when it serves, and runs until SIGINT or SIGTERM. All its nodes are one process: what kills one
kills all.

Examples:
  loglog dev &
  loglog dev --data ./dev --listen 127.0.0.1:7170 --sequencers 3)");
  c->callback([&run, o] { run = [o] { return dev(*o); }; });
}

}  // namespace loglog::cli
