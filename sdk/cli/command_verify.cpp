// loglog verify: reads a log from each of its replicas and compares the bytes. Replicas are read by
// ReadOptions::replica, a page of each at the same time; replica_comparison.h compares. With
// --repair the command tells a node of damaged bytes, and the node repairs them (K4).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <future>
#include <thread>

#include "proto-spec/vocabulary/exit_code.h"
#include "proto-spec/vocabulary/json.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/progress.h"
#include "sdk/cli/replica_comparison.h"
#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct VerifyOptions {
  std::string log;
  std::optional<EntryOffset> from;
  std::vector<std::uint32_t> replicas;
  unsigned patience_s = 5;
  bool repair = false;
  bool json = false;
  When progress = When::automatic;
};

/// The answer of a replica to the question for a page.
struct Answer {
  std::string frames;
  Verdict verdict = Verdict::agrees;  // otherwise the reason that there are no frames
  std::string why;                    // that reason as a sentence
  // Set if the log was trimmed past the offset: where it begins now.
  std::optional<EntryOffset> begins;
};

/// Asks a replica once; `report`: tell it of bytes that do not verify.
Answer ask(Log log, std::uint32_t node, EntryOffset from, milliseconds left, bool report) {
  auto page = log.read(from, ReadOptions{.wait = std::min(left, milliseconds(500)),
                                         .replica = node,
                                         .report_damage = report,
                                         .frames = true,
                                         .timeout = left});
  if (page && !page->frames.empty()) return {std::move(page->frames), Verdict::agrees, {}, {}};
  const Errc code = page ? Errc::not_here : page.error().code;
  if (code == Errc::not_here)
    return {{},
            Verdict::behind,
            fmt::format("it has nothing past offset {} yet, and catches up by itself", from),
            {}};
  if (code == Errc::trimmed) return {{}, Verdict::agrees, {}, page.error().begins_at};
  if (code == Errc::unavailable)
    return {{}, Verdict::down, "it does not answer: start it, or leave it out with --replicas", {}};
  if (code == Errc::corrupt)
    return {{}, Verdict::damaged, fmt::format("the bytes at offset {} do not verify", from), {}};
  if (code == Errc::io_error)
    return {{},
            Verdict::damaged,
            fmt::format("its disk does not give the bytes at offset {}", from),
            {}};
  return {{}, Verdict::refuses, page.error().message, {}};
}

/// A replica that copies from its peers is behind meanwhile, and a node may be about to start.
bool may_come(Verdict v) { return v == Verdict::behind || v == Verdict::down; }

/// Reads the next page of a replica. A replica that is behind or down has until `patience` to give
/// it.
Answer fetch(const Log& log, std::uint32_t node, EntryOffset from, milliseconds patience) {
  const auto until = Clock::now() + patience;
  for (;;) {
    const auto left =
        std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(until - Clock::now()));
    Answer a = ask(log, node, from, left, false);
    if (!may_come(a.verdict) || Clock::now() >= until || interrupted()) return a;
    std::this_thread::sleep_for(milliseconds(20));  // the node may be copying from its peers
  }
}

/// Tells a node of bytes that do not verify, again and again until they verify or patience ends. A
/// node may mend them by a copy of the whole log, so it has the patience of fetch() meanwhile.
Answer repair(const Log& log, std::uint32_t node, EntryOffset from, milliseconds patience) {
  const auto until = Clock::now() + patience;
  for (;;) {
    Answer a = ask(log, node, from, patience, true);
    if (a.verdict != Verdict::damaged && !may_come(a.verdict)) return a;
    if (a.verdict == Verdict::damaged)
      a.why +=
          fmt::format("; it was told, and has not repaired them in {} s", patience.count() / 1000);
    if (Clock::now() >= until || interrupted()) return a;
    std::this_thread::sleep_for(milliseconds(100));  // the node reads the range and copies it
  }
}

/// A run of the command over [from, until): asks for pages, compares them, and settles replicas
/// that have no more to give.
class Verification {
 public:
  Verification(Log log, const VerifyOptions& o, std::vector<std::uint32_t> nodes, EntryOffset from,
               EntryOffset until)
      : log_(std::move(log)),
        options_(o),
        nodes_(std::move(nodes)),
        until_(until),
        progress_(o.progress, "verify " + o.log) {
    begin(from);
  }

  /// Runs until the range is compared, or no replica can give more, or the command is interrupted.
  void run() {
    while (!comparison_->finished() && !interrupted()) {
      const auto answers = ask_all();
      const auto trimmed =
          std::max_element(answers.begin(), answers.end(),
                           [](const auto& a, const auto& b) { return a.begins < b.begins; });
      // A trim moved the log's begin meanwhile. The chains must cover the same range on all
      // replicas, so the comparison starts over from there.
      if (trimmed->begins && *trimmed->begins > from_) {
        begin(std::min(*trimmed->begins, until_));
        continue;
      }
      for (std::size_t i = 0; i < answers.size(); ++i) comparison_->take(i, answers[i].frames);
      comparison_->compare();
      for (std::size_t i = 0; i < answers.size(); ++i) settle(i, answers[i]);
      comparison_->compare();
      progress_.show_bytes(comparison_->compared() - from_, until_ - from_);
    }
  }
  EntryOffset from() const { return from_; }
  const std::vector<ReplicaFinding>& findings() const { return comparison_->findings(); }

 private:
  void begin(EntryOffset from) {
    from_ = from;
    comparison_.emplace(nodes_, from, until_);
  }
  /// Asks every replica that lacks bytes for a page, all at the same time.
  std::vector<Answer> ask_all() {
    std::vector<std::future<Answer>> asked(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (const auto at = comparison_->wants(i))
        asked[i] = std::async(std::launch::async, [this, i, at = *at] {
          return fetch(log_, nodes_[i], at, patience());
        });
    std::vector<Answer> answers(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (asked[i].valid()) answers[i] = asked[i].get();
    return answers;
  }
  /// Ends a replica that gave no frames, unless it can be repaired. Repair needs proof that a frame
  /// begins there, otherwise an offset inside a frame would be reported as damage.
  void settle(std::size_t i, Answer a) {
    if (a.verdict == Verdict::damaged && options_.repair && comparison_->is_proven_frame(i)) {
      a = repair(log_, nodes_[i], comparison_->compared(), patience());
      if (!a.frames.empty()) {
        comparison_->repaired(i);
        comparison_->take(i, a.frames);
      }
    }
    if (a.verdict != Verdict::agrees) comparison_->stop(i, a.verdict, a.why);
  }
  milliseconds patience() const { return std::chrono::seconds(options_.patience_s); }

  Log log_;
  const VerifyOptions& options_;
  std::vector<std::uint32_t> nodes_;
  EntryOffset from_ = 0;
  EntryOffset until_;
  std::optional<ReplicaComparison> comparison_;
  Progress progress_;
};

void print_json(const VerifyOptions& o, EntryOffset from, EntryOffset until,
                const std::vector<ReplicaFinding>& findings) {
  std::vector<std::string> rows;
  rows.reserve(findings.size());
  for (const ReplicaFinding& f : findings)
    rows.push_back(
        fmt::format("{{\"id\": {}, \"verdict\": \"{}\", \"end\": {}, \"entries\": {}, \"bytes\": "
                    "{}, \"repaired\": {}, "
                    "\"chain\": \"{:016x}\", \"content\": \"{:016x}\", \"why\": {}}}",
                    f.node, word_of(f.verdict), f.end, f.entries, f.bytes, f.repaired,
                    f.chain.value, f.content, json_string(f.why)));
  put("{{\"log\": {}, \"from\": {}, \"until\": {}, \"agree\": {}, \"replicas\": [{}]}}\n",
      json_string(o.log), from, until, exit_code_of(findings) == 0, fmt::join(rows, ", "));
}

Colour colour_of(Verdict v) {
  if (v == Verdict::agrees) return Colour::green;
  return v == Verdict::damaged || v == Verdict::differs ? Colour::red : Colour::yellow;
}

std::string advice(const ReplicaFinding& f, const VerifyOptions& o) {
  switch (f.verdict) {
    case Verdict::damaged:
      return o.repair
                 ? "Look at the node's log and its disk; readers are given other replicas' bytes."
                 : "Readers are given other replicas' bytes; --repair has the node copy them from "
                   "a peer.";
    case Verdict::differs:
      return "This must not happen. Keep the data directories of all its nodes as they are, and "
             "stop that node.";
    case Verdict::behind:
    case Verdict::down:
    case Verdict::refuses:
    case Verdict::agrees:
      break;
  }
  return "";
}

void print_table(const VerifyOptions& o, EntryOffset from, EntryOffset until,
                 const std::vector<ReplicaFinding>& findings) {
  const bool colours = wants_colour(When::automatic, Stream::out);
  put("log {}, offsets {} to {} ({})\n", o.log, from, until,
      human_bytes(static_cast<double>(until - from)));
  std::vector<std::vector<Cell>> rows = {{{"REPLICA", Colour::dim},
                                          {"VERDICT", Colour::dim},
                                          {"UP TO", Colour::dim, true},
                                          {"ENTRIES", Colour::dim, true},
                                          {"BYTES", Colour::dim, true},
                                          {"CHAIN", Colour::dim},
                                          {"CONTENT", Colour::dim}}};
  for (const ReplicaFinding& f : findings)
    rows.push_back({{fmt::format("{}", f.node)},
                    {f.repaired > 0 ? fmt::format("{}, {} repaired", word_of(f.verdict), f.repaired)
                                    : word_of(f.verdict),
                     colour_of(f.verdict)},
                    {fmt::format("{}", f.end), Colour::plain, true},
                    {fmt::format("{}", f.entries), Colour::plain, true},
                    {human_bytes(static_cast<double>(f.bytes)), Colour::plain, true},
                    {fmt::format("{:016x}", f.chain.value)},
                    {fmt::format("{:016x}", f.content)}});
  put("{}", table(rows, 0, colours));
  for (const ReplicaFinding& f : findings)
    if (f.verdict != Verdict::agrees)
      put("replica {} {}: {}. {}\n", f.node,
          paint(word_of(f.verdict), colour_of(f.verdict), colours), f.why, advice(f, o));
  const auto agree = std::count_if(findings.begin(), findings.end(),
                                   [](const auto& f) { return f.verdict == Verdict::agrees; });
  put("{} of {} replicas hold the same bytes\n", agree, findings.size());
}

/// The nodes to ask: those of --replicas, or all nodes of the log.
std::expected<std::vector<std::uint32_t>, CallError> chosen(const VerifyOptions& o,
                                                            const LogDetails& log) {
  if (o.replicas.empty()) return log.nodes;
  for (const std::uint32_t n : o.replicas)
    if (std::find(log.nodes.begin(), log.nodes.end(), n) == log.nodes.end())
      return std::unexpected(
          CallError{Errc::invalid_argument,
                    fmt::format("--replicas: storage node {} holds no replica of {}; nodes {} do",
                                n, o.log, fmt::join(log.nodes, ", ")),
                    false});
  return o.replicas;
}

/// Corrects the verdict of nodes that lost data. A node whose disk lost acknowledged bytes (T4)
/// answers like a node that lags, but never catches up. The leader's status tells the two apart.
void name_losses(Client& client, std::vector<ReplicaFinding>& findings) {
  const auto seen = client.status(false);
  if (!seen) return;
  for (ReplicaFinding& f : findings)
    for (const auto& n : seen->storage) {
      if (n.id != f.node || n.state != "data_loss" || f.verdict == Verdict::agrees) continue;
      f.verdict = Verdict::refuses;
      f.why = fmt::format(
          "its disk lost bytes that it had acknowledged: move its directory aside, start it with "
          "an empty one, then "
          "loglog nodes replace-disk {}",
          n.id);
    }
}

int verify(const Target& target, const VerifyOptions& o) {
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  const auto nodes = chosen(o, log->details());
  if (!nodes) return failed(nodes.error());
  const auto tail = log->tail();
  if (!tail) return failed(tail.error());
  const EntryOffset from = o.from.value_or(tail->first);
  if (from < tail->first || from > tail->committed)
    return failed(fmt::format(
        "--from {}: the log begins at {} and is committed up to {}; give an offset between them",
        from, tail->first, tail->committed));
  Verification v(*log, o, *nodes, from, tail->committed);
  v.run();
  if (interrupted()) return failed("interrupted: nothing can be said of the whole range");
  std::vector<ReplicaFinding> findings = v.findings();
  name_losses(*client, findings);
  const bool none_begins =
      std::all_of(findings.begin(), findings.end(),
                  [&](const auto& f) { return f.verdict != Verdict::agrees && f.bytes == 0; }) &&
      std::any_of(findings.begin(), findings.end(),
                  [](const auto& f) { return f.verdict == Verdict::damaged; });
  if (o.from && none_begins)
    return failed(
        fmt::format("--from {}: no entry begins there, for all that the replicas show", from));
  if (o.json) print_json(o, v.from(), tail->committed, findings);
  else if (exit_code_of(findings) == 0 &&
           std::ranges::all_of(findings, [](const auto& f) { return f.entries == 0; }))
    put("log {}: no entry lies between offset {} and {}, so nothing was compared\n", o.log,
        v.from(), tail->committed);
  else print_table(o, v.from(), tail->committed, findings);
  return exit_code_of(findings);
}

}  // namespace

void add_verify(CLI::App& app, Target& target, Run& run) {
  auto o = std::make_shared<VerifyOptions>();
  auto* c = app.add_subcommand(
      "verify", "read a log from each of its replicas by itself and compare the bytes");
  add_log_name(*c, o->log);
  c->add_option("--from", o->from,
                "offset to begin at, of an entry (default: where the log begins)");
  c->add_option("--replicas", o->replicas,
                "numbers of the storage nodes to compare (default: all that hold the log)")
      ->delimiter(',');
  add_duration(*c, "--patience",
               [o](std::chrono::milliseconds t) {
                 o->patience_s = static_cast<decltype(o->patience_s)>(t.count() / 1000);
               },
               "how long a replica may take to show more before it counts as behind or down",
               {.least = std::chrono::seconds(1),
                .most = std::chrono::hours(1),
                .standard = fmt::format("{}s", o->patience_s)});
  c->add_flag("--repair", o->repair,
              "tell a node of its damaged bytes and wait until it has copied them from a peer");
  c->add_flag("--json", o->json, "one JSON object");
  add_progress(*c, o->progress);
  add_cluster(*c, target);
  c->footer(fmt::format(
      R"(The range ends where the log was committed when the command began; appends may go on. Each replica's frames
are read in pages, checked (place, length, both checksums), chained and compared byte for byte with the others'.
The chain and the content digest cover the range: two runs over the same range print the same ones. What a node
still holds in memory (the newest 8 MiB of a log) is read from there, as by any reader.

Storage nodes repair themselves, as soon as a reader meets damage or their leader finds them behind: there is no
other repair command.

Examples:
  loglog verify events
  loglog verify events --from 1048616 --replicas 1,3
  loglog verify events --repair --json

Exit codes:
  0   all replicas asked hold the range, and the same bytes
  1   it could not be done: no leader, no such log, interrupted
  2   bad usage
  {}  a replica is damaged, or holds other bytes than most
  {}  a replica is down or behind: the others agree, and it could not be compared)",
      exit_replicas_differ, exit_replicas_missing));
  c->callback([&target, &run, o] { run = [&target, o] { return verify(target, *o); }; });
}

}  // namespace loglog::cli
