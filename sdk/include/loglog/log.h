// Log: appends, reads and trims of a single log, and their results. Part of <loglog/client.h>.
#pragma once
#include <loglog/entry.h>
#include <loglog/error.h>
#include <loglog/follower.h>
#include <loglog/options.h>

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

/// A log's metadata at the time of the call that returned it.
struct LogDetails {
  std::uint64_t id = 0;                        ///< unique in the cluster, never used again
  std::string name;                            ///< as it was created
  std::uint32_t replicas = 0;                  ///< storage nodes that hold the log
  std::uint32_t write_quorum = 0;              ///< of them that must hold an entry durably
  std::uint64_t segment_bytes = 0;             ///< size of a segment, the unit of trims
  std::vector<std::uint32_t> nodes;            ///< ids of the storage nodes that hold the log
  EntryOffset trim = 0;                        ///< trim point: readers begin here or above
  std::uint64_t retention_bytes = 0;           ///< 0: no bound
  std::chrono::milliseconds retention_age{0};  ///< 0: no bound
  std::uint64_t fence = 0;                     ///< fencing token in force (Log::fence); 0: none
};

/// Result of Log::tail().
struct TailPosition {
  EntryOffset first = 0;      ///< where the log begins after trims
  EntryOffset committed = 0;  ///< committed end; readers see every entry below it
  std::uint32_t term = 0;     ///< the log's current term
};

/// Result of Log::fence().
struct FencePosition {
  std::uint64_t token = 0;  ///< the token in force
  /// A committed offset. No entry of a writer with a lower token lies at or above it, now or later.
  EntryOffset end = 0;
};

/// Outcome of an append. An append ends once, in one of three ways (A6).
struct AppendResult {
  /// The three ways.
  enum class Outcome : std::uint8_t {
    /// The entry is durable on the write quorum, at `offset`; it is never lost and never moves.
    committed,
    /// The entry was not written and never will be; `error` says why. It may be appended again,
    /// and error.retry says whether that may succeed.
    /// Later entries of the same client may be committed all the same.
    refused,
    /// error.code is outcome_unknown. The deadline passed, the client was closed, the log was
    /// deleted or halted, or the entry's place was trimmed, before the client learned the outcome.
    /// Log::resolve finds the outcome out; ask it before appending the entry again.
    unknown
  };
  Outcome outcome = Outcome::refused;  ///< how the append ended
  EntryOffset offset = 0;              ///< valid if committed
  EntryOffset next = 0;    ///< the end of the entry, where the entry after it begins; if committed
  std::uint32_t term = 0;  ///< the log's term in which the entry was committed; valid if committed
  CallError error;         ///< valid unless committed
  /// Id of the log (LogDetails::id). 0: refused before the client accepted the entry.
  std::uint64_t log = 0;
  std::uint64_t producer = 0;  ///< Entry::producer; 0: as with `log`
  std::uint64_t sequence = 0;  ///< Entry::sequence; 0: as with `log`
  /// If unknown: the newest term of the log in which the client asked for the commit.
  std::uint32_t asked_in = 0;
  /// If unknown: if the entry is in the log, it stands here or above. A place to begin reading.
  EntryOffset not_below = 0;
  /// True if committed.
  explicit operator bool() const { return outcome == Outcome::committed; }
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

/// Handle of a log, by its id. Cheap to copy. Keeps its client alive. After the log was deleted
/// every call fails with no_such_log or log_deleted, also if another log has the name.
class Log {
 public:
  using Milliseconds = std::chrono::milliseconds;  ///< of waits and time-outs

  /// The log's metadata when this handle was made; not refreshed (see Client::describe_log).
  const LogDetails& details() const;
  /// True if the call that returned this handle created the log (Client::open_or_create_log).
  bool was_created() const;

  /// Appends an entry and blocks until the outcome is known or the deadline has passed. The payload
  /// is copied, and may be empty. An entry over 16 777 215 bytes is refused at once with
  /// entry_too_large. The committed entries of a client stand in the log in the order of its calls;
  /// an entry between them may be missing, because each has an outcome of its own. Other codes of a
  /// refusal: deadline_exceeded, too_many, no_such_log, log_deleted, log_halted.
  /// With conditions (AppendOptions) also offset_mismatch and producer_fenced.
  AppendResult append(std::string_view payload, const AppendOptions& options = {});
  /// As append, but returns a future. Blocks only while bytes_in_flight_max is reached (see
  /// ClientOptions). The future is always fulfilled, at the latest when the client is destroyed. A
  /// future may be dropped; its destruction does not wait.
  std::future<AppendResult> append_async(std::string_view payload,
                                         const AppendOptions& options = {});
  /// As append_async, with a callback, which must not be empty. `done` runs exactly once, on the
  /// client's thread or where ClientOptions::executor runs it. It runs in the calling thread,
  /// before append returns, if the entry is refused there: with entry_too_large, too_many, forked,
  /// or deadline_exceeded while it waits for room. So the caller must not hold a lock that `done`
  /// takes.
  void append_then(std::string_view payload, std::function<void(AppendResult)> done,
                   const AppendOptions& options = {});
  /// Appends several small payloads as a single entry: all of them are committed, or none is.
  /// Readers get the payloads back by Entry::parts(). The packed entry has the size limit of any
  /// entry, for the bytes of pack_batch. The three calls wait and end as the three above.
  AppendResult append_batch(const std::vector<std::string>& payloads,
                            const AppendOptions& options = {});
  /// As append_batch, but returns a future, as append_async does.
  std::future<AppendResult> append_batch_async(const std::vector<std::string>& payloads,
                                               const AppendOptions& options = {});
  /// As append_batch, with a callback, as append_then has.
  void append_batch_then(const std::vector<std::string>& payloads,
                         std::function<void(AppendResult)> done, const AppendOptions& options = {});

  /// Settles an append whose outcome is unknown (spec/07 A4 and A5): reads the log from
  /// AppendResult::not_below on, and writes nothing. Returns a result that is committed, or refused
  /// with deadline_exceeded: the entry is not in the log and never will be, so it may be appended
  /// again. A result that is not `unknown` is returned as it is, without asking anybody.
  ///
  /// `unknown` may come from any client of this log, also from a closed client or another process:
  /// its fields log, producer, sequence, asked_in and not_below are all that is used. In the client
  /// that made the append the outcome is known once the leader has answered, or a new leader has
  /// taken over. Another client finds an entry that is in the log at once. That the entry is absent
  /// is final for another client once a later entry of its producer is found or the log is in a
  /// term above `asked_in`; until then the call waits. Log::fence settles sooner, if the append
  /// named a fencing token.
  ///
  /// Blocks for at most `timeout` (nullopt: ClientOptions::timeout) and may be repeated. Errors:
  /// outcome_unknown with timed_out and retry: a commit of the entry may still be taken;
  /// outcome_unknown without timed_out: the log was trimmed past the place where the entry may have
  /// been, and nobody can tell any more; wrong_log if the result is of another log;
  /// invalid_argument if it names no entry; no_such_log; unavailable.
  std::expected<AppendResult, CallError> resolve(const AppendResult& unknown,
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
  /// The same with more options.
  std::expected<ReadResult, CallError> read(EntryOffset from, const ReadOptions& options);
  /// As read(), but without a copy: the payloads are views into the received page, which the result
  /// keeps. Suits large entries, and readers that parse payloads and keep little of them.
  std::expected<EntryViews, CallError> read_views(EntryOffset from,
                                                  const ReadOptions& options = {});
  /// Subscribes to the log from `from` on and does not block: 0, begin(), end(), or the Entry::next
  /// of an earlier entry. The stream fails with "trimmed" if the log begins later (R1: a position
  /// never moves silently), also from 0, and with "past_end" if the leader says that the log ends
  /// below. Other errors: not_an_entry, no_such_log, client_closed, forked. Needs no sequencer. A
  /// request on `stop` acts as Follower::stop(), in the thread that makes the request.
  Follower follow(EntryOffset from, std::stop_token stop = {});
  /// The same with a callback: `each` runs for every entry, in order, on the client's thread or
  /// where ClientOptions::executor runs it. The
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
  /// The last committed entry; nullopt if the log holds none. Asks the leader for the end, then
  /// reads forward from the start of the last segment or term that holds an entry, so it reads at
  /// most about a segment. Waits for a replica that lags behind the end. Errors: those of tail(),
  /// offset_at() and read(); not_here if the replica lags for ClientOptions::timeout; `trimmed` if
  /// the log is trimmed meanwhile.
  std::expected<std::optional<Entry>, CallError> last();
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
  /// Permits the removal of entries below `offset` (R3) and returns the trim point in force; space
  /// is freed in whole segments. `offset` may be the log's end. An offset below the trim point
  /// changes nothing. Errors: no_such_log, unavailable; past_end if the log ends below `offset`;
  /// not_an_entry if no entry begins there; those of a read there if no replica could show it.
  std::expected<EntryOffset, CallError> trim(EntryOffset offset);
  /// Trims once to the start of a segment so that at least `keep_bytes` stay, and returns the trim
  /// point in force. `keep_bytes` counts bytes of the log, with entry_overhead; with 0 the last
  /// segment stays. A retention does the same continuously. Errors: no_such_log, unavailable.
  std::expected<EntryOffset, CallError> trim_to_size(std::uint64_t keep_bytes);
  /// Trims once up to offset_at(time), and returns the trim point in force: no entry goes that was
  /// appended at or after `time`, but for a clock that went back (see there). Errors: no_such_log,
  /// unavailable.
  std::expected<EntryOffset, CallError> trim_before(std::chrono::system_clock::time_point time);
  /// Replaces both bounds of the log's retention (see CreateOptions); 0: no bound. Returns the new
  /// metadata. Errors: invalid_argument, no_such_log, unavailable; superseded if an answer was lost
  /// and the log was changed since: look at its present retention and decide again.
  std::expected<LogDetails, CallError> set_retention(std::uint64_t bytes, Milliseconds age);
  /// Deletes this log with all its entries, by its id, so that a log which has the name by now
  /// stays (T5). Otherwise as Client::delete_log. Errors: no_such_log, also if the log was deleted
  /// before; unavailable, after which the log may be gone.
  std::expected<void, CallError> delete_log();
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

}  // namespace loglog
