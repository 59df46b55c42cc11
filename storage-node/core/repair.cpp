// Three parts: the reconcile (cut, then copy in pieces, write and fetch overlapping), the walk over
// a file that a cut and a look at damage share, and the repair of damaged ranges. Every callback
// may come after the log was cut, trimmed, dropped or sealed again, so each checks first.
#include "storage-node/core/repair.h"

#include <cstring>

#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {

/// Bytes that a walk reads at a time.
constexpr std::uint32_t rescan_piece = 1u << 20;
/// P4: interval of Reconciling.
constexpr Duration progress_every = 500ms;

Bytes joined(const Bytes& a, const Bytes& b) {
  if (a.empty()) return b;
  Bytes out = Bytes::allocate(a.size() + b.size());
  std::memcpy(out.mutable_data(), a.data(), a.size());
  if (!b.empty()) std::memcpy(out.mutable_data() + a.size(), b.data(), b.size());
  return out;
}

}  // namespace

/// The first peer differs from log to log, so that copies of many logs do not load a single peer's
/// link.
void Repair::start(const Reconcile& command) {
  active_ = true;
  ++run_;
  command_ = command;
  peer_ = s_.id.value;
  refusals_ = 0;
  rest_ = {};
  waits_for_room_ = writing_ = false;
  after_cut_ = AfterCut::nothing;
  progress_at_ = s_.node.now + progress_every;
  s_.node.wake_at(s_.id, progress_at_);
  cut();
}

void Repair::cancel() {
  active_ = waits_for_room_ = writing_ = false;
  after_cut_ = AfterCut::nothing;
  ++run_;
  stop_asking();
}

void Repair::stop_asking() {
  s_.node.transfers.cancel(std::exchange(asked_, 0));
  awaited_ = no_offset;
  again_at_ = progress_at_ = never;
  rest_ = {};
}

void Repair::tick() {
  if (active_ && progress_at_ <= s_.node.now) tell_progress();
  if (!active_ || again_at_ > s_.node.now) return;
  again_at_ = never;
  (this->*again_)();
}

Time Repair::next_tick() const { return active_ ? std::min(progress_at_, again_at_) : never; }

/// P4: the copy is alive as long as bytes come to this node, although it may be another log's turn.
/// Without this report the leader would begin a new term (S8).
void Repair::tell_progress() {
  const Time since = progress_at_ - progress_every;
  progress_at_ = s_.node.now + progress_every;
  if (s_.node.transfers.moved() >= since)
    s_.node.send(s_.leader, RequestId{}, Reconciling{s_.id, command_.term, s_.durable.end});
}

void Repair::resume() {
  if (active_ && std::exchange(waits_for_room_, false)) write_next();
}

void Repair::finish(Errc e) {
  active_ = false;
  stop_asking();
  finished_(command_, e);
}

/// S4: the cut, durable before new bytes are written. A re-base drops everything, and first needs
/// the chain at the place where it begins.
void Repair::cut() {
  if (command_.rebase) {
    reader_.drop_cache();
    fetch_header();
  } else if (command_.cut < s_.durable.end) {
    reader_.drop_cache();
    if (s_.store.empty() || command_.cut <= s_.store.first_kept()) {
      if (command_.cut != Offset{}) {
        // The chain at a first offset above 0 is in the file's header.
        const Offset file = s_.store.empty() ? s_.durable.end : s_.store.first_kept();
        if (s_.store.empty() || command_.cut != file) return finish(Errc::wrong_state);
        return cut_inside(file);
      }
      return begin_cut(true, Tail{}, AfterCut::copy);
    }
    cut_inside(s_.store.segment_of(Offset{command_.cut.value - 1}));
    // The log is kept whole, but bytes of no good frame follow its tail (K3).
  } else if (s_.store.has_torn_bytes()) {
    begin_cut(s_.store.empty(), s_.durable, AfterCut::copy);
  } else {
    fetch_next();
  }
}

void Repair::begin_cut(bool everything, const Tail& kept, AfterCut then) {
  cut_to_ = kept;
  after_cut_ = then;
  if (!s_.store.cut({everything, kept, s_.suspect}, s_.vouch())) s_.terms.clear();
}

/// The cut counts even if its reconcile has ended meanwhile.
void Repair::cut_durable() {
  s_.durable = s_.written = cut_to_;
  cut_terms(s_.terms, cut_to_.end);
  const AfterCut then = std::exchange(after_cut_, AfterCut::nothing);
  if (!active_) return;
  switch (then) {
    case AfterCut::nothing:
      break;
    case AfterCut::copy:
      return fetch_next();
    case AfterCut::report_hole:
      return finish(Errc::wrong_state);
  }
}

// ---- Walking a file

/// Reads the header, then piece after piece. Ends in `w.done`, or silently once w.until() returns
/// nullopt.
void Repair::walk(Walk w) {
  const Offset file = w.file;
  const bool header_read = w.header_read;
  const std::uint64_t position = w.position;
  auto done = [this, w = std::move(w)](DiskDone&& d) mutable {
    const std::optional<Offset> until = w.until();
    if (!until) return;
    const bool header = !w.header_read;
    if (d.error != Errc::ok || d.data.empty())
      return w.done(header ? Walked::no_header : Walked::bad, w);
    if (header) {
      w.header_read = true;
      const auto h = decode_segment_header(d.data);
      if (!h) return w.done(Walked::no_header, w);
      w.tail.chain = h->chain;
    } else {
      w.position += d.data.size();
      w.rest = joined(w.rest, d.data);
      const Scanned s = scan_frames(w.rest, s_.id, *until, w.payloads, w.tail, w.terms);
      if (s.stop == FrameState::bad || s.stop == FrameState::nothing) return w.done(Walked::bad, w);
      w.rest = w.rest.slice(s.good_bytes);
    }
    if (w.tail.end < *until && w.tail.end < w.enough) return walk(std::move(w));
    w.done(Walked::whole, w);
  };
  if (!header_read) s_.store.read_header(file, std::move(done));
  else s_.store.read_inside(file, position, rescan_piece, std::move(done));
}

/// A cut inside a file: the chain at the cut is computed by walking the file, whose header has the
/// chain before its first frame.
void Repair::cut_inside(Offset file) {
  walk({.file = file,
        .until =
            [this, run = run_] {
              return active_ && run == run_ ? std::optional(command_.cut) : std::nullopt;
            },
        .done =
            [this](Walked how, const Walk& w) {
              if (how == Walked::no_header) return finish(Errc::corrupt);
              if (how == Walked::whole) return begin_cut(false, w.tail, AfterCut::copy);
              // Damage lies below the cut, and bytes past it cannot be kept in place. The log ends
              // at the damage, and the leader learns of the hole (K4).
              begin_cut(false, suspect_from(w.tail), AfterCut::report_hole);
            },
        .tail = {.end = file}});
}

/// Declares the log suspect from `kept` on (K3). Returns that tail with the term of its last frame.
Tail Repair::suspect_from(Tail kept) {
  s_.node.event(Event::Level::alarm,
                fmt::format("log {}: bytes at offset {} are bad; suspect until copied again (K3)",
                            s_.id.value, kept.end.value));
  ++s_.node.figures.corruptions_found;
  s_.suspect = true;
  s_.hole_until = std::max(s_.hole_until, s_.durable.end);
  // If no frame of the file is good, its walk has met no term: the last term before the file is in
  // force.
  if (kept.last_term == Term{})
    for (const TermStart& t : s_.terms)
      if (t.offset < kept.end) kept.last_term = t.term;
  return kept;
}

// ---- Copying

/// Goes to the next peer. A peer may fail a few times before the leader is told, because it may be
/// restarting. A round in which no peer gave anything ends in a pause.
void Repair::next_peer(Step again) {
  ++peer_;
  if (++refusals_ > 3 * command_.peers.size() && !writing_) return finish(Errc::unavailable);
  if (refusals_ % command_.peers.size() != 0) return (this->*again)();
  again_ = again;
  again_at_ = s_.node.now + s_.node.options.copy_repeat;
  s_.node.wake_at(s_.id, again_at_);
}

/// S4: a re-based log begins with the chain in the header of the peer's first file (decision 0002).
void Repair::fetch_header() {
  if (command_.target_first == Offset{}) return begin_cut(true, Tail{}, AfterCut::copy);
  if (command_.peers.empty()) return finish(Errc::unavailable);
  const NodeId peer = command_.peers[peer_ % command_.peers.size()];
  asked_ = s_.node.transfers.ask(
      peer, s_.id, Copy{s_.id, command_.term, command_.target_first, command_.target_first, 0},
      segment_header_size, Transfers::Urgency::bulk,
      guarded([this](Transfers::Came came, const Message* m) {
        // The header has been asked for again, and it is small.
        if (came == Transfers::Came::late) return;
        asked_ = 0;
        const Copied* c = m ? std::get_if<Copied>(m) : nullptr;
        const auto h =
            c ? decode_segment_header(c->frames) : Result<SegmentHeader>(fail(Errc::unavailable));
        if (!h || h->log != s_.id || h->first != command_.target_first)
          return next_peer(&Repair::fetch_header);
        begin_cut(true, Tail{.end = h->first, .chain = h->chain}, AfterCut::copy);
      }));
}

/// S5: asks for the next piece while the last piece is written, so that neither the link nor the
/// disk waits for the other. At the target, tail and chain must equal the leader's.
void Repair::fetch_next() {
  if (s_.durable.end >= command_.target) {
    const bool equal = rules::matches_target(s_.durable, command_.target, command_.target_chain);
    return finish(equal ? Errc::ok : Errc::corrupt);
  }
  if (command_.peers.empty()) return finish(Errc::unavailable);
  if (asked_ != 0 || again_at_ != never) return;
  // The first byte that is neither written, being written, nor waiting in rest_.
  const Offset from = (writing_ ? s_.written.end : s_.durable.end) + rest_.size();
  // A piece ahead of the disk is enough; more would only take memory.
  if (from >= command_.target ||
      ((writing_ || waits_for_room_) && rest_.size() >= s_.node.options.copy_bytes))
    return;
  const NodeId peer = command_.peers[peer_ % command_.peers.size()];
  awaited_ = from;
  const auto bytes = std::min<std::uint64_t>(s_.node.options.copy_bytes, command_.target - from);
  asked_ = s_.node.transfers.ask(
      peer, s_.id, Copy{s_.id, command_.term, from, command_.target, s_.node.options.copy_bytes},
      bytes, Transfers::Urgency::bulk,
      [this, from, term = command_.term](Transfers::Came came, const Message* m) {
        peer_gave(from, term, came, m);
      });
}

/// Late bytes may answer a question of an earlier Reconcile of the same term. They are taken,
/// because matched peers have the same bytes.
void Repair::peer_gave(Offset from, Term term, Transfers::Came came, const Message* m) {
  if (!active_ || command_.term != term || awaited_ != from) return;
  const Copied* c = m ? std::get_if<Copied>(m) : nullptr;
  const bool good = c != nullptr && c->offset == from && !c->frames.empty();
  if (!good && came == Transfers::Came::late) return;
  if (came == Transfers::Came::late) s_.node.transfers.cancel(asked_);
  asked_ = 0;
  if (!good) return next_peer(&Repair::fetch_next);
  awaited_ = no_offset;
  again_at_ = never;
  // The peers take turns, so that copies do not load a single peer's link.
  ++peer_;
  copied(c->frames);
}

void Repair::copied(const Bytes& frames) {
  s_.node.figures.copied_bytes += frames.size();
  rest_ = joined(rest_, frames);
  if (!writing_ && !waits_for_room_) write_next();
  else fetch_next();
}

/// Writes the whole frames of rest_ as a group, at most up to the next segment start, then goes on
/// copying. Every frame is checked, payload included (S5).
void Repair::write_next() {
  Tail tail = s_.durable;
  std::vector<TermStart> terms = s_.terms;
  std::size_t until = 0;
  bool opens = false;
  Offset limit = command_.target;
  // A segment start must open a file, so a group ends before the next segment start.
  Tail probe = tail;
  std::vector<TermStart> probe_terms = terms;
  const Scanned all = scan_frames(rest_, s_.id, limit, true, probe, probe_terms,
                                  [&](const FramePrefix& p, std::size_t at) {
                                    if (p.kind != FrameKind::segment_start) return;
                                    if (at == 0) opens = true;
                                    else if (s_.durable.end + at < limit)
                                      limit = std::min(limit, s_.durable.end + at);
                                  });
  if (all.good_bytes == 0) {
    // The frame is longer than the bytes that are here.
    if (all.stop == FrameState::incomplete && rest_.size() < frame_size_max) return fetch_next();
    // K4: bad bytes came from a peer. All peers are told and check for themselves: the peer that
    // gave the bytes may be the only holder, and must learn that its copy is bad.
    for (const NodeId peer : command_.peers)
      s_.node.transfers.tell(peer, ReportCorrupt{s_.id, s_.durable.end, frame_overhead});
    rest_ = {};
    s_.node.transfers.cancel(std::exchange(asked_, 0));
    again_at_ = never;
    awaited_ = s_.durable.end;
    return next_peer(&Repair::fetch_next);
  }
  limit = std::min(limit, s_.durable.end + all.good_bytes);
  // K5: if the disk is full, resume() tries again.
  waits_for_room_ = !s_.store.make_room(opens, limit - s_.durable.end);
  if (waits_for_room_) return;
  until = scan_frames(rest_, s_.id, limit, false, tail, terms).good_bytes;
  const Bytes group = rest_.slice(0, until);
  rest_ = rest_.slice(until);
  refusals_ = 0;
  s_.written = tail;
  s_.terms = std::move(terms);
  reader_.written(s_.durable.end, group);
  writing_ = true;
  s_.store.append({s_.durable, {group}, group.size(), opens}, s_.vouch());
  fetch_next();
}

/// A reconcile that was cancelled meanwhile does not go on.
void Repair::group_durable() {
  if (!std::exchange(writing_, false) || !active_) return;
  rest_.empty() ? fetch_next() : write_next();
}

// ---- Damage found in use

/// K4: reads the reported range. Bytes that look bad are not believed before confirm_damage().
void Repair::check_range(Offset at, std::uint32_t length) {
  const Offset end = s_.readable_end();
  if (range_active_ || s_.store.empty() || at < s_.first_kept()) return;
  // Above the readable end no peer need have the bytes: look for a hole instead.
  if (at >= end) return check_hole(at);
  const Offset until = std::min(
      s_.store.segment_end(at, end),
      at + std::min<std::uint64_t>(std::max<std::uint32_t>(length, frame_overhead), page_size_max));
  range_active_ = true;
  s_.store.read(at, until - at, [this, at, until](DiskDone&& d) {
    Tail tail{.end = at};
    std::vector<TermStart> terms;
    Scanned s{.good_bytes = 0, .stop = FrameState::bad};
    if (d.error == Errc::ok) s = scan_frames(d.data, s_.id, until, true, tail, terms);
    if (s.stop == FrameState::good || (s.stop == FrameState::incomplete && s.good_bytes > 0)) {
      range_active_ = false;
      return;
    }
    confirm_damage(tail.end, until);
  });
}

/// A report may name a place inside a frame, where good bytes look bad. Frame boundaries are known
/// only from the beginning of the file, so the walk starts there.
void Repair::confirm_damage(Offset at, Offset until) {
  const Offset file = s_.store.segment_of(at);
  walk({.file = file,
        .payloads = true,
        .until = [this, at, file]() -> std::optional<Offset> {
          if (still_holds(at) && s_.store.segment_of(at) == file)
            return s_.store.segment_end(file, s_.readable_end());
          // Trimmed or cut meanwhile.
          range_active_ = false;
          return std::nullopt;
        },
        .done =
            [this, at, until](Walked how, const Walk& w) {
              const Offset bad = how == Walked::no_header ? at : w.tail.end;
              if (how == Walked::whole || bad > until) {
                range_active_ = false;
                s_.node.event(Event::Level::info,
                              fmt::format("log {}: no bytes are damaged at offset {}", s_.id.value,
                                          at.value));
                return;
              }
              ++s_.node.figures.corruptions_found;
              s_.node.event(
                  Event::Level::warning,
                  fmt::format(
                      "log {}: bytes at offset {} are damaged here; copying them from a peer",
                      s_.id.value, bad.value));
              repair_range(bad, std::max(until, bad + 1), 0, {});
            },
        .enough = until,
        .tail = {.end = file}});
}

/// K3: above the committed offset no peer need have the bytes. Damage there is a hole, as if it had
/// been found at a start: the log is known only up to it, nothing is cut before a reconcile, and
/// the leader is told.
void Repair::check_hole(Offset at) {
  if (s_.dropped || range_active_ || s_.store.empty() || at < s_.first_kept() ||
      at >= s_.durable.end)
    return;
  range_active_ = true;
  const Offset file = s_.store.segment_of(at);
  walk({.file = file,
        .payloads = true,
        .until = [this, file]() -> std::optional<Offset> {
          if (!s_.store.empty() && file >= s_.store.first_kept() &&
              s_.store.segment_of(file) == file && file < s_.durable.end)
            return s_.store.segment_end(file, s_.durable.end);
          // Trimmed or cut meanwhile.
          range_active_ = false;
          return std::nullopt;
        },
        .done =
            [this](Walked how, const Walk& w) {
              range_active_ = false;
              if (how != Walked::whole) hole_found(w);
            },
        .tail = {.end = file}});
}

void Repair::hole_found(const Walk& w) {
  // An operation in flight ends first, and the reader or peer that met the damage reports it again.
  // A dropped log has no files to repair.
  if (s_.dropped || active_ || s_.store.busy() || w.tail.end >= s_.durable.end) return;
  const Tail kept = suspect_from(w.tail);
  // The bytes past the hole stay on disk until a reconcile cuts them.
  s_.matched = {};
  s_.store.lose_from(w.file, kept.end);
  s_.durable = s_.written = kept;
  cut_terms(s_.terms, kept.end);
  reader_.drop_cache();
  hole_();
}

/// False if the log was dropped, trimmed or cut below `at` while a question was under way.
bool Repair::still_holds(Offset at) const {
  return !s_.dropped && !s_.store.empty() && at >= s_.first_kept() && at < s_.readable_end();
}

/// K4: gets frames from `at` up to `until` from a matched peer, and writes them over the damaged
/// bytes. `got` holds the bytes that the peer has given so far.
void Repair::repair_range(Offset at, Offset until, std::size_t peer, const Bytes& got) {
  range_active_ = still_holds(at);
  if (!range_active_) return;
  std::vector<NodeId> peers;
  for (const Member& m : s_.info.members)
    if (m.node != s_.node.options.id) peers.push_back(m.node);
  if (peer >= peers.size() || !s_.is_matched()) {
    s_.node.event(
        Event::Level::alarm,
        fmt::format("log {}: damaged bytes at offset {} are not repaired, no peer gave them",
                    s_.id.value, at.value));
    range_active_ = false;
    return;
  }
  // A frame boundary falls on `until` only by chance, so the copy goes on to the end of the frame
  // there.
  const Offset end = s_.store.segment_end(at, s_.readable_end());
  s_.node.transfers.ask(peers[peer], s_.id,
                        Copy{s_.id, s_.matched, at + got.size(), end, s_.node.options.copy_bytes},
                        s_.node.options.copy_bytes, Transfers::Urgency::bulk,
                        [this, at, until, peer, got](Transfers::Came came, const Message* m) {
                          if (came == Transfers::Came::late) return;
                          range_active_ = still_holds(at);
                          if (!range_active_) return;
                          const Copied* c = m ? std::get_if<Copied>(m) : nullptr;
                          if (c == nullptr || c->offset != at + got.size() || c->frames.empty())
                            return repair_range(at, until, peer + 1, {});
                          Bytes all = joined(got, c->frames);
                          Tail tail{.end = at};
                          std::vector<TermStart> terms;
                          const Scanned s = scan_frames(all, s_.id, no_offset, true, tail, terms);
                          if (s.good_bytes == 0)
                            return s.stop == FrameState::incomplete && all.size() < frame_size_max
                                       ? repair_range(at, until, peer, all)
                                       : repair_range(at, until, peer + 1, {});
                          mending_from_ = at;
                          mending_until_ = tail.end;
                          s_.store.mend(at, all.slice(0, s.good_bytes));
                        });
}

void Repair::mended() {
  range_active_ = false;
  ++s_.node.figures.corruptions_repaired;
  s_.node.event(Event::Level::info, fmt::format("log {}: repaired offsets {} to {}", s_.id.value,
                                                mending_from_.value, mending_until_.value));
}

}  // namespace loglog::storage
