// Compares the bytes of several replicas for `loglog verify`: frames in, findings out. Pure: knows
// no cluster and no clock. command_verify.cpp reads the frames.
#pragma once
#include <loglog/client.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::cli {

/// Finding about a replica.
enum class Verdict : std::uint8_t {
  agrees,   ///< holds the whole range, with the same bytes as the other replicas that agree
  differs,  ///< holds a verified frame that is not the frame of the most replicas
  damaged,  ///< holds bytes that do not verify, or its disk does not give them
  behind,   ///< does not hold the end of the range yet
  down,     ///< does not answer
  refuses   ///< answers with another error; it is no member, for example
};
/// The verdict as a word of the output.
const char* word_of(Verdict v);

struct ReplicaFinding {
  std::uint32_t node = 0;
  Verdict verdict = Verdict::agrees;
  /// The replica was read and is right up to here: the first bad offset, or the end of the range.
  EntryOffset end = 0;
  std::string why;             ///< the reason as a sentence, unless the replica agrees
  std::uint64_t entries = 0;   ///< below `end`
  std::uint64_t bytes = 0;     ///< of frames below `end`
  std::uint64_t repaired = 0;  ///< damaged places that the node has repaired meanwhile
  Chain chain{};  ///< over the stored frames of the range, from chain 0 on (spec/02, F4)
  std::uint64_t content = 0;  ///< content digest of the range (proto-spec/disk/content_digest.h)
};

/// Compares the bytes that all replicas have given, frame by frame, and drops them. Memory is
/// bounded by the lead of a replica over the slowest replica, about a page each if the caller
/// follows wants(). Replicas are named by their index in `nodes`.
class ReplicaComparison {
 public:
  /// Frames must begin at both ends of [from, until).
  ReplicaComparison(const std::vector<std::uint32_t>& nodes, EntryOffset from, EntryOffset until);

  /// Offset where the next page of this replica begins. nullopt: no page is needed, because the
  /// replica is finished or far enough ahead.
  std::optional<EntryOffset> wants(std::size_t replica) const;
  /// Takes whole, verified frames from wants() on. Bytes past the end of the range are ignored.
  void take(std::size_t replica, std::string_view frames);
  /// No more bytes come from this replica. Its bytes so far are still compared; then `verdict` is
  /// its finding, unless they differ.
  void stop(std::size_t replica, Verdict verdict, std::string why);
  /// Counts a page that did not verify before and verifies now.
  void repaired(std::size_t replica) { ++findings_[replica].repaired; }
  /// True if another replica has given a frame that begins where this replica's compared bytes end,
  /// so that bad bytes there are damage.
  bool is_proven_frame(std::size_t replica) const;
  /// Compares the bytes that all unfinished replicas have given.
  void compare();

  /// Offset up to which everything was compared.
  EntryOffset compared() const { return at_; }
  /// Whether every replica is finished or compared to the end of the range.
  bool finished() const;
  /// In the order of `nodes`.
  const std::vector<ReplicaFinding>& findings() const { return findings_; }

 private:
  struct Stream {
    std::string pending;   // bytes from at_ on that are not compared yet
    bool stopped = false;  // no more bytes come
    bool out = false;      // the finding is final
  };
  bool counts(std::size_t i) const { return !streams_[i].out; }
  std::size_t common() const;
  void advance(std::size_t bytes);
  void part();

  EntryOffset at_;
  EntryOffset until_;
  std::vector<Stream> streams_;
  std::vector<ReplicaFinding> findings_;
};

/// The exit code for the findings (proto-spec/vocabulary/exit_code.h).
int exit_code_of(const std::vector<ReplicaFinding>& findings);

}  // namespace loglog::cli
