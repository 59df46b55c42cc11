// LogLog's SDK: append to replicated logs, read them, follow them.
//
//   auto client = loglog::Client::connect({.addresses = {"127.0.0.1:7070"}});
//   auto log = client->create_log("events");
//   auto result = log->append("hello");             // result.offset, once committed
//   for (auto& entry : log->follow(0)) use(entry);  // from the beginning, and on
//
// Thread-safe: every member may be called from any thread.
//
// Callbacks run on the client's own thread and must not block, because the client does nothing else
// meanwhile. A call that would wait for the client there (append, append_batch, read, tail, fence,
// open_log, status, Follower::next, …) returns would_deadlock at once; append_async, append and
// follow with a callback, figures and stop may be called. The future of an append_async must not be
// waited for there. An exception that leaves a callback ends the program by std::terminate.
//
// Fork: a client belongs to the process that made it. In a child process each of its calls fails at
// once with `forked` and its destruction touches nothing, so that the parent goes on undisturbed;
// figures() are zero there. The child may make a client of its own. Descriptors are closed on exec.
//
// Signals: the client's threads block all of them; the application's threads get every signal.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// Position of an entry in its log, in bytes; the id of the entry.
using EntryOffset = std::uint64_t;

/// Largest entry, bytes.
inline constexpr std::size_t entry_bytes_max = 16'777'215;

/// Bytes that the log keeps for an entry beside its payload: an entry at `offset` ends at offset +
/// entry_overhead + its size.
inline constexpr std::size_t entry_overhead = 44;

/// Why a call failed.
struct CallError {
  std::string code;           ///< stable name, for example "no_such_log"
  std::string message;        ///< one sentence for people: the value, the limit, what to do
  bool retry = false;         ///< the same call may succeed later or elsewhere
  EntryOffset begins_at = 0;  ///< with "trimmed": where the log begins
  EntryOffset ends_at = 0;    ///< with "offset_mismatch": what stands in the way lies below, and is
                              ///< committed; "past_end": the tail
  std::uint64_t fence = 0;    ///< with "producer_fenced": the log's fencing token
};

/// What an append asks for beyond its payload.
struct AppendOptions {
  std::optional<std::chrono::milliseconds> timeout = {};  ///< the client's where none is given
  /// The entry is appended only where no entry lies at or above this offset, that is, where the log
  /// ends for its readers: an Entry::next, a ReadResult::next or a TailPosition::committed. Else it
  /// is refused with offset_mismatch. Linearizable. One such append goes at a time, so it is for
  /// state machines with one writer, not for bulk.
  std::optional<EntryOffset> expected_offset = {};
  /// The writer's fencing token (Log::fence); refused with producer_fenced once a higher one was
  /// set. 0: names none, and no fence holds the append up.
  std::uint64_t fence = 0;
};

/// What Log::fence() has set.
struct FencePosition {
  std::uint64_t token = 0;  ///< in force
  EntryOffset end =
      0;  ///< committed; nothing of a writer with a lower token lies here or above, now or later
};

/// An append ends in one of three ways.
struct AppendResult {
  enum class Outcome : std::uint8_t {
    committed,  ///< durable on the write quorum, at `offset`; never lost, never moved
    refused,    ///< nothing was written and nothing will be; see `error`
    unknown     ///< the deadline passed, or its place was trimmed: read the log to find out before
                ///< appending it again
  };
  Outcome outcome = Outcome::refused;
  EntryOffset offset = 0;
  std::uint32_t term = 0;
  CallError error;
  explicit operator bool() const { return outcome == Outcome::committed; }
};

/// One entry as read. `payload` is its bytes, checked against the appender's checksum.
struct Entry {
  EntryOffset offset = 0;
  EntryOffset next = 0;  ///< where the entry after it may be read
  std::uint32_t term = 0;
  std::uint64_t producer = 0;
  std::uint64_t sequence = 0;
  std::string payload;
  bool packed = false;  ///< appended by append_batch
  std::vector<std::string> parts()
      const;  ///< what append_batch was given; the payload alone for other entries
};

/// A position to keep: an offset means something in its own log alone, and a log that was deleted
/// and made again is another one.
struct LogPosition {
  std::uint64_t log = 0;  ///< LogDetails::id
  EntryOffset offset = 0;
  std::string text() const;  ///< "6@9458"
  /// nullopt: it is none.
  static std::optional<LogPosition> parse(std::string_view text);
  bool operator==(const LogPosition&) const = default;
};

/// What one read found.
struct ReadResult {
  std::vector<Entry> entries;
  EntryOffset next = 0;  ///< where to read on; may lie past the last entry, for the log has frames
                         ///< of its own between entries
  std::string
      frames;  ///< with ReadOptions::frames: the log's bytes from the asked offset to `next`
};

struct ReadOptions {
  std::size_t max_bytes =
      1u << 20;  ///< about so many; at least one entry where there is one. At most 4 MiB
  /// How long to wait at the committed end for more.
  std::chrono::milliseconds wait{0};
  /// Number of the one storage node to read from, for those who compare replicas or look for what
  /// one lacks: no other is asked in its place, and the first thing it cannot show ends the call:
  /// not_here (it lags), corrupt, io_error, not_member; unavailable where it does not answer until
  /// the deadline. What precedes damage is given out first. 0: any, and what fails on one comes
  /// from another.
  std::uint32_t replica = 0;
  /// With `replica`: tell it of bytes that do not verify; it looks for itself and copies them from
  /// a peer. Only for offsets where an entry is known to begin. Reads from any replica always tell.
  bool report_damage = false;
  /// Give out the stored frames (proto-spec/disk/frame.h), verified, the log's own included, in
  /// ReadResult::frames instead of entries.
  bool frames = false;
  std::optional<std::chrono::milliseconds> timeout = {};  ///< beyond `wait`; default: the client's
};

struct CreateOptions {
  std::uint32_t replicas = 0;  ///< storage nodes that hold the log; 0: min(3, nodes). At most 9
  std::uint32_t write_quorum =
      0;  ///< replicas durable before an append is acknowledged; 0: the majority
  std::uint64_t segment_bytes = 0;  ///< 65536 to 16 GiB; 0: 64 MiB
  /// Whole segments of old entries are trimmed while at least this many bytes stay; at least one
  /// segment's; 0: no bound.
  std::uint64_t retention_bytes = 0;
  /// … when all in them is older than this, by the least clock of a majority of sequencers; 1 s to
  /// 100 years; 0: no bound.
  std::chrono::milliseconds retention_age{0};
};

struct LogDetails {
  std::uint64_t id = 0;
  std::string name;
  std::uint32_t replicas = 0;
  std::uint32_t write_quorum = 0;
  std::uint64_t segment_bytes = 0;
  std::vector<std::uint32_t> nodes;
  EntryOffset trim = 0;
  std::uint64_t retention_bytes = 0;           ///< 0: no bound
  std::chrono::milliseconds retention_age{0};  ///< 0: no bound
  std::uint64_t fence = 0;  ///< fencing token in force (Log::fence); 0: none was set
};

struct TailPosition {
  EntryOffset first = 0;      ///< where the log begins after trims
  EntryOffset committed = 0;  ///< end of what is committed
  std::uint32_t term = 0;
};

/// What `loglog status` shows.
struct ClusterReport {
  /// healthy: all nodes and replicas are there. degraded: appends and reads go on with less to
  /// spare. not_serving: appends to some log, or to all, wait or are refused.
  enum class Health : std::uint8_t { healthy, degraded, not_serving };
  struct Alarm {
    std::string
        id;  ///< kind, the same for ever: see "What each alarm means" in sequencer/README.md
    bool critical = false;
    std::string what;    ///< the consequence first, then the cause
    std::string action;  ///< what to do
  };
  struct Sequencer {
    std::uint32_t id = 0;
    std::string address;
    std::string role;  ///< leader, follower, candidate, unreachable
    std::uint64_t term = 0;
    std::uint32_t protocol = 0;  ///< highest protocol version that it speaks; 0: it does not say,
                                 ///< as those of version 1 do not
  };
  struct Storage {
    std::uint32_t id = 0;
    std::string address;
    std::string state;  ///< up, lagging, suspect, unreachable, foreign_disk, data_loss: as on the
                        ///< status page
    std::uint64_t staged_bytes = 0;
    std::uint64_t disk_free_bytes = 0;  ///< of the file system of its data directory
    std::uint64_t disk_size_bytes = 0;  ///< 0: not told yet
    /// Storage nodes that hold the same logs and do not answer this one.
    std::vector<std::uint32_t> cannot_reach{};
  };
  struct Replica {
    std::uint32_t id = 0;
    EntryOffset durable = 0;
    /// streaming, full (its disk gives no space, so its node refuses uploads), lagging, suspect,
    /// unreachable, newcomer (on a replaced disk that is not taken in yet).
    std::string state;
    std::uint64_t disk_bytes =
        0;  ///< what its files take, space that is reserved ahead included; 0: not told yet
  };
  struct LogReport {
    std::string name;
    EntryOffset first = 0;
    EntryOffset committed = 0;
    std::uint32_t term = 0;
    std::uint32_t write_quorum = 0;
    std::vector<Replica> replicas;
    std::string state;  ///< open (takes appends), recovering, halted (its replicas contradict each
                        ///< other), creating, deleting
  };
  /// A producer: a client has a producer of its own for each log that it appends to.
  struct Writer {
    std::string address;  ///< of the client, as the leader sees it
    std::string name;  ///< of its program (ClientOptions::name); empty: it does not say. Name and
                       ///< version may hold any bytes
    std::string version;  ///< of its SDK
    std::string log;
    std::uint64_t producer = 0;
    std::uint64_t entries = 0;      ///< committed since this leader has known the producer
    std::uint64_t bytes = 0;        ///< of their frames
    double entries_per_second = 0;  ///< over the last seconds
    double bytes_per_second = 0;
  };
  std::string cluster;
  /// The leader's verdict and alarms, as on the status page; without a leader those of another
  /// sequencer.
  Health health = Health::not_serving;
  std::string verdict;  ///< one sentence without a full stop: what health means for appends and
                        ///< reads, and why
  std::vector<Alarm> alarms;  ///< the critical ones first
  std::vector<Sequencer> sequencers;
  std::vector<Storage> storage;
  std::vector<LogReport> logs;
  std::uint32_t clients = 0;        ///< connected to the leader
  std::uint32_t writers_total = 0;  ///< producers whose connections are open
  std::vector<Writer> writers;      ///< the busiest first, at most 100
};

/// What a client has done since it was made. Counts only grow; bytes are those of payloads.
struct ClientFigures {
  /// How many calls took how long.
  struct Latency {
    struct Bucket {
      std::chrono::microseconds
          at_most{};  ///< and more than the bucket before; max() of the last one
      std::uint64_t count = 0;
    };
    std::vector<Bucket> buckets;
    std::chrono::microseconds sum{};
    std::uint64_t count() const;
    /// No less than that share of the calls took (0.99: 99 of 100), as far as the buckets tell: a
    /// bound of one. 0: there were none.
    std::chrono::microseconds quantile(double share) const;
  };

  std::uint64_t appends_committed = 0;
  std::uint64_t appends_refused = 0;
  std::uint64_t appends_unknown = 0;
  std::uint64_t appended_bytes = 0;  ///< of those committed
  /// Of those committed, from the call to the outcome. Entries that travel together count as long
  /// as the oldest of them.
  Latency append_latency;
  std::uint64_t bytes_in_flight =
      0;  ///< now: frames of appends under way, and kept for replicas that are slow to take them
  std::uint64_t uploads = 0;  ///< runs of entries sent, to each replica
  std::uint64_t uploads_refused =
      0;  ///< by replicas that were busy or full; sent again after a pause
  std::uint64_t commits = 0;
  std::uint64_t commits_repeated = 0;  ///< for want of an answer, or after a change of leader
  std::uint64_t resolutions =
      0;  ///< times that a log was read to find out what became of appends when its leader went
  std::uint64_t reads = 0;  ///< calls of read() and of what is made of it
  std::uint64_t read_entries = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t followed_entries = 0;
  std::uint64_t followed_bytes = 0;
  std::uint64_t corrupt_pages =
      0;  ///< received, found out by their checksums, reported to their node and read elsewhere
  std::uint64_t connections = 0;    ///< made, in all
  std::uint64_t reconnections = 0;  ///< of those, to a node that had been connected before
  std::uint64_t connections_failed = 0;
};

struct ClientOptions {
  std::vector<std::string> addresses = {};  ///< HOST:PORT of any nodes of the cluster
  /// Shown to operators beside what this client appends (loglog status, the status page). Empty:
  /// the program's name. At most 64 bytes are kept.
  std::string name = {};
  std::chrono::milliseconds timeout{10'000};      ///< deadline of calls that name none
  std::uint64_t bytes_in_flight_max = 64u << 20;  ///< memory of appends under way
  /// At that bound appends wait, in the order of their calls, at most until their deadlines; then
  /// they are refused with deadline_exceeded. false: an append is refused with too_many at once, as
  /// it always is in a callback, which would wait for itself.
  bool block_when_full = true;
  bool eager_commit =
      true;  ///< an append is ordered while it is being uploaded, which saves a round trip
  /// false: while no node has ever answered, and each address of `addresses` was refused, cannot be
  /// resolved or does not speak LogLog, a call fails after half a second with `unavailable`, which
  /// names address and cause. true: it tries on until its deadline.
  bool wait_for_cluster = true;
  bool observed_commit =
      false;  ///< storage nodes tell this client what is durable, which saves a hop
};

/// A stream of committed entries, in order. Move-only; ends its subscription when destroyed.
class Follower {
 public:
  Follower(Follower&&) noexcept;
  Follower& operator=(Follower&&) noexcept;
  ~Follower();

  /// The next entry; waits for it. nullopt: stop() was called, the client is gone, or error() says
  /// why. In a callback it does not wait: nullopt with error() would_deadlock where no entry has
  /// come yet; the follower goes on.
  std::optional<Entry> next();
  /// As next(), at most so long; nullopt with stopped() false: nothing came in time.
  std::optional<Entry> next_for(std::chrono::milliseconds wait);
  /// From any thread: next() returns. Waits for a callback that is running (Log::follow).
  void stop();
  bool stopped() const;
  std::optional<CallError> error() const;

  class iterator {
   public:
    iterator() = default;
    explicit iterator(Follower* f) : follow_(f) { ++*this; }
    Entry& operator*() { return *entry_; }
    iterator& operator++() {
      entry_ = follow_->next();
      if (!entry_) follow_ = nullptr;
      return *this;
    }
    bool operator!=(const iterator& o) const { return follow_ != o.follow_; }

   private:
    Follower* follow_ = nullptr;
    std::optional<Entry> entry_;
  };
  iterator begin() { return iterator(this); }
  iterator end() { return {}; }

 private:
  friend class Log;
  struct State;
  explicit Follower(std::shared_ptr<State> state);
  static void end(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// A log. Cheap to copy; keeps its client alive.
class Log {
 public:
  using Milliseconds = std::chrono::milliseconds;

  const LogDetails& details() const;

  /// Blocks until the outcome is known or the deadline has passed. Entries over 16 777 215 bytes
  /// are refused at once.
  AppendResult append(std::string_view payload, std::optional<Milliseconds> timeout = {});
  std::future<AppendResult> append_async(std::string_view payload,
                                         std::optional<Milliseconds> timeout = {});
  /// `done` runs once, on the client's thread; in the calling thread, before append returns, where
  /// the entry is refused without having been sent. Both this and append_async block only while
  /// bytes_in_flight_max is reached (see ClientOptions).
  void append(std::string_view payload, std::function<void(AppendResult)> done,
              std::optional<Milliseconds> timeout = {});
  /// The same under conditions.
  AppendResult append(std::string_view payload, const AppendOptions& options);
  std::future<AppendResult> append_async(std::string_view payload, const AppendOptions& options);
  void append(std::string_view payload, std::function<void(AppendResult)> done,
              const AppendOptions& options);
  /// Several small payloads as one entry; readers get them back by Entry::parts().
  AppendResult append_batch(const std::vector<std::string>& payloads,
                            std::optional<Milliseconds> timeout = {});

  /// Entries from `from` on, about `max_bytes` of them; none when the asked replica knows of
  /// nothing committed there within `wait`. Needs no sequencer. Errors: trimmed, not_an_entry,
  /// no_such_log, unavailable; past_end where a leader says that the log ends below `from`, so that
  /// the position is of another log or mistaken.
  std::expected<ReadResult, CallError> read(EntryOffset from, std::size_t max_bytes = 1u << 20,
                                            Milliseconds wait = Milliseconds{0});
  std::expected<ReadResult, CallError> read(EntryOffset from, const ReadOptions& options);
  /// Follows from an offset on: 0, begin(), end(), or Entry::next of an entry seen before. Ends
  /// with "trimmed" where the log begins later than that (R1: a position is never moved silently),
  /// and with "past_end" where a leader says that it ends below. Needs no sequencer. `stop` ends it
  /// as Follower::stop().
  Follower follow(EntryOffset from, std::stop_token stop = {});
  /// The same by callback: `each` runs for every entry, in order, on the client's thread. The
  /// Follower is the subscription: once it is gone, or stop() has returned, `each` is not running
  /// and is not called any more. A call that is under way is waited for, unless it is `each` itself
  /// that stops: hold no lock then that `each` takes. error() says why one ended by itself.
  Follower follow(EntryOffset from, std::function<void(const Entry&)> each,
                  std::stop_token stop = {});
  /// The offset as a position to keep, and back: wrong_log where it is of another log than this
  /// one, which may have had its name.
  LogPosition position(EntryOffset offset) const { return {details().id, offset}; }
  std::expected<EntryOffset, CallError> offset_of(const LogPosition& kept) const;
  /// Where the log begins after trims. Needs no sequencer.
  std::expected<EntryOffset, CallError> begin();
  /// Where it ends now: tail().committed.
  std::expected<EntryOffset, CallError> end();
  /// Takes over from writers that name a lower fencing token: sets `token` (of a lock service, say;
  /// the higher one is the newer), or with 0 the one after the log's. What older writers have still
  /// got in lies below the returned end; read up to there, then append with AppendOptions::fence.
  /// Errors: producer_fenced where a higher one was set; unavailable; superseded where an answer
  /// was lost and the log was changed by somebody else since: then 0 may have been done, and may be
  /// asked for again.
  std::expected<FencePosition, CallError> fence(std::uint64_t token = 0,
                                                std::optional<Milliseconds> timeout = {});
  /// Where to read from to miss nothing that was appended at or after `time`, by the clocks of the
  /// leaders that were in office: at most one segment, one term or one hour of traffic before it.
  /// The log's begin where it begins later. Needs no sequencer. Where a leader's clock went back
  /// against the one before it, entries of that span of time may stand below.
  std::expected<EntryOffset, CallError> offset_at(std::chrono::system_clock::time_point time);
  /// Linearizable: at least everything acknowledged anywhere before the call.
  std::expected<TailPosition, CallError> tail(std::optional<Milliseconds> timeout = {});

 private:
  friend class Client;
  struct State;
  explicit Log(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// A connection to a cluster: one thread, one producer per log.
class Client {
 public:
  /// Does not wait for the cluster; calls do, until their deadlines.
  static std::expected<Client, CallError> connect(ClientOptions options);

  std::expected<Log, CallError> open_log(const std::string& name);
  std::expected<Log, CallError> create_log(const std::string& name, CreateOptions options = {});
  /// open_log, or create_log where there is none.
  std::expected<Log, CallError> open_or_create_log(const std::string& name,
                                                   CreateOptions options = {});
  std::expected<std::vector<LogDetails>, CallError> list_logs();
  std::expected<LogDetails, CallError> describe_log(const std::string& name);
  /// The log that has the name, with all its entries, for good; one that is made under the name
  /// afterwards is another log. Errors: no_such_log, also where that log went meanwhile and another
  /// one has the name now, which stays; unavailable.
  std::expected<void, CallError> delete_log(const std::string& name);
  /// Entries below `offset` may go; answers with the trim point in force. Errors: past_end where
  /// the log ends below `offset`, not_an_entry where no entry begins there, and those of a read
  /// there where no replica could show it.
  std::expected<EntryOffset, CallError> trim_log(const std::string& name, EntryOffset offset);
  /// The same in whole segments, while at least so many bytes stay; once, where a retention does it
  /// from now on.
  std::expected<EntryOffset, CallError> trim_log_to(const std::string& name,
                                                    std::uint64_t keep_bytes);
  /// The same up to where the log stood at `time` (Log::offset_at): nothing goes that was appended
  /// at or after it.
  std::expected<EntryOffset, CallError> trim_log_before(const std::string& name,
                                                        std::chrono::system_clock::time_point time);
  /// Replaces both bounds of the log's retention (see CreateOptions); 0: no bound. Errors:
  /// invalid_argument, no_such_log, unavailable; superseded where an answer was lost and the log
  /// was changed by somebody else since: look how it stands.
  std::expected<LogDetails, CallError> set_retention(const std::string& name, std::uint64_t bytes,
                                                     std::chrono::milliseconds age);
  std::expected<ClusterReport, CallError> status(bool with_logs = true);
  /// The disk of storage node `node` is gone for good, and the node runs again with an empty data
  /// directory: from now on that is the member of its logs, and it is copied full from their other
  /// replicas (status() shows it as `newcomer`, then `lagging`). The old disk is never taken back.
  /// Errors: invalid_argument where the node does not come with another disk, or fewer than N - W +
  /// 1 other replicas of a log are up, so that something acknowledged may be on that disk alone;
  /// `force` gives that up. Asked again it is done, or, once the node is back, finds nothing to
  /// replace.
  std::expected<void, CallError> replace_disk(std::uint32_t node, bool force = false);

  /// Ends every call that is under way in any thread, and every follower, as destruction does: an
  /// append that a leader may have taken with outcome_unknown, everything else with client_closed.
  /// Later calls fail with client_closed. Does not wait; may be called in a callback and more than
  /// once.
  void close();

  /// What this client has done so far. Asks the client's thread, not the cluster; may be called in
  /// a callback.
  ClientFigures figures() const;
  /// The same in the Prometheus text format (version 0.0.4), for the application's own /metrics
  /// page: families that begin with loglog_client_, each with its HELP. Where an application has
  /// several clients, it labels the page of each.
  std::string prometheus_text() const;

  struct State;

 private:
  explicit Client(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Bytes of an entry that append_batch makes: count (32 bits), lengths (32 bits each), then the
/// payloads; little-endian.
std::string pack_batch(const std::vector<std::string>& payloads);

}  // namespace loglog
