// LogLog's SDK: append to replicated logs, read them and follow them.
//
//   auto client = loglog::Client::connect({.addresses = {"127.0.0.1:7070"}});
//   auto log = client->open_or_create_log("events");
//   auto result = log->append("hello");             // result.offset, once committed
//   auto entries = log->follow(0);                  // from the beginning, and on
//   while (auto entry = entries.next()) use(*entry);
//
// Threads: every member may be called from any thread. Each client has one thread of its own. A
// handle object itself (Client, Log, Follower) must not be assigned, moved from or destroyed while
// another thread uses it; give each thread a copy of Client or Log. A handle that was moved from
// may only be assigned or destroyed.
//
// Blocking: a call blocks until its result is known or its deadline has passed, unless its comment
// says otherwise. Without a deadline of its own a call has ClientOptions::timeout. A time-out of 0
// or less has passed at once; a time-out above 100 years counts as 100 years. Calls that consist of
// several steps give each step the whole time-out: open_or_create_log, set_retention and status
// have two, trim_log and trim_log_before three, trim_log_to four.
//
// Callbacks run on the client's own thread and must not block, because the client does nothing else
// meanwhile. A call that would wait for the client there (append, append_batch, read, tail, fence,
// open_log, status, Follower::next, ...) returns would_deadlock at once. append_async, append with
// a callback, follow, figures, stop and close may be called in a callback. The future of an
// append_async must not be waited for there. Deadlines are counted on the client's thread, so no
// call ends by its deadline while a callback runs. An exception that leaves a callback ends the
// program by std::terminate.
//
// Errors are values: a CallError with a stable code. Any call may also fail with client_closed,
// forked or would_deadlock. If the deadline passes, the error is the last temporary reason that a
// node gave, or `unavailable` if no node answered; an append ends with deadline_exceeded or
// outcome_unknown instead. A call that asks the leader about a log whose replicas contradict each
// other fails with log_halted.
//
// Changes (create_log, delete_log, set_retention, the trims, fence, replace_disk) that end with a
// temporary reason, `unavailable` or client_closed may have been done, or may be done a moment
// later: look before you repeat them.
//
// Fork: a client belongs to the process that made it. In a child process each of its calls fails at
// once with `forked`, figures() are zero, and its destruction touches nothing, so that the parent
// continues undisturbed. The child may make a client of its own. Descriptors are closed on exec.
//
// Signals: the client's threads block all signals; the application's threads get every signal.
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

/// Position of an entry in its log, in bytes. It serves as the entry's id.
using EntryOffset = std::uint64_t;

/// Largest entry, bytes.
inline constexpr std::size_t entry_bytes_max = 16'777'215;

/// Bytes that the log keeps for an entry in addition to its payload: an entry at `offset` ends at
/// offset + entry_overhead + its size.
inline constexpr std::size_t entry_overhead = 44;

/// Why a call failed.
struct CallError {
  /// Stable name, for example "no_such_log". sdk/README.md lists the codes, with their meanings.
  std::string code;
  std::string message;  ///< a sentence for people: the value, the limit, the remedy
  /// true: the reason is temporary, and the same call may succeed later, or on another node. false
  /// for deadline_exceeded, although such an append may be repeated.
  bool retry = false;
  /// With "trimmed": the offset where the log begins.
  EntryOffset begins_at = 0;
  /// With "offset_mismatch": a committed offset; every entry that made the append fail lies below
  /// it. With "past_end": the committed end of the log.
  EntryOffset ends_at = 0;
  std::uint64_t fence = 0;  ///< with "producer_fenced": the log's fencing token
};

/// Deadline and conditions of an append.
struct AppendOptions {
  /// From the call to the outcome; time spent waiting for room counts. 0 or less: refused at once
  /// with deadline_exceeded. nullopt: ClientOptions::timeout.
  std::optional<std::chrono::milliseconds> timeout = {};
  /// The entry is appended only if no entry lies at or above this offset, in other words if the log
  /// ends here for its readers. Take the offset from Entry::next, ReadResult::next or
  /// TailPosition::committed. Otherwise the append is refused with offset_mismatch, also if the log
  /// ends below the offset. The decision is linearizable (F1). Each such entry is a run of its own,
  /// so this suits state machines with a single writer and not bulk appends.
  std::optional<EntryOffset> expected_offset = {};
  /// The writer's fencing token (Log::fence). The append is refused with producer_fenced if a
  /// higher token was set for the log (F2). A token above the log's is accepted and does not raise
  /// it. 0: the append names no token and no fence stops it.
  std::uint64_t fence = 0;
};

/// Result of Log::fence().
struct FencePosition {
  std::uint64_t token = 0;  ///< the token in force
  /// A committed offset. No entry of a writer with a lower token lies at or above it, now or later.
  EntryOffset end = 0;
};

/// Outcome of an append. An append ends once, in one of three ways (A6).
struct AppendResult {
  enum class Outcome : std::uint8_t {
    /// The entry is durable on the write quorum, at `offset`; it is never lost and never moves.
    committed,
    /// The entry was not written and never will be; `error` says why. It may be appended again.
    /// Later entries of the same client may be committed all the same.
    refused,
    /// error.code is outcome_unknown. The deadline passed, the client was closed, the log was
    /// deleted or halted, or the entry's place was trimmed, before the client learned the outcome.
    /// Read the log to find out before appending the entry again.
    unknown
  };
  Outcome outcome = Outcome::refused;
  EntryOffset offset = 0;  ///< valid if committed
  std::uint32_t term = 0;  ///< the log's term in which the entry was committed; valid if committed
  CallError error;         ///< valid unless committed
  explicit operator bool() const { return outcome == Outcome::committed; }
};

/// An entry as read. `payload` was verified against the checksum that the appender computed.
struct Entry {
  EntryOffset offset = 0;
  EntryOffset next = 0;  ///< where to read the entry after it
  std::uint32_t term = 0;
  std::uint64_t producer = 0;  ///< random id of the client that appended it and log
  std::uint64_t sequence = 0;  ///< number within its producer: ascending, with gaps
  std::string payload;
  bool packed = false;  ///< appended by append_batch
  /// The payloads that were given to append_batch; for any other entry, its payload alone. A packed
  /// entry whose bytes pack_batch did not make counts as any other entry.
  std::vector<std::string> parts() const;
};

/// A position to keep across restarts. It names the log by its id, because an offset has a meaning
/// in its own log only: a log that was deleted and created again under its name has another id.
struct LogPosition {
  std::uint64_t log = 0;  ///< LogDetails::id
  EntryOffset offset = 0;
  std::string text() const;  ///< "6@9458"
  /// Parses the result of text(). nullopt: `text` is not a position.
  static std::optional<LogPosition> parse(std::string_view text);
  bool operator==(const LogPosition&) const = default;
};

/// Result of a read.
struct ReadResult {
  std::vector<Entry> entries;  ///< in order; empty at the committed end, and with frames
  /// Where to read on. It may lie past the end of the last entry, because the log has frames of its
  /// own between entries.
  EntryOffset next = 0;
  /// With ReadOptions::frames: the log's bytes from the asked offset to `next`.
  std::string frames;
};

struct ReadOptions {
  /// Approximate bytes to return, of entries with their entry_overhead; more than 4 MiB count as
  /// 4 MiB. If an entry is there, at least that entry is returned, whatever its size.
  std::size_t max_bytes = 1u << 20;
  /// How long to wait at the committed end for more entries. A node waits at most 10 minutes, so
  /// the result may be empty after that time.
  std::chrono::milliseconds wait{0};
  /// Id of the only storage node to ask, for comparing replicas. No other node is asked in its
  /// place, and the first thing that it cannot give ends the call: not_here (it lags), corrupt,
  /// io_error, not_member, or unavailable if it does not answer before the deadline. Entries before
  /// damaged bytes are returned first. 0: any replica; if a replica fails, another is asked.
  std::uint32_t replica = 0;
  /// With `replica`: report bytes that do not verify to the node, which checks its disk and repairs
  /// them from a peer. Only for offsets where an entry is known to begin. A read from any replica
  /// always reports.
  bool report_damage = false;
  /// Return the stored frames (proto-spec/disk/frame.h), verified, including the log's own, in
  /// ReadResult::frames instead of entries.
  bool frames = false;
  /// Deadline; `wait` is added to it. nullopt: ClientOptions::timeout.
  std::optional<std::chrono::milliseconds> timeout = {};
};

/// Properties of a new log. Replicas, quorum and segment size are fixed for the log's life. A value
/// that is out of range makes create_log fail with invalid_argument.
struct CreateOptions {
  /// Storage nodes that hold the log: 1 to 9, and not more than the cluster has. 0: the smaller of
  /// 3 and the number of nodes.
  std::uint32_t replicas = 0;
  /// Replicas that must hold an entry durably before it is acknowledged: 1 to the number of
  /// replicas. 0: the majority.
  std::uint32_t write_quorum = 0;
  /// Size of a segment, the unit in which trims free space: 65536 to 16 GiB. 0: 64 MiB.
  std::uint64_t segment_bytes = 0;
  /// Retention by size: whole segments of old entries are trimmed while at least this many bytes
  /// stay. At least the size of a segment. 0: no bound.
  std::uint64_t retention_bytes = 0;
  /// Retention by age: whole segments are trimmed if every entry in them is older, by the least
  /// clock of a majority of sequencers. 1 s to 100 years. 0: no bound.
  std::chrono::milliseconds retention_age{0};
};

/// A log's metadata at the time of the call that returned it.
struct LogDetails {
  std::uint64_t id = 0;  ///< unique in the cluster, never used again
  std::string name;
  std::uint32_t replicas = 0;
  std::uint32_t write_quorum = 0;
  std::uint64_t segment_bytes = 0;
  std::vector<std::uint32_t> nodes;            ///< ids of the storage nodes that hold the log
  EntryOffset trim = 0;                        ///< trim point: readers begin here or above
  std::uint64_t retention_bytes = 0;           ///< 0: no bound
  std::chrono::milliseconds retention_age{0};  ///< 0: no bound
  std::uint64_t fence = 0;                     ///< fencing token in force (Log::fence); 0: none
};

struct TailPosition {
  EntryOffset first = 0;      ///< where the log begins after trims
  EntryOffset committed = 0;  ///< committed end; readers see every entry below it
  std::uint32_t term = 0;     ///< the log's current term
};

/// State of the cluster, as `loglog status` shows it.
struct ClusterReport {
  /// healthy: all nodes and replicas work. degraded: appends and reads are served with less
  /// redundancy. not_serving: appends to some or all logs wait or are refused.
  enum class Health : std::uint8_t { healthy, degraded, not_serving };
  struct Alarm {
    std::string id;  ///< kind, stable: see "What each alarm means" in sequencer/README.md
    bool critical = false;
    std::string what;    ///< the consequence first, then the cause
    std::string action;  ///< the remedy
  };
  struct Sequencer {
    std::uint32_t id = 0;
    std::string address;
    std::string role;        ///< leader, follower, candidate, unreachable
    std::uint64_t term = 0;  ///< Raft term, unrelated to the terms of logs
    /// Highest protocol version that it speaks. 0: unknown, because sequencers of version 1 do not
    /// tell it.
    std::uint32_t protocol = 0;
  };
  struct Storage {
    std::uint32_t id = 0;
    std::string address;
    /// up, lagging, suspect, unreachable, foreign_disk or data_loss, as on the status page.
    std::string state;
    std::uint64_t staged_bytes = 0;     ///< uploaded runs in memory that are not durable yet
    std::uint64_t disk_free_bytes = 0;  ///< of the file system of its data directory
    std::uint64_t disk_size_bytes = 0;  ///< of the same file system; 0: not reported yet
    /// Ids of storage nodes that hold the same logs and do not answer this node.
    std::vector<std::uint32_t> cannot_reach{};
  };
  struct Replica {
    std::uint32_t id = 0;     ///< of its storage node
    EntryOffset durable = 0;  ///< end of the bytes that survive a power cut on this node
    /// streaming, full (the disk has no space, so the node refuses uploads), lagging, suspect,
    /// unreachable, newcomer (on a replacement disk that is not a member yet).
    std::string state;
    /// Size of its files, including space that is reserved ahead. 0: not reported yet.
    std::uint64_t disk_bytes = 0;
  };
  struct LogReport {
    std::string name;
    EntryOffset first = 0;      ///< where the log begins after trims
    EntryOffset committed = 0;  ///< committed end
    std::uint32_t term = 0;
    std::uint32_t write_quorum = 0;
    std::vector<Replica> replicas;
    /// open (takes appends), recovering, halted (its replicas contradict each other), creating,
    /// deleting.
    std::string state;
  };
  /// A producer. A client has a producer of its own for each log to which it appends.
  struct Writer {
    std::string address;  ///< of the client, as the leader sees it
    /// Name of the program (ClientOptions::name); empty: the client did not tell. Name and version
    /// may hold any bytes, because clients choose them.
    std::string name;
    std::string version;  ///< of its SDK
    std::string log;
    std::uint64_t producer = 0;
    std::uint64_t entries = 0;      ///< committed since this leader has known the producer
    std::uint64_t bytes = 0;        ///< of the frames of these entries
    double entries_per_second = 0;  ///< average of the last seconds
    double bytes_per_second = 0;    ///< average of the last seconds
  };
  std::string cluster;  ///< name of the cluster
  /// Health, verdict and alarms come from the leader, as on the status page; without a leader, from
  /// another sequencer.
  Health health = Health::not_serving;
  /// A sentence without a full stop: the consequence for appends and reads, and the cause.
  std::string verdict;
  std::vector<Alarm> alarms;          ///< critical alarms first
  std::vector<Sequencer> sequencers;  ///< by id
  /// Only the leader reports the rest; without a leader these fields are empty.
  std::vector<Storage> storage;
  std::vector<LogReport> logs;      ///< empty if status() was called without logs
  std::uint32_t clients = 0;        ///< connected to the leader
  std::uint32_t writers_total = 0;  ///< producers whose connections are open
  std::vector<Writer> writers;      ///< the busiest first, at most 100
};

/// Counts of a client since it was made. Counts only grow. Bytes are bytes of payloads, except for
/// bytes_in_flight.
struct ClientFigures {
  /// Histogram of the durations of calls.
  struct Latency {
    struct Bucket {
      /// Upper bound, inclusive; the previous bucket's bound is the lower bound. The last bucket
      /// has max().
      std::chrono::microseconds at_most{};
      std::uint64_t count = 0;
    };
    std::vector<Bucket> buckets;
    std::chrono::microseconds sum{};
    std::uint64_t count() const;  ///< calls in all buckets
    /// The bound of the bucket that holds the quantile: `share` of the calls (0.99: 99 of 100) took
    /// at most this long; max() if that is the last bucket. `share` is cut to 0 to 1. 0: there were
    /// no calls.
    std::chrono::microseconds quantile(double share) const;
  };

  std::uint64_t appends_committed = 0;
  std::uint64_t appends_refused = 0;
  std::uint64_t appends_unknown = 0;
  std::uint64_t appended_bytes = 0;  ///< of committed appends
  /// Of committed appends, from the call to the outcome. Each entry of a run counts as long as the
  /// oldest entry of that run.
  Latency append_latency;
  /// Current, not a count: bytes of frames of unfinished appends, and of committed runs that are
  /// kept for slow replicas.
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t uploads = 0;           ///< runs sent, counted once for each replica
  std::uint64_t uploads_refused = 0;   ///< by replicas that were busy or full; sent again later
  std::uint64_t commits = 0;           ///< references of runs sent to a leader
  std::uint64_t commits_repeated = 0;  ///< because no answer came, or the leader changed
  std::uint64_t resolutions = 0;  ///< reads of a log for unfinished appends of an old term (A3)
  std::uint64_t reads = 0;        ///< calls of read(), and reads inside other calls
  std::uint64_t read_entries = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t followed_entries = 0;
  std::uint64_t followed_bytes = 0;
  /// Pages with a checksum mismatch. Each was reported to its node and read from another replica.
  std::uint64_t corrupt_pages = 0;
  std::uint64_t connections = 0;         ///< established, including reconnections
  std::uint64_t reconnections = 0;       ///< established to a node that was connected before
  std::uint64_t connections_failed = 0;  ///< attempts that failed
};

struct ClientOptions {
  /// HOST:PORT of any nodes of a single cluster, or EmbeddedCluster::address(); required. HOST is a
  /// name, an IPv4 address, or an IPv6 address in brackets. The client learns the other nodes from
  /// the nodes that it reaches.
  std::vector<std::string> addresses = {};
  /// Shown to operators beside this client's appends (loglog status, the status page). Empty: the
  /// program's name. At most 64 bytes are kept.
  std::string name = {};
  std::chrono::milliseconds timeout{10'000};  ///< deadline of calls that are given none
  /// Memory of unfinished appends, bytes of frames: payloads, and entry_overhead for each. An entry
  /// that is larger than the bound goes alone. Appends that ended without a known outcome, and
  /// copies for slow replicas, may take as much again and 16 MiB; beyond that an append is refused
  /// with too_many, whatever block_when_full says. At most 2^62.
  std::uint64_t bytes_in_flight_max = 64u << 20;
  /// true: at bytes_in_flight_max an append waits, in order of arrival, at most until its deadline;
  /// then it is refused with deadline_exceeded. false: it is refused with too_many at once. An
  /// append in a callback never waits, because the thread would wait for itself.
  bool block_when_full = true;
  /// Eager commit (V1): the leader orders an append while it is being uploaded, which saves a round
  /// trip.
  bool eager_commit = true;
  /// false: a call fails with `unavailable` after half a second if no node has ever answered and
  /// every address was refused, cannot be resolved or does not speak LogLog. The error names
  /// address and cause. true: the call tries until its deadline.
  bool wait_for_cluster = true;
  /// Client-observed commit (V2): storage nodes tell this client which runs are durable, which
  /// saves a hop.
  bool observed_commit = false;
};

/// A stream of committed entries, in order. Move-only. Destruction ends the subscription, as stop()
/// does. A follower keeps its client alive. The client buffers at most about 4 MiB that next() has
/// not returned yet, so a slow application slows only its own stream. A follower has no deadline:
/// while no replica answers, it tries again and next() waits; see next_for().
class Follower {
 public:
  Follower(Follower&&) noexcept;
  Follower& operator=(Follower&&) noexcept;
  ~Follower();

  /// Waits for the next entry and returns it. nullopt: stop() was called, the client was closed, or
  /// the stream failed; error() says why. If several threads call next(), each entry goes to a
  /// single thread. In a callback next() does not wait: if no entry has arrived yet, it returns
  /// nullopt with error() would_deadlock, and the follower continues.
  /// A follower with a callback (Log::follow with `each`) gives no entries here; next() then waits
  /// until the stream ends.
  std::optional<Entry> next();
  /// As next(), for at most `wait`, which must be below 100 years; 0 or less does not wait. nullopt
  /// with stopped() false: no entry came in time.
  std::optional<Entry> next_for(std::chrono::milliseconds wait);
  /// Ends the stream from any thread: a waiting next() returns nullopt, and entries that next() has
  /// not returned yet are dropped. Waits for a running callback (Log::follow), except when called
  /// from that callback. May be called more than once.
  void stop();
  /// Whether the stream has ended, by stop() or by an error. After an error next() still returns
  /// the entries that arrived before it, so a loop ends by next() and not by stopped().
  bool stopped() const;
  /// Why the stream ended by itself (codes: Log::follow); nullopt if stop() ended it and while the
  /// stream goes on. Also the refusal of the last next() if it could not wait (would_deadlock).
  std::optional<CallError> error() const;

  /// Input iterator over next(): the range ends where next() returns nullopt, and error() says
  /// why. begin() waits for the first entry.
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

/// Handle of a log, by its id. Cheap to copy. Keeps its client alive. After the log was deleted
/// every call fails with no_such_log or log_deleted, also if another log has the name.
class Log {
 public:
  using Milliseconds = std::chrono::milliseconds;

  /// The log's metadata when this handle was made; not refreshed (see Client::describe_log).
  const LogDetails& details() const;

  /// Appends an entry and blocks until the outcome is known or the deadline has passed. The payload
  /// is copied, and may be empty. An entry over 16 777 215 bytes is refused at once with
  /// entry_too_large. The committed entries of a client stand in the log in the order of its calls;
  /// an entry between them may be missing, because each has an outcome of its own. Other codes of a
  /// refusal: deadline_exceeded, too_many, no_such_log, log_deleted, log_halted.
  AppendResult append(std::string_view payload, std::optional<Milliseconds> timeout = {});
  /// As append, but returns a future. Blocks only while bytes_in_flight_max is reached (see
  /// ClientOptions). The future is always fulfilled, at the latest when the client is destroyed. A
  /// future may be dropped; its destruction does not wait.
  std::future<AppendResult> append_async(std::string_view payload,
                                         std::optional<Milliseconds> timeout = {});
  /// As append_async, with a callback, which must not be empty. `done` runs exactly once, on the
  /// client's thread. It runs in the calling thread, before append returns, if the entry is refused
  /// there: with entry_too_large, too_many, forked, or deadline_exceeded while it waits for room.
  /// So the caller must not hold a lock that `done` takes.
  void append(std::string_view payload, std::function<void(AppendResult)> done,
              std::optional<Milliseconds> timeout = {});
  /// The same three under conditions. Also refused with offset_mismatch or producer_fenced.
  AppendResult append(std::string_view payload, const AppendOptions& options);
  std::future<AppendResult> append_async(std::string_view payload, const AppendOptions& options);
  void append(std::string_view payload, std::function<void(AppendResult)> done,
              const AppendOptions& options);
  /// Appends several small payloads as one entry: all of them are committed, or none is. Blocks as
  /// append does. Readers get the payloads back by Entry::parts(). The packed entry has the size
  /// limit of any entry, for the bytes of pack_batch. It takes no conditions (AppendOptions).
  AppendResult append_batch(const std::vector<std::string>& payloads,
                            std::optional<Milliseconds> timeout = {});

  /// Returns entries from `from` on, about `max_bytes` of them (see ReadOptions). `from`: 0,
  /// begin(), end(), an entry's offset or next, or ReadResult::next. Waits at most `wait` at the
  /// committed end; the result is empty if the asked replica knows of nothing committed there. An
  /// empty result therefore does not prove that the log ends there; tail() does. Needs no
  /// sequencer. Errors: trimmed, not_an_entry, no_such_log, unavailable; past_end if the leader
  /// says that the log ends below `from`, so the position belongs to another log or is mistaken;
  /// corrupt, io_error or not_here if the deadline passes and no replica could give the bytes.
  std::expected<ReadResult, CallError> read(EntryOffset from, std::size_t max_bytes = 1u << 20,
                                            Milliseconds wait = Milliseconds{0});
  std::expected<ReadResult, CallError> read(EntryOffset from, const ReadOptions& options);
  /// Subscribes to the log from `from` on and does not block: 0, begin(), end(), or the Entry::next
  /// of an earlier entry. The stream fails with "trimmed" if the log begins later (R1: a position
  /// never moves silently), also from 0, and with "past_end" if the leader says that the log ends
  /// below. Other errors: not_an_entry, no_such_log, client_closed, forked. Needs no sequencer. A
  /// request on `stop` acts as Follower::stop(), in the thread that makes the request.
  Follower follow(EntryOffset from, std::stop_token stop = {});
  /// The same with a callback: `each` runs for every entry, in order, on the client's thread. The
  /// Follower is the subscription: once it is destroyed, or stop() has returned, `each` does not
  /// run and is not called again. A running `each` is waited for, unless `each` itself stops the
  /// follower. Therefore the thread that stops must not hold a lock that `each` takes. No callback
  /// tells the end of the stream: look at stopped(), or wait in next(); error() says why a stream
  /// ended by itself. An empty `each` acts as no callback.
  Follower follow(EntryOffset from, std::function<void(const Entry&)> each,
                  std::stop_token stop = {});
  /// The offset as a position to keep. Does not block.
  LogPosition position(EntryOffset offset) const { return {details().id, offset}; }
  /// The offset of a kept position. Does not block. Error: wrong_log if the position belongs to
  /// another log, for example to an earlier log of this name.
  std::expected<EntryOffset, CallError> offset_of(const LogPosition& kept) const;
  /// Where the log begins after trims; 0 if nothing was trimmed. Asks a replica, which may not know
  /// of the newest trim yet. Needs no sequencer. Errors: no_such_log, unavailable.
  std::expected<EntryOffset, CallError> begin();
  /// Where the log ends now: tail().committed. Errors: those of tail().
  std::expected<EntryOffset, CallError> end();
  /// Takes over from writers that name a lower fencing token (F2). Sets `token` (from a lock
  /// service, for example; the higher token is the newer), or with 0 the token after the log's. The
  /// log's own token is accepted again, so two writers must never have an equal token. The highest
  /// is 2^63 - 1; above it: invalid_argument, and too_many if there is no next token.
  /// Entries of older writers that still got in lie below FencePosition::end: read up to there,
  /// then append with AppendOptions::fence. Errors: no_such_log, unavailable; producer_fenced if a
  /// higher token was set; superseded if an answer was lost and the log was changed since. After
  /// superseded, a request with 0 may have been done and may be made again.
  std::expected<FencePosition, CallError> fence(std::uint64_t token = 0,
                                                std::optional<Milliseconds> timeout = {});
  /// Where to read from so that no entry is missed that was appended at or after `time` (R6). Time
  /// is that of the sequencers' clocks. The result lies at most a segment, a term or an hour of
  /// traffic before `time`, or is the log's begin if the log begins later. If a new leader's clock
  /// was behind the clock of the leader before it, entries of the difference may lie below the
  /// result. A time before 1970 counts as 1970. For a time in the future the result is not the end
  /// of the log, but the start of its last segment or term. Needs no sequencer. Errors:
  /// no_such_log, unavailable.
  std::expected<EntryOffset, CallError> offset_at(std::chrono::system_clock::time_point time);
  /// Begin and end of the log. Linearizable (R2): the end is at least the end of every append that
  /// was acknowledged to any client before the call. Asks the leader. Errors: no_such_log,
  /// unavailable.
  std::expected<TailPosition, CallError> tail(std::optional<Milliseconds> timeout = {});

 private:
  friend class Client;
  struct State;
  explicit Log(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Handle of a client: a thread, connections to the nodes of a cluster, a producer for each log.
/// Cheap to copy; copies share the client. When the last Client, Log and Follower of a client is
/// gone, the client ends as close() says and its thread is joined; in a callback the end happens in
/// the background.
class Client {
 public:
  /// Makes a client and does not wait for the cluster; later calls wait, until their deadlines.
  /// Errors: invalid_argument if `addresses` is empty, bad_configuration if an address is
  /// malformed. Throws std::system_error if the system gives no thread.
  static std::expected<Client, CallError> connect(ClientOptions options);

  /// Opens an existing log. Waits for a log that is being created. Errors: no_such_log (as the
  /// leader says), unavailable.
  std::expected<Log, CallError> open_log(const std::string& name);
  /// Creates a log and returns once all its replicas have joined. `name`: 1 to 255 letters, digits
  /// and . _ / - (ASCII). Errors: log_exists, invalid_argument, unavailable; not_enough_nodes if
  /// too few storage nodes are up until the deadline; too_many or no_space if the cluster takes no
  /// further log until then; superseded if an answer was lost and a log of that name was deleted
  /// since.
  std::expected<Log, CallError> create_log(const std::string& name, CreateOptions options = {});
  /// Creates the log, or opens it if it exists. An existing log keeps its own options. Errors:
  /// those of create_log except log_exists, and those of open_log. `options` must be valid also if
  /// the log exists.
  std::expected<Log, CallError> open_or_create_log(const std::string& name,
                                                   CreateOptions options = {});
  /// All open logs. Asks a sequencer, which may lag behind the leader. Error: unavailable.
  std::expected<std::vector<LogDetails>, CallError> list_logs();
  /// Metadata of the log that has this name. Errors: those of open_log.
  std::expected<LogDetails, CallError> describe_log(const std::string& name);
  /// Deletes the log that has this name, with all its entries. The name is free when the call
  /// returns; nodes free the space soon after, and followers end with no_such_log. A log that is
  /// created under the name afterwards is another log (T5). Errors: unavailable; no_such_log, also
  /// if the log vanished meanwhile and another log has the name now, which stays.
  std::expected<void, CallError> delete_log(const std::string& name);
  /// Permits the removal of entries below `offset` (R3) and returns the trim point in force; space
  /// is freed in whole segments. `offset` may be the log's end. An offset below the trim point
  /// changes nothing. Errors: no_such_log, unavailable; past_end if the log ends below `offset`;
  /// not_an_entry if no entry begins there; those of a read there if no replica could show it.
  std::expected<EntryOffset, CallError> trim_log(const std::string& name, EntryOffset offset);
  /// Trims once to the start of a segment so that at least `keep_bytes` stay, and returns the trim
  /// point in force. `keep_bytes` counts bytes of the log, with entry_overhead; with 0 the last
  /// segment stays. A retention does the same continuously. Errors: no_such_log, unavailable.
  std::expected<EntryOffset, CallError> trim_log_to(const std::string& name,
                                                    std::uint64_t keep_bytes);
  /// Trims once up to Log::offset_at(time), and returns the trim point in force: no entry goes that
  /// was appended at or after `time`, but for a clock that went back (see there). Errors:
  /// no_such_log, unavailable.
  std::expected<EntryOffset, CallError> trim_log_before(const std::string& name,
                                                        std::chrono::system_clock::time_point time);
  /// Replaces both bounds of the log's retention (see CreateOptions); 0: no bound. Returns the new
  /// metadata. Errors: invalid_argument, no_such_log, unavailable; superseded if an answer was lost
  /// and the log was changed since: look at its present retention and decide again.
  std::expected<LogDetails, CallError> set_retention(const std::string& name, std::uint64_t bytes,
                                                     std::chrono::milliseconds age);
  /// State of the cluster. Waits about a second for a sequencer that does not answer and reports it
  /// as unreachable. `with_logs` false: without the list of logs. Error: unavailable if no
  /// sequencer is known when the deadline passes.
  std::expected<ClusterReport, CallError> status(bool with_logs = true);
  /// Declares the disk of storage node `node` lost for good (C1). The node must run with an empty
  /// data directory: that directory becomes the member of its logs and is copied full from the
  /// other replicas (status() shows `newcomer`, then `lagging`). The call does not wait for the
  /// copy. The old disk is never taken back.
  /// Errors: invalid_argument if the node does not come with another disk, or if fewer than N - W +
  /// 1 other replicas of a log are up, so that something acknowledged may exist on that disk alone;
  /// `force` gives that up. A repeated call succeeds, or, once the node is back, finds nothing to
  /// replace.
  std::expected<void, CallError> replace_disk(std::uint32_t node, bool force = false);

  /// Ends every call that is under way in any thread, and every follower, as destruction does.
  /// These calls and callbacks end on the client's thread, a moment after close() has returned. An
  /// append that a leader may have taken ends with outcome_unknown, every other call with
  /// client_closed. Later calls fail with client_closed. Does not block; may be called in a
  /// callback and more than once.
  void close();

  /// Counts of this client. Asks the client's thread, not the cluster, so the call blocks while a
  /// callback runs; may be called in a callback, and after close().
  ClientFigures figures() const;
  /// The same, with the same threading, in the Prometheus text format (version 0.0.4), for the
  /// application's own /metrics page: families that begin with loglog_client_, each with its HELP.
  /// An application with several clients has to label the page of each.
  std::string prometheus_text() const;

  struct State;

 private:
  explicit Client(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Bytes of an entry that append_batch makes: count (32 bits), lengths (32 bits each), then the
/// payloads; little-endian. So n payloads take 4 + 4 n bytes more than their own. An entry that
/// Log::append makes of these bytes is not marked as packed, and Entry::parts() does not unpack it.
std::string pack_batch(const std::vector<std::string>& payloads);

}  // namespace loglog
