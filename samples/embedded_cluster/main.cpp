// A cluster inside this process, without a port: its nodes and this program's client meet in
// memory.
//   embedded_cluster DIRECTORY [LINES]
// The program appends LINES entries (default 1000), follows them back and compares. Entries of
// earlier runs are still in DIRECTORY.
#include <loglog/embedded.h>

#include <iostream>
#include <string>
#include <vector>

namespace {
int fail(const std::string& sentence) {
  std::cerr << sentence << '\n';
  return 1;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return fail("usage: embedded_cluster DIRECTORY [LINES]");
  const auto lines = argc > 2 ? std::stoull(argv[2]) : 1000;
  auto cluster = loglog::EmbeddedCluster::start({.name = "sample", .data = argv[1]});
  if (!cluster) return fail(cluster.error().message);
  // Appends would wait too; waiting here gives a clearer error.
  if (!cluster->wait_ready(std::chrono::seconds(20)))
    return fail("the embedded cluster is not ready after 20 s");

  auto client = loglog::Client::connect({.addresses = {cluster->address()}});
  if (!client) return fail(client.error().message);
  auto log = client->open_or_create_log("sample");
  if (!log) return fail(log.error().message);
  // Earlier runs left entries, so the comparison begins at the present end.
  const auto from = log->end();
  if (!from) return fail(from.error().message);

  std::vector<std::future<loglog::AppendResult>> appends;
  for (unsigned long long i = 0; i < lines; ++i)
    // Does not wait: the client packs many entries into each run.
    appends.push_back(log->append_async("line " + std::to_string(i)));
  auto entries = log->follow(*from);
  for (unsigned long long i = 0; i < lines; ++i) {
    const auto entry = entries.next_for(std::chrono::seconds(20));
    if (!entry) return fail("nothing came for 20 s");
    const auto result = appends[i].get();
    if (!result) return fail(result.error.message);
    if (entry->offset != result.offset || entry->payload != "line " + std::to_string(i))
      return fail("entry " + std::to_string(i) + " differs");
  }
  std::cout << lines << " entries appended, followed back and equal; they begin at " << *from
            << '\n';
}
