// Integration: a client's figures equal the calls that it made, in the struct and in the text, from
// any thread and in a callback. An embedded cluster also serves its nodes' pages.
// client_figures          checks, and prints "client_figures: ok"
// client_figures --text   prints the text of a client that has made every kind of call, for
// promtool
#include <arpa/inet.h>
#include <fmt/format.h>
#include <loglog/embedded.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <string_view>
#include <thread>

using namespace loglog;
using namespace std::chrono_literals;

namespace {

/// Ends the program with exit code 1 unless `ok` holds.
void must(bool ok, const std::string& what) {
  if (ok) return;
  fmt::print(stderr, "client_figures: {}\n", what);
  std::exit(1);
}

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "loglog-figures-XXXXXX").string();
  Folder() { must(::mkdtemp(path.data()) != nullptr, "a folder"); }
  ~Folder() { std::filesystem::remove_all(path); }
};

constexpr std::size_t entries = 300, length = 100;

/// The value of a series in the text, or -1 if the text does not have it.
double in_text(const std::string& text, const std::string& series) {
  const auto at = text.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
}

/// Appends that succeed, an append that is too large, and an append whose deadline has passed.
void appends(Client& client) {
  auto log = client.open_or_create_log("events");
  must(log.has_value(), "a log");
  std::vector<std::future<AppendResult>> under_way;
  for (std::size_t i = 0; i < entries; ++i)
    under_way.push_back(log->append_async(std::string(length, 'x')));
  for (auto& f : under_way) must(static_cast<bool>(f.get()), "an append");
  must(!log->append(std::string(entry_bytes_max + 1, 'x')), "one that is too large");
  must(!log->append("late", {.timeout = 0ms}), "one without time");

  const ClientFigures f = client.figures();
  must(
      f.appends_committed == entries && f.appends_refused == 2 && f.appends_unknown == 0,
      fmt::format("outcomes: {} {} {}", f.appends_committed, f.appends_refused, f.appends_unknown));
  must(f.appended_bytes == entries * length, fmt::format("{} bytes", f.appended_bytes));
  must(f.append_latency.count() == entries, fmt::format("{} latencies", f.append_latency.count()));
  must(f.append_latency.sum > 0us && f.append_latency.quantile(0.5) > 0us, "they took time");
  must(f.append_latency.quantile(0.5) <= f.append_latency.quantile(0.99), "quantiles ascend");
  must(f.uploads >= 3 && f.commits >= 1 && f.connections >= 4,
       "it speaks to three replicas and a sequencer");
  must(f.bytes_in_flight == 0 || f.bytes_in_flight <= entries * (length + 40),
       "nothing is kept for long");
}

/// Reads the log by pages and by a follow, and checks the counts.
void reads(Client& client) {
  auto log = client.open_log("events");
  std::size_t read = 0;
  for (EntryOffset at = 0; read < entries;) {
    auto page = log->read(at, 4096, 1000ms);
    must(page.has_value(), "a page");
    read += page->entries.size();
    at = page->next;
  }
  ClientFigures f = client.figures();
  must(f.reads >= 2 && f.read_entries == read && f.read_bytes == read * length,
       fmt::format("{} of {} entries read", f.read_entries, read));
  must(f.followed_entries == 0, "nothing was followed yet");

  std::atomic<std::size_t> followed = 0, seen_inside = 0;
  {
    const Follower follower = log->follow(0, [&](const Entry&) {
      seen_inside = client.figures().followed_entries;  // a callback may ask for figures
      ++followed;
    });
    for (int i = 0; i < 2000 && followed < entries; ++i) std::this_thread::sleep_for(10ms);
  }
  must(followed == entries && seen_inside == entries,
       fmt::format("{} entries followed, {} seen inside", followed.load(), seen_inside.load()));
  f = client.figures();
  must(f.followed_entries == entries && f.followed_bytes == entries * length,
       "what was followed is counted");
  must(f.corrupt_pages == 0, "nothing was corrupt");
}

/// The text and the struct must agree, since nothing happens in between.
void text_says_the_same(const Client& client) {
  const std::string text = "\n" + client.prometheus_text();
  const ClientFigures f = client.figures();
  must(in_text(text, "loglog_client_appends_total{outcome=\"committed\"}") ==
           static_cast<double>(f.appends_committed),
       text);
  must(in_text(text, "loglog_client_appends_total{outcome=\"refused\"}") ==
           static_cast<double>(f.appends_refused),
       text);
  must(in_text(text, "loglog_client_append_duration_seconds_count") ==
           static_cast<double>(f.append_latency.count()),
       text);
  must(in_text(text, "loglog_client_append_duration_seconds_bucket{le=\"+Inf\"}") ==
           static_cast<double>(f.append_latency.count()),
       text);
  must(in_text(text, "loglog_client_followed_bytes_total") == static_cast<double>(f.followed_bytes),
       text);
}

/// Three threads ask for figures while a fourth appends. Each answer must be consistent in itself,
/// and counts never fall.
void from_many_threads(Client& client) {
  auto log = client.open_log("events");
  std::atomic<bool> done = false;
  std::vector<std::thread> asking;
  for (int i = 0; i < 3; ++i)
    asking.emplace_back([&] {
      std::uint64_t before = 0;
      while (!done) {
        const auto f = client.figures();
        must(f.appends_committed >= before && f.append_latency.count() == f.appends_committed,
             "one moment, and no way back");
        before = f.appends_committed;
      }
    });
  for (int i = 0; i < 100; ++i) must(static_cast<bool>(log->append("x")), "an append");
  done = true;
  for (auto& t : asking) t.join();
}

/// The answer to a GET request, with its head.
std::string get(const std::string& address, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0,
       "a connection to " + address);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  must(::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(request.size()),
       "a request");
  std::string all;
  char piece[4096];
  for (ssize_t n = 0; (n = ::recv(fd, piece, sizeof piece, 0)) > 0;)
    all.append(piece, static_cast<std::size_t>(n));
  ::close(fd);
  return all;
}

/// Each embedded node serves its own figures at its own address.
void embedded_pages(const EmbeddedCluster& cluster) {
  const auto& where = cluster.http_addresses();
  must(where.size() == 4 && std::set<std::string>(where.begin(), where.end()).size() == 4,
       "four nodes, four addresses");
  for (std::size_t i = 0; i < where.size(); ++i) {
    must(get(where[i], "/healthz").starts_with("HTTP/1.1 200 "), where[i] + " lives");
    const std::string page = get(where[i], "/metrics");
    must(page.find(i == 0 ? "\nloglog_sequencer_leads 1\n" : "\nloglog_storage_logs 1\n") !=
             std::string::npos,
         where[i] + " shows its own figures: " + page);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool text = argc == 2 && std::string_view(argv[1]) == "--text";
  must(argc == 1 || text, "usage: client_figures [--text]");
  const Folder folder;
  auto cluster = EmbeddedCluster::start(
      {.name = "figures", .data = folder.path, .http = "127.0.0.1:0", .storage = 3});
  must(cluster.has_value(), "a cluster");
  must(cluster->wait_ready(20s), "it serves");
  auto client = Client::connect({.addresses = {cluster->address()}});
  must(client.has_value(), "a client");
  appends(*client);
  reads(*client);
  if (text) {
    fmt::print("{}", client->prometheus_text());
    return 0;
  }
  text_says_the_same(*client);
  from_many_threads(*client);
  embedded_pages(*cluster);
  cluster->stop();
  // Ports 65534 and 65535 exist, but four nodes need four ports.
  const auto bad = EmbeddedCluster::start(
      {.name = "figures", .data = folder.path, .http = "127.0.0.1:65534", .storage = 3});
  must(!bad && bad.error().code == Errc::bad_configuration, "more nodes than ports");
  fmt::print("client_figures: ok\n");
}
