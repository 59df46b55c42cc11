// Reconciling a log with its leader (S4, S5): a durable cut, then sequential copying from matched
// peers.
#pragma once
#include "storage-node/core/reader.h"
#include "storage-node/core/segment_writer.h"

namespace loglog::storage {

class Repair {
 public:
  using Finished = std::function<void(const Reconcile&, Errc)>;

  /// `hole` runs when a hole was found while the log was in use: s ends at it now, and is matched
  /// no more.
  Repair(LogCore& s, SegmentWriter& w, Reader& r, Finished finished, std::function<void()> hole)
      : s_(s), writer_(w), reader_(r), finished_(std::move(finished)), hole_(std::move(hole)) {}

  bool active() const { return active_; }
  /// Begins; the state was compared and the strand is idle. Ends in `finished` (also from inside
  /// this call) or cancel().
  void start(const Reconcile& command);
  /// A newer command or term: nothing further is written; what is in flight ends first.
  void cancel();
  /// The strand is idle and there may be room now for what waited for it.
  void resume();
  void tick();
  Time next_tick() const;

  /// A reader found bad bytes: reads the range, and replaces a damaged one by a peer's (K4).
  void check_range(Offset at, std::uint32_t length);
  /// A peer could not be given the bytes there: walks the file, and declares the log suspect from
  /// the first bad frame on (K3, K4).
  void check_hole(Offset at);

 private:
  enum class Walked {
    whole,
    bad,
    no_header
  };  ///< up to where it was asked for, up to bad bytes, or nothing can be said
  /// A walk over the frames of one file.
  struct Walk {
    Offset file;
    bool payloads = false;  ///< verify them too
    std::function<std::optional<Offset>()>
        until;  ///< asked at every piece; nothing: the walk is given up
    std::function<void(Walked, const Walk&)> done;
    Offset enough = no_offset;  ///< frames that begin here or later need not be looked at
    Tail tail;                  ///< so far
    std::vector<TermStart> terms{};
    Bytes rest{};  ///< the begin of a frame
    std::uint64_t position = 0;
  };

  void cut();
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
  SegmentWriter& writer_;
  Reader& reader_;
  Finished finished_;
  std::function<void()> hole_;
  bool active_ = false;
  bool range_active_ = false;
  bool waits_for_room_ = false;
  bool writing_ = false;
  std::uint64_t run_ = 0;
  Reconcile command_;
  std::size_t peer_ = 0;
  std::size_t refusals_ = 0;
  Transfers::Id asked_ = 0;  ///< the question under way
  Offset awaited_ =
      no_offset;          ///< bytes from here on are asked for, or will be when the pause is over
  Step again_ = nullptr;  ///< after a pause, since no peer gave anything
  Time again_at_ = never;
  Time progress_at_ = never;  ///< when the leader is told next how far the copy is
  Bytes rest_;  ///< copied bytes of which no write has begun: from s.written.end on while one is
                ///< under way, else from s.durable.end
};

}  // namespace loglog::storage
