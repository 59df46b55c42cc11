// loglog dev: a whole cluster in one process, for development and tests.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "proto-spec/transport/uv_connection.h"
#include "sdk/cli/cli.h"
#include "sequencer/app/sequencer.h"
#include "storage-node/app/storage_node.h"

namespace loglog::cli {
namespace {

struct Options {
  std::string data;
  std::string listen = "127.0.0.1:7070";
  std::uint32_t sequencers = 1;
  std::uint32_t storage = 3;
};

// A folder that goes when the cluster does.
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

int dev(const Options& o) {
  watch_signals();
  if (o.sequencers != 1 && o.sequencers != 3 && o.sequencers != 5)
    return failed(fmt::format("--sequencers {}: give 1, 3 or 5", o.sequencers));
  if (o.storage < 1 || o.storage > 9) return failed(fmt::format("--storage {}: give 1 to 9", o.storage));
  std::optional<TemporaryFolder> folder;
  if (o.data.empty()) folder.emplace();
  const std::string data = folder ? folder->path() : o.data;
  if (data.empty()) return failed("cannot make a temporary folder; name one with --data");

  std::vector<std::unique_ptr<storage::StorageNode>> nodes;
  std::vector<StorageInfo> node_list;
  const auto parts = transport::split_address(o.listen);
  if (!parts) return failed(parts.error().message());
  const std::string host = o.listen.substr(0, o.listen.rfind(':'));
  for (std::uint32_t i = 1; i <= o.storage; ++i) {
    storage::NodeOptions n;
    n.id = i;
    n.cluster_name = "dev";
    n.listen = host + ":0";  // clients learn the port from the metadata
    n.data = fmt::format("{}/storage-{}", data, i);
    n.log_level = transport::LogLevel::warning;
    nodes.push_back(std::make_unique<storage::StorageNode>(n));
    if (auto ok = nodes.back()->start(); !ok) return failed(ok.error().message());
    node_list.push_back({NodeId{i}, DiskId{}, nodes.back()->address()});
  }
  std::vector<SequencerInfo> list;
  for (std::uint32_t i = 1; i <= o.sequencers; ++i) {
    // The first is where people connect. Ports of the others must be known to all beforehand, so they follow it.
    const int port = std::stoi(parts->second) + static_cast<int>(i) - 1;
    list.push_back({SequencerId{i}, fmt::format("{}:{}", host, port)});
  }
  std::vector<std::unique_ptr<sequencer::Sequencer>> sequencers;
  for (std::uint32_t i = 1; i <= o.sequencers; ++i) {
    sequencer::SequencerOptions s;
    s.id = i;
    s.cluster_name = "dev";
    s.listen = list[i - 1].address;
    s.data = fmt::format("{}/sequencer-{}", data, i);
    s.sequencers = list;
    s.storage = node_list;
    s.log_level = transport::LogLevel::warning;
    sequencers.push_back(std::make_unique<sequencer::Sequencer>(s));
    if (auto ok = sequencers.back()->start(); !ok) return failed(ok.error().message());
  }
  // Ready when it serves: the leader answers and every node is up.
  auto client = Client::connect({.addresses = {sequencers.front()->address()}});
  if (!client) return failed(client.error());
  const auto up = [&] {
    const auto r = client->status(false);
    if (!r) return false;
    std::size_t ready = 0;
    for (const auto& n : r->storage) ready += n.state == "up" ? 1 : 0;
    return ready == o.storage;
  };
  while (!interrupted() && !up()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (!interrupted()) {
    fmt::print("ready {}\n", sequencers.front()->address());
    std::fflush(stdout);
  }
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  sequencers.clear();
  nodes.clear();
  return 0;
}

}  // namespace

void add_dev(CLI::App& app, Run& run) {
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("dev", "a whole cluster in this process; prints `ready HOST:PORT` when it serves");
  c->add_option("--data", o->data, "directory to keep its data in (default: a temporary one, removed at exit)");
  c->add_option("--listen", o->listen, "HOST:PORT of the first sequencer (default 127.0.0.1:7070)");
  c->add_option("--sequencers", o->sequencers, "1, 3 or 5 (default 1)");
  c->add_option("--storage", o->storage, "storage nodes (default 3)");
  c->callback([&run, o] { run = [o] { return dev(*o); }; });
}

}  // namespace loglog::cli
