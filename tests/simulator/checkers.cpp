// In the order of checkers.h: readers of replicas' files, the clients' history, runs and times, the
// wire, and the comparison of replicas.
#include "tests/simulator/checkers.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/segment.h"

namespace loglog::simulator {

/// A leader reads its clock in whole milliseconds and advances it in whole milliseconds, so times
/// are exact to 2 ms.
constexpr Duration clock_error = 2ms;

std::string short_form(const std::string& payload) { return payload.substr(0, payload.find('#')); }

// Reads files from the file that holds `from`, as long as they are contiguous and every frame is
// good.
std::optional<ReplicaBytes> bytes_of(const SimulatedDisk::Log& log, LogId id, Offset from) {
  if (log.segments.empty()) return std::nullopt;
  auto file = log.segments.upper_bound(from);
  if (file != log.segments.begin()) --file;
  ReplicaBytes out;
  out.first = std::max(from, file->first);
  Offset at = out.first;
  for (; file != log.segments.end(); ++file) {
    if (file->first > at) break;  // a gap: later bytes are not comparable
    out.files.push_back(file->first);
    const ByteSpan seen(file->second.seen);
    ByteSpan rest =
        seen.subspan(std::min<std::size_t>(seen.size(), segment_header_size + (at - file->first)));
    for (;;) {
      const FrameView v = look_at_frame(rest, id, at, true);
      if (v.state != FrameState::good) break;
      const std::uint32_t n = v.prefix.frame_length();
      out.bytes.insert(out.bytes.end(), rest.begin(), rest.begin() + n);
      rest = rest.subspan(n);
      at += n;
    }
  }
  return out;
}

// R6: term starts and segment starts carry the leader's clock. A segment start that the term start
// follows at once counts as the same point.
std::vector<ClockedPoint> clocked_points(const SimulatedDisk::Log& log, LogId id,
                                         Offset committed) {
  std::vector<ClockedPoint> out;
  const auto all = bytes_of(log, id);
  ByteSpan rest = all ? ByteSpan(all->bytes) : ByteSpan();
  Term opened{};  // the term of the segment start just before, if there is any
  for (Offset at = all ? all->first : committed; at < committed && !rest.empty();) {
    const FrameView v = look_at_frame(rest, id, at, true);
    if (v.state != FrameState::good) break;
    // A log's first term begins with its first segment start, so its term start is no point of its
    // own.
    const bool same = v.prefix.kind == FrameKind::term_start && opened == v.prefix.term;
    opened = v.prefix.kind == FrameKind::segment_start ? v.prefix.term : Term{};
    if (const auto clock = clock_at(rest, id, at); clock && !same) out.push_back({at, *clock});
    rest = rest.subspan(v.prefix.frame_length());
    at += v.prefix.frame_length();
  }
  return out;
}

void violated(World& world, const Promise& p, const std::string& what) {
  world.stop_at_violation(fmt::format("{}: {}", p.name, what));
}

// ---- The clients' history

// Remembers the state of the world at the start: entries acknowledged before it must stand below
// it.
void LogHistory::append_started(const std::string& payload) {
  begun_[payload] = {acknowledged_end_, answered_trims_};
}

void LogHistory::append_ended(const std::string& payload, const client::Completion& result,
                              std::uint64_t wall_ms) {
  Begun& begun = begun_[payload];
  if (const auto* ok = std::get_if<client::Appended>(&result)) {
    if (ok->offset < begun.floor)
      violated(world_, promise::real_time,
               fmt::format("{} stands at {}, below {} where an entry ended that was acknowledged "
                           "before it began",
                           short_form(payload), ok->offset.value, begun.floor.value));
    acknowledged_[payload] = ok->offset;
    acknowledged_at_[ok->offset] = payload;
    acknowledged_end_ = std::max(acknowledged_end_, ok->offset + payload.size() + frame_overhead);
    floor_ = std::max(floor_, acknowledged_end_);
    if (world_.has(Bug::orders_by_clock)) {
      Offset& end = by_clock_[wall_ms];
      end = std::max(end, ok->offset + payload.size() + frame_overhead);
    }
  } else if (const auto* no = std::get_if<client::Failure>(&result)) {
    begun.failed = no->error.code != Errc::outcome_unknown || world_.has(Bug::unknown_is_failed);
  }
}

void LogHistory::resolved(const std::string& payload, const client::Resolved& answer,
                          std::uint64_t wall_ms) {
  Begun& begun = begun_[payload];
  const auto told = acknowledged_.find(payload);
  const Offset stands = told != acknowledged_.end() ? told->second : begun.stands;
  if (stands != no_offset && (!answer.is_committed || answer.offset != stands))
    return violated(
        world_, promise::resolved,
        fmt::format("{} stands at {}, and resolve() {}", short_form(payload), stands.value,
                    answer.is_committed ? fmt::format("finds it at {}", answer.offset.value)
                                        : "calls it absent"));
  if (answer.is_committed && begun.failed)
    return violated(world_, promise::resolved,
                    fmt::format("{} was absent, and resolve() finds it at {}", short_form(payload),
                                answer.offset.value));
  if (answer.is_committed && answer.next != answer.offset + payload.size() + frame_overhead)
    return violated(world_, promise::resolved,
                    fmt::format("{} at {} is said to end at {}", short_form(payload),
                                answer.offset.value, answer.next.value));
  begun.resolved = true;
  if (answer.is_committed)
    append_ended(payload, client::Appended{answer.offset, answer.term}, wall_ms);
  else begun.failed = true;
}

// A5: before its deadline a resolution may give up only because a trim may have taken the entry.
void LogHistory::unresolved(const std::string& payload, const Error& why, bool timed_out) {
  const bool trimmed = !trims_.empty() || world_.options.retention != Retention{};
  if (timed_out || why.code == Errc::client_closed) return;
  if (why.code == Errc::outcome_unknown && trimmed) return;
  violated(world_, promise::resolved,
           fmt::format("resolve() gives {} up before its deadline, {}: {}", short_form(payload),
                       trimmed ? "not over a trim" : "and nothing was trimmed", why.message()));
}

// Every entry that any client reads comes here, so readers are compared with each other and with
// the answers to appends.
void LogHistory::entry_read(const client::Entry& e) {
  const std::string payload{e.payload.text()};
  const auto begun = begun_.find(payload);
  if (begun == begun_.end())
    return violated(world_, promise::origin,
                    fmt::format("offset {} holds bytes that nobody appended", e.offset.value));
  if (begun->second.failed)
    return violated(
        world_, begun->second.resolved ? promise::resolved : promise::failed,
        fmt::format("{} failed, yet stands at {}", short_form(payload), e.offset.value));
  if (begun->second.stands != no_offset && begun->second.stands != e.offset)
    return violated(world_, promise::once,
                    fmt::format("{} stands at {} and at {}", short_form(payload),
                                begun->second.stands.value, e.offset.value));
  begun->second.stands = e.offset;
  const Seen seen{std::hash<std::string>{}(payload), e.next};
  const auto [at, fresh] = seen_.try_emplace(e.offset, seen);
  if (!fresh && (at->second.hash != seen.hash || at->second.next != seen.next))
    return violated(world_, promise::agreement,
                    fmt::format("offset {} was read with two contents", e.offset.value));
  const auto acknowledged = acknowledged_at_.find(e.offset);
  if (acknowledged != acknowledged_at_.end() && acknowledged->second != payload)
    violated(world_, promise::unmoved,
             fmt::format("{} was acknowledged at {}, where {} stands",
                         short_form(acknowledged->second), e.offset.value, short_form(payload)));
}

// R2: a tail call that began after an acknowledgement must answer at least its end.
void LogHistory::tail_answered(Offset floor, Offset committed) {
  if (committed < floor)
    return violated(world_, promise::tail,
                    fmt::format("tail {} below {}, which was known before the call",
                                committed.value, floor.value));
  floor_ = std::max(floor_, committed);
}

// A follower must not skip an acknowledged entry. The range is kept, because an entry in it may be
// acknowledged later; `fully_read` looks again.
void LogHistory::passed_over(Offset from, Offset to) {
  Offset& end = passed_over_[from];
  end = std::max(end, to);
  const auto missed = acknowledged_at_.lower_bound(from);
  if (missed != acknowledged_at_.end() && missed->first < to)
    violated(world_, promise::follower,
             fmt::format("{} stands at {} and a follower went from {} to {}",
                         short_form(missed->second), missed->first.value, from.value, to.value));
}

Offset LogHistory::acknowledged_by(std::uint64_t wall_ms) const {
  Offset end{};
  for (auto c = by_clock_.begin(); c != by_clock_.end() && c->first < wall_ms; ++c)
    end = std::max(end, c->second);
  return end;
}

void LogHistory::point_told(std::uint64_t wall_ms, Offset point) {
  if (!world_.options.clocks_agree) return;
  if (const Offset since = places_.first_since(log_, begins_, wall_ms); since < point)
    violated(world_, promise::time,
             fmt::format("at {} ms the log is said to stand at {}, a run at {} was ordered since",
                         wall_ms, point.value, since.value));
}

// A3 to A6: before its deadline an append may end as unknown only because a trim removed the place
// where the entry could stand (A5).
void LogHistory::unknown_early(const std::string& payload, const std::string& why) {
  if (!trims_.empty() || world_.options.retention != Retention{}) return;
  violated(world_, promise::unknown,
           fmt::format("{} is unknown before its deadline, and nothing was trimmed: {}",
                       short_form(payload), why));
}

std::size_t LogHistory::trim_asked(Offset point) {
  trims_.push_back({point, point > floor_});
  return trims_.size() - 1;
}

// Only a prefix of trims whose answers have come bounds the entries begun later; an unanswered trim
// may act at any time.
void LogHistory::trim_answered(std::size_t number) {
  trims_[number].answered = true;
  while (answered_trims_ < trims_.size() && trims_[answered_trims_].answered) ++answered_trims_;
  if (!trims_[number].behind_the_end) begin_floor_ = std::max(begin_floor_, trims_[number].point);
}

void LogHistory::begin_told(Offset floor, Offset first) {
  if (first < floor)
    violated(world_, promise::trim_forward,
             fmt::format("the log begins at {}, and began at {} before", first.value, floor.value));
  begin_floor_ = std::max(begin_floor_, first);
  begins_at(first);
}

// A log may begin where a trim was asked, or where its retention allows. Beyond both, entries were
// taken wrongly.
void LogHistory::begins_at(Offset first) {
  const auto asked_from = [this](std::size_t number) {
    Offset highest{};
    for (; number < trims_.size(); ++number) highest = std::max(highest, trims_[number].point);
    return highest;
  };
  const bool retained = first > asked_from(0) && places_.may_go(log_, first);
  if (retained) retained_from_ = std::max(retained_from_, first);
  else if (first > std::max(asked_from(0), retained_from_))
    violated(world_, promise::trim_bounds,
             fmt::format("the log begins at {}, trims were asked up to {}", first.value,
                         asked_from(0).value));
  begins_ = std::max(begins_, first);
  // Entries that were begun after a trim's answer are not removed by that trim, wherever its point
  // lay.
  for (auto a = acknowledged_at_.rbegin(); a != acknowledged_at_.rend(); ++a) {
    if (a->first >= begins_) continue;
    const Begun& begun = begun_[a->second];
    if (begun.trims == 0) break;
    if (a->first >= std::max(asked_from(begun.trims), retained_from_))
      violated(
          world_, promise::trim_bounds,
          fmt::format(
              "{} stands at {}, the log begins at {}, and trims that were asked since go up to {}",
              short_form(a->second), a->first.value, begins_.value, asked_from(begun.trims).value));
    break;
  }
}

// The final read is the truth. It is compared with every acknowledgement, every earlier read and
// the order of producers.
void LogHistory::fully_read(const std::vector<client::Entry>& entries, Offset first) {
  begins_at(first);
  std::map<std::string, Offset> found;
  std::map<ProducerId, Sequence> last;
  for (const auto& e : entries) {
    const std::string payload{e.payload.text()};
    if (const auto [at, fresh] = found.try_emplace(payload, e.offset); !fresh)
      violated(world_, promise::once,
               fmt::format("{} stands at {} and at {}", short_form(payload), at->second.value,
                           e.offset.value));
    Sequence& before = last[e.producer];
    if (e.sequence <= before)
      violated(world_, promise::producer_order,
               fmt::format("producer {:x}: sequence {} after {}", e.producer.value,
                           e.sequence.value, before.value));
    before = e.sequence;
    entry_read(e);
  }
  for (const auto& [from, to] : std::map(passed_over_))
    passed_over(from, to);  // entries may have been acknowledged since
  for (const auto& [payload, offset] : acknowledged_) {
    if (offset < first) continue;  // trimmed away
    const auto at = found.find(payload);
    if (at == found.end())
      violated(
          world_, promise::durability,
          fmt::format("{} was acknowledged at {} and is gone", short_form(payload), offset.value));
    else if (at->second != offset)
      violated(world_, promise::unmoved,
               fmt::format("{} was acknowledged at {} and stands at {}", short_form(payload),
                           offset.value, at->second.value));
  }
}

// ---- Runs and the time of their order

void PlaceWatch::order(const Order& m) {
  Places& places = logs_[m.log];
  Offset at = m.previous_end;
  for (const OrderItem& item : m.items) {
    if (item.run.producer != ProducerId{}) {
      // A run that is ordered again for a lagging replica keeps its first time; a newer term
      // replaces it.
      const auto [place, fresh] =
          places.runs.try_emplace(at, Placed{m.term, world_.scheduler.now()});
      if (!fresh && place->second.term < m.term) place->second = {m.term, world_.scheduler.now()};
    }
    at += item.run.length;
  }
}

// S6 as seen from outside: the committed offset is the `retention_quorum`-th largest acknowledged
// tail of a term.
void PlaceWatch::durable(const Process& from, const Durable& m) {
  Places& places = logs_[m.log];
  Offset& tail = places.durable[{m.term, from.name()}];
  tail = std::max(tail, m.tail);
  std::vector<Offset> tails;
  for (auto d = places.durable.lower_bound({m.term, {}});
       d != places.durable.end() && d->first.first == m.term; ++d)
    tails.push_back(d->second);
  const std::size_t quorum = world_.options.retention_quorum;
  if (tails.size() < quorum) return;
  std::sort(tails.begin(), tails.end(), std::greater<>());
  places.committed = std::max(places.committed, tails[quorum - 1]);
}

// R5: a retention in bytes needs that many committed bytes above the point; a retention in time
// needs the age of all runs below.
bool PlaceWatch::may_go(LogId log, Offset point) {
  const Retention& r = world_.options.retention;
  Places& places = logs_[log];
  if (r.bytes > 0 && point + r.bytes <= places.committed) return true;
  if (r.ms == 0) return false;
  for (auto run = places.runs.lower_bound(places.looked_to);
       run != places.runs.end() && run->first < point; ++run)
    places.newest_below = std::max(places.newest_below, run->second.when);
  places.looked_to = std::max(places.looked_to, point);
  const Duration age = Duration(static_cast<std::int64_t>(r.ms) * 1000) - clock_error;
  return !world_.options.most_clocks_agree || world_.scheduler.now() - places.newest_below >= age;
}

Offset PlaceWatch::first_since(LogId log, Offset from, std::uint64_t wall_ms) const {
  const auto places = logs_.find(log);
  if (places == logs_.end()) return no_offset;
  const auto& runs = places->second.runs;
  for (auto run = runs.lower_bound(from);
       run != runs.end() && run->first < places->second.committed; ++run)
    if (wall_ms_at(run->second.when - clock_error) >= wall_ms) return run->first;
  return no_offset;
}

// ---- The wire

/// A node that restarts learns trims from its metadata, although no TrimTo came to it.
void WireWatch::trims(const loglog::Metadata& m) {
  for (const LogInfo& l : m.metadata.logs)
    if (on_trim && l.trim > Offset{}) on_trim(l.id, l.trim);
}

WireWatch::WireWatch(World& world, PlaceWatch& places) : world_(world), places_(places) {
  world_.network.tap = [this](const Process& from, const Process&, const Message& m) {
    if (const auto* s = std::get_if<Seal>(&m)) seal(from, *s);
    else if (const auto* o = std::get_if<Order>(&m)) order(from, *o);
    else if (const auto* d = std::get_if<Durable>(&m)) durable(from, *d);
    else if (const auto* t = std::get_if<TrimTo>(&m); t != nullptr && on_trim)
      on_trim(t->log, t->offset);
    else if (const auto* all = std::get_if<loglog::Metadata>(&m)) trims(*all);
    else if (const auto* l = std::get_if<SegmentsAre>(&m))
      tells_committed(from, l->log, l->committed);
    else if (const auto* p = std::get_if<Page>(&m)) page(from, *p);
    else if (const auto* is = std::get_if<StateIs>(&m)) state(from, *is);
    else if (const auto* u = std::get_if<Upload>(&m)) upload(from, *u);
    else if (const auto* a = std::get_if<AppendEntries>(&m)) entries(from, *a);
    else if (const auto* f = std::get_if<Failed>(&m)) refusal(from, f->error);
    else if (const auto* r = std::get_if<Refused>(&m)) refusal(from, r->error);
  };
}

// R1: `past_end` below the committed offset that the page itself names would end a reader too
// early.
void WireWatch::page(const Process& from, const Page& m) {
  // The node does not know the log, or has dropped it, and so shows no position of it.
  if (m.reason == Errc::not_member || m.reason == Errc::no_such_log) return;
  if (m.reason == Errc::past_end && m.offset < m.committed)
    violated(world_, promise::the_end,
             fmt::format("{} says that there is no more at {} of log {}, where {} is committed",
                         from.name(), m.offset.value, m.log.value, m.committed.value));
  tells_committed(from, m.log, m.committed);
}

// D5: only a suspect replica may know a committed offset beyond its own tail.
void WireWatch::state(const Process& from, const StateIs& m) {
  tells_committed(from, m.log, m.committed);
  if (m.committed > m.tail && !m.suspect)
    violated(world_, promise::ruler,
             fmt::format("{} knows {} of log {} as committed and ends at {}", from.name(),
                         m.committed.value, m.log.value, m.tail.value));
}

// D5: the committed offset that a node shows never moves back within a life of its process.
void WireWatch::tells_committed(const Process& from, LogId log, Offset committed) {
  Offset& before = committed_at_[{from.name(), from.life(), log}];
  if (committed < before)
    violated(world_, promise::forward,
             fmt::format("{} says {} after {} of log {}", from.name(), committed.value,
                         before.value, log.value));
  before = std::max(before, committed);
}

// A6: a producer gives a sequence number to a single entry. Payload checksums tell entries apart,
// because repeated uploads may build other runs.
void WireWatch::upload(const Process& from, const Upload& m) {
  for (std::size_t at = 0; at + frame_overhead <= m.frames.size();) {
    const auto prefix = read_prefix(m.frames.data() + at);
    if (!prefix) return;
    const std::uint64_t entry = prefix->payload_checksum;
    const auto [known, fresh] =
        entry_of_.try_emplace({m.log, prefix->producer, prefix->sequence}, entry);
    if (!fresh && known->second != entry)
      violated(world_, promise::number,
               fmt::format("{} gives sequence {} to a second entry (A6)", from.name(),
                           prefix->sequence.value));
    at += prefix->frame_length();
  }
}

// T1: a term belongs to the instance that sealed first.
void WireWatch::seal(const Process& from, const Seal& m) {
  // With old directories the sequencers' words are not part of the cluster's history.
  if (world_.old_directories) return;
  const auto [at, fresh] = instance_of_.try_emplace({m.log, m.term}, m.instance);
  if (!fresh && at->second != m.instance)
    violated(world_, promise::one_leader,
             fmt::format("term {} was sealed by two instances, the second at {}", m.term.value,
                         from.name()));
}

// T1, D1: a term has a single ordering sequencer, and an offset of the term is given to a single
// run.
void WireWatch::order(const Process& from, const Order& m) {
  const auto [at, fresh] = orders_in_.try_emplace({m.log, m.term}, from.name());
  if (!fresh && at->second != from.name())
    violated(world_, promise::one_leader,
             fmt::format("{} and {} both order in term {} of log {}", at->second, from.name(),
                         m.term.value, m.log.value));
  places_.order(m);
  Offset end = m.previous_end;
  for (const OrderItem& item : m.items) {
    const Placed placed{item.run.digest, item.run.producer, item.run.first};
    const auto [p, first] = placed_.try_emplace({m.log, m.term, end}, placed);
    if (!first && (p->second.digest != placed.digest || p->second.producer != placed.producer ||
                   p->second.first != placed.first))
      violated(
          world_, promise::ordered_once,
          fmt::format("term {}: offset {} was given to two runs (D1)", m.term.value, end.value));
    end += item.run.length;
    if (first && item.run.producer != ProducerId{}) ahead(m, end, item.run.producer);
  }
}

// The checker hears of an acknowledgement when it is sent, so before the leader does. The leader's
// own count is never below this count.
void WireWatch::durable(const Process& from, const Durable& m) {
  places_.durable(from, m);
  Unwritten& u = unwritten_[{m.log, m.term}];
  u.written = std::max(u.written, m.tail);
  while (!u.ordered.empty() && u.ordered.begin()->first <= u.written) {
    --u.runs[u.ordered.begin()->second];
    u.ordered.erase(u.ordered.begin());
  }
}

// V1: counts the ordered runs of a producer that no replica holds durably.
void WireWatch::ahead(const Order& m, Offset end, ProducerId producer) {
  Unwritten& u = unwritten_[{m.log, m.term}];
  if (end <= u.written) return;
  u.ordered[end] = producer;
  if (++u.runs[producer] > world_.options.unwritten_per_producer)
    violated(world_, promise::ahead,
             fmt::format("term {}: {} runs of one producer are ordered and on no disk (V1)",
                         m.term.value, u.runs[producer]));
}

// C3: a leader's committed entries must agree with all committed entries seen before, whatever its
// Raft term.
void WireWatch::entries(const Process& from, const AppendEntries& m) {
  // With old directories the sequencers take back committed entries, which is the fault itself.
  if (world_.old_directories) return;
  RaftIndex& compared = compared_[{from.name(), from.life()}];
  if (m.committed <= compared) return;
  for (const RaftEntry& e : dynamic_cast<const SequencerProcess&>(from).disk().entries) {
    if (e.index <= compared || e.index > m.committed) continue;
    const std::pair here{e.term, std::hash<std::string_view>{}(e.command.text())};
    const auto [at, fresh] = metadata_.try_emplace(e.index, here);
    if (!fresh && at->second != here)
      violated(
          world_, promise::metadata,
          fmt::format(
              "{} has committed entry {} of Raft term {}, where one of {} was committed before",
              from.name(), e.index.value, e.term.value, at->second.first.value));
    compared = e.index;
  }
}

// A refusal with `log_halted` is the only sign of a halt on the wire.
void WireWatch::refusal(const Process& from, Errc why) {
  if (why == Errc::log_halted)
    violated(world_, promise::halts, from.name() + " refuses because the log is halted");
}

// ---- All checkers of a run

void Checkers::append_ended(LogId log, const std::string& payload, const client::Completion& result,
                            std::uint64_t wall_ms) {
  if (std::holds_alternative<client::Appended>(result)) ++acknowledged_;
  else if (const auto* no = std::get_if<client::Failure>(&result))
    ++(no->error.code == Errc::outcome_unknown ? unknown_ : failed_);
  of(log).append_ended(payload, result, wall_ms);
}

void Checkers::entry_read(LogId log, const client::Entry& e) {
  ++read_;
  of(log).entry_read(e);
}

void Checkers::compare_times(const std::vector<std::uint64_t>& times,
                             const std::vector<Offset>& answers,
                             const std::vector<ClockedPoint>& points, Offset before, Offset after) {
  // With wrong clocks the points' times are not ordered, so no single answer is right.
  if (!world_.options.clocks_agree) return;
  for (std::size_t i = 0; i < times.size(); ++i) {
    Offset expected = before;
    for (const ClockedPoint& p : points)
      if (p.clock_ms < times[i]) expected = std::max(expected, p.offset);
    if (answers[i] != expected && answers[i] != std::max(expected, after))
      violated(world_, promise::time,
               fmt::format("at {} ms the log is said to stand at {}, not at {}", times[i],
                           answers[i].value, expected.value));
  }
}

// Compares every living replica with the first: same bytes, same files, from `first` to
// `committed`. A parted node is left out because it cannot catch up.
void Checkers::compare_replicas(LogId log, Offset first, Offset committed) {
  std::optional<ReplicaBytes> base;
  std::string base_name;
  for (const auto& node : world_.storage) {
    const auto& logs = node->disk.content();
    const auto l = logs.find(log);
    if (l == logs.end() || !node->alive() || world_.parted == node.get()) continue;
    auto mine = bytes_of(l->second, log, first);
    if (!mine || mine->end() < committed) {
      violated(world_, promise::replicas,
               fmt::format("{} ends at {}, committed is {}", node->name(),
                           mine ? mine->end().value : 0, committed.value));
      continue;
    }
    if (mine->first > first)
      violated(world_, promise::replicas,
               fmt::format("{} begins at {}, the log at {}", node->name(), mine->first.value,
                           first.value));
    if (!base) {
      base = std::move(mine);
      base_name = node->name();
      continue;
    }
    const Offset from = std::max(base->first, mine->first);
    if (from < committed &&
        std::memcmp(base->bytes.data() + (from - base->first),
                    mine->bytes.data() + (from - mine->first), committed - from) != 0)
      violated(world_, promise::replicas,
               fmt::format("{} and {} differ below {}", base_name, node->name(), committed.value));
    const auto below = [&](const std::vector<Offset>& v) {
      std::vector<Offset> out;
      std::copy_if(v.begin(), v.end(), std::back_inserter(out),
                   [&](Offset o) { return o >= from && o < committed; });
      return out;
    };
    if (below(base->files) != below(mine->files))
      violated(world_, promise::replicas,
               fmt::format("{} and {} have other segment files", base_name, node->name()));
  }
}

}  // namespace loglog::simulator
