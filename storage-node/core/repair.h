// Reconciles a log with its leader (S4, S5): a durable cut, then a copy in sequence from peers that
// are matched in the term. Also repairs damage that is found while the log is in use (K3, K4).
// LogReplica owns it and tells it when the strand is idle.
#pragma once
#include "storage-node/core/reader.h"

namespace loglog::storage {

class Repair {
 public:
  /// Called with the command and its result, for the Reconciled answer.
  using Finished = std::function<void(const Reconcile&, Errc)>;

  /// `hole` runs when a hole was found while the log was in use. The log then ends at the hole and
  /// is no longer matched.
  Repair(LogCore& s, Reader& r, Finished finished, std::function<void()> hole)
      : s_(s), reader_(r), finished_(std::move(finished)), hole_(std::move(hole)) {}

  /// True between start() and the end of the reconcile.
  bool active() const { return active_; }
  /// Begins a reconcile. The caller has compared the log's state with the command (S4), and the
  /// strand is idle. Ends in `finished`, perhaps within this call, or in cancel().
  void start(const Reconcile& command);
  /// Ends the reconcile for a newer command or term. Nothing further is written; the operation in
  /// flight ends first.
  void cancel();
  /// The store's cut is durable.
  void cut_durable();
  /// A group of copied bytes is durable, and s.durable has moved.
  void group_durable();
  /// A peer's bytes lie in the place of the damaged bytes.
  void mended();
  /// The strand is idle, so there may be room now for copied bytes that waited.
  void resume();
  /// Repeats questions after a pause, and reports progress to the leader (P4).
  void tick();
  Time next_tick() const;

  /// A reader or peer found bad bytes: reads the range, and replaces damaged bytes by a peer's
  /// (K4).
  void check_range(Offset at, std::uint32_t length);
  /// Bytes at `at` could not be given to a peer. Walks the file and declares the log suspect from
  /// the first bad frame on (K3, K4).
  void check_hole(Offset at);

 private:
  /// How a walk has ended: at its target, at bad bytes, or at an unreadable header.
  enum class Walked { whole, bad, no_header };
  /// A walk over the frames of a file, in pieces.
  struct Walk {
    Offset file;
    /// Verify the payloads as well.
    bool payloads = false;
    /// Asked after each piece for the target of the walk; nullopt gives the walk up.
    std::function<std::optional<Offset>()> until;
    std::function<void(Walked, const Walk&)> done;
    /// The walk may end early: frames that begin here or later need not be read.
    Offset enough = no_offset;
    /// The good frames so far.
    Tail tail;
    std::vector<TermStart> terms{};
    /// The beginning of a frame whose rest has not been read yet.
    Bytes rest{};
    bool header_read = false;
    /// Distance of the next piece from the first frame.
    std::uint64_t position = 0;
  };

  /// The step that follows a cut.
  enum class AfterCut : std::uint8_t { nothing, copy, report_hole };

  void cut();
  void begin_cut(bool everything, const Tail& kept, AfterCut then);
  void walk(Walk w);
  void cut_inside(Offset file);
  Tail suspect_from(Tail kept);
  void hole_found(const Walk& w);
  using Step = void (Repair::*)();
  void fetch_header();
  void fetch_next();
  void peer_gave(Offset from, Term term, Transfers::Came came, const Message* m);
  void copied(const Bytes& frames);
  void write_next();
  void finish(Errc e);
  void stop_asking();
  void next_peer(Step again);
  void tell_progress();
  /// Wraps a callback so that it does nothing after this reconcile has ended or been replaced.
  template <class F>
  auto guarded(F f) {
    return [this, run = run_, f = std::move(f)](auto&&... a) mutable {
      if (active_ && run == run_) f(std::forward<decltype(a)>(a)...);
    };
  }
  bool still_holds(Offset at) const;
  void confirm_damage(Offset at, Offset until);
  void repair_range(Offset at, Offset until, std::size_t peer, const Bytes& got);

  LogCore& s_;
  Reader& reader_;
  Finished finished_;
  std::function<void()> hole_;
  /// A reconcile is in progress.
  bool active_ = false;
  /// A look at reported damage is in progress; there is at most one.
  bool range_active_ = false;
  /// Copied bytes wait until the disk has space (K5).
  bool waits_for_room_ = false;
  /// A group of copied bytes is in flight.
  bool writing_ = false;
  /// The cut under way: the tail after it, and the next step of the reconcile; `nothing` if the
  /// reconcile has ended meanwhile.
  Tail cut_to_;
  AfterCut after_cut_ = AfterCut::nothing;
  /// The damaged range that a peer's bytes are being written over.
  Offset mending_from_{}, mending_until_{};
  /// Number of the reconcile, by which guarded() knows late callbacks.
  std::uint64_t run_ = 0;
  Reconcile command_;
  /// Rotates over the peers, and counts the peers that gave nothing since bytes last came.
  std::size_t peer_ = 0;
  std::size_t refusals_ = 0;
  /// The question to a peer that is under way; 0: none.
  Transfers::Id asked_ = 0;
  /// Start of the bytes that are asked for, or that are asked for again after the pause.
  Offset awaited_ = no_offset;
  /// The step to repeat after a pause, because no peer gave anything.
  Step again_ = nullptr;
  Time again_at_ = never;
  /// When the leader is next told how far the copy has come.
  Time progress_at_ = never;
  /// Copied bytes that no write has taken yet. They begin at s.written.end while a write is in
  /// flight, otherwise at s.durable.end.
  Bytes rest_;
};

}  // namespace loglog::storage
