// compare() advances over the common bytes until the first frame in which replicas differ; part()
// then lets the majority continue.
#include "sdk/cli/replica_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "proto-spec/disk/content_digest.h"
#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/exit_code.h"

namespace loglog::cli {
namespace {

constexpr std::size_t ahead_max = 1u << 20;  // bytes of lead at which no further page is wanted

ByteSpan bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Prefix of the frame with which `text` begins. The bytes were verified before.
FramePrefix prefix_of(std::string_view text) {
  const auto prefix =
      text.size() < frame_prefix_size ? std::nullopt : read_prefix(bytes_of(text).data());
  check(prefix && prefix->frame_length() <= text.size(), "what is compared is whole frames");
  return *prefix;
}
std::string_view first_frame(std::string_view text) {
  return text.substr(0, prefix_of(text).frame_length());
}

std::string describe(std::string_view frame) {
  const FramePrefix p = prefix_of(frame);
  return fmt::format("a frame of term {}, producer {:016x}, sequence {}, payload {} bytes",
                     p.term.value, p.producer.value, p.sequence.value, p.payload_length);
}

}  // namespace

const char* word_of(Verdict v) {
  switch (v) {
    case Verdict::agrees:
      return "agrees";
    case Verdict::differs:
      return "differs";
    case Verdict::damaged:
      return "damaged";
    case Verdict::behind:
      return "behind";
    case Verdict::down:
      return "down";
    case Verdict::refuses:
      return "refuses";
  }
  return "";
}

ReplicaComparison::ReplicaComparison(const std::vector<std::uint32_t>& nodes, EntryOffset from,
                                     EntryOffset until)
    : at_(from), until_(until), streams_(nodes.size()) {
  for (const std::uint32_t n : nodes) findings_.push_back({.node = n, .end = from, .why = {}});
}

std::optional<EntryOffset> ReplicaComparison::wants(std::size_t i) const {
  const Stream& s = streams_[i];
  const EntryOffset next = at_ + s.pending.size();
  if (s.out || s.stopped || next >= until_ || s.pending.size() >= ahead_max) return std::nullopt;
  return next;
}

void ReplicaComparison::take(std::size_t i, std::string_view frames) {
  Stream& s = streams_[i];
  s.pending += frames.substr(0, until_ - at_ - s.pending.size());
}

void ReplicaComparison::stop(std::size_t i, Verdict verdict, std::string why) {
  streams_[i].stopped = true;
  findings_[i].verdict = verdict;
  findings_[i].why = std::move(why);
}

bool ReplicaComparison::is_proven_frame(std::size_t i) const {
  if (!counts(i) || !streams_[i].pending.empty()) return false;
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const Stream& s) { return !s.pending.empty(); });
}

/// Number of bytes that all unfinished replicas have given.
std::size_t ReplicaComparison::common() const {
  std::size_t bytes = until_ - at_;
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (counts(i)) bytes = std::min(bytes, streams_[i].pending.size());
  return bytes;
}

/// Moves past `bytes` bytes, whole frames that are equal on all unfinished replicas.
void ReplicaComparison::advance(std::size_t bytes) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!counts(i)) continue;
    ReplicaFinding& f = findings_[i];
    for (std::string_view rest = std::string_view(streams_[i].pending).substr(0, bytes);
         !rest.empty();) {
      const std::string_view frame = first_frame(rest);
      const FrameKind kind = prefix_of(frame).kind;
      f.entries += kind == FrameKind::entry || kind == FrameKind::packed_entry ? 1 : 0;
      f.chain = extend_chain(f.chain, bytes_of(frame).data());
      f.content = extend_content(f.content, bytes_of(frame));
      rest.remove_prefix(frame.size());
    }
    f.bytes += bytes;
    f.end = at_ + bytes;
    streams_[i].pending.erase(0, bytes);
  }
  at_ += bytes;
}

/// The next frame differs between replicas. Replicas that do not hold the most common frame differ
/// and are finished. If no frame is the most common, all replicas differ.
void ReplicaComparison::part() {
  std::map<std::string_view, std::size_t> held;
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (counts(i)) ++held[first_frame(streams_[i].pending)];
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto most = std::max_element(held.begin(), held.end(), by_count);
  const bool unique = std::count_if(held.begin(), held.end(),
                                    [&](const auto& h) { return h.second == most->second; }) == 1;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const std::string_view own = counts(i) ? first_frame(streams_[i].pending) : std::string_view();
    if (!counts(i) || (unique && own == most->first)) continue;
    streams_[i].out = true;
    findings_[i].verdict = Verdict::differs;
    findings_[i].why = fmt::format("at offset {} it holds {}", at_, describe(own));
    if (unique)
      findings_[i].why += fmt::format("; {} of {} replicas hold {}", most->second, streams_.size(),
                                      describe(most->first));
  }
}

void ReplicaComparison::compare() {
  for (;;) {
    for (Stream& s : streams_) s.out = s.out || (s.stopped && s.pending.empty());
    const std::size_t bytes = common();
    std::string_view one;
    for (std::size_t i = 0; i < streams_.size(); ++i)
      if (counts(i)) one = std::string_view(streams_[i].pending).substr(0, bytes);
    if (one.empty()) return;
    std::size_t same = bytes;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (!counts(i)) continue;
      const auto [a, b] =
          std::mismatch(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(same),
                        streams_[i].pending.begin());
      same = static_cast<std::size_t>(a - one.begin());
    }
    // Back to the beginning of the frame in which the replicas differ.
    std::size_t whole = 0;
    while (whole < same && whole + first_frame(one.substr(whole)).size() <= same)
      whole += first_frame(one.substr(whole)).size();
    advance(whole);
    if (whole < bytes) part();
  }
}

bool ReplicaComparison::finished() const {
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (counts(i) && at_ < until_) return false;
  return true;
}

int exit_code_of(const std::vector<ReplicaFinding>& findings) {
  const auto any = [&](std::set<Verdict> of) {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const ReplicaFinding& f) { return of.contains(f.verdict); });
  };
  if (any({Verdict::damaged, Verdict::differs})) return exit_replicas_differ;
  return any({Verdict::behind, Verdict::down, Verdict::refuses}) ? exit_replicas_missing : 0;
}

}  // namespace loglog::cli
