// What `loglog verify` makes of the bytes of several replicas: frames in, findings out. Knows no
// cluster and no clock.
#pragma once
#include <loglog/client.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::cli {

/// What became of one replica.
enum class Verdict : std::uint8_t {
  agrees,   ///< it has the whole range, and the same bytes as all others that have it
  differs,  ///< a whole, verified frame that is not the one that most others hold
  damaged,  ///< bytes that do not verify, or that its disk does not give
  behind,   ///< it does not have the range's end (yet)
  down,     ///< it does not answer
  refuses   ///< it answers that it cannot: it is no member, say
};
const char* word_of(Verdict v);

struct ReplicaFinding {
  std::uint32_t node = 0;
  Verdict verdict = Verdict::agrees;
  EntryOffset end = 0;  ///< up to here it was read and is as it should be: the first bad offset, or
                        ///< the range's end
  std::string why;      ///< one sentence, where it does not agree
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;     ///< of frames
  std::uint64_t repaired = 0;  ///< places that were damaged, and are not any more
  Chain
      chain{};  ///< over the stored frames of the range, from 0 on (proto-spec/spec/02-disk.md, F4)
  std::uint64_t content = 0;  ///< content digest of the range (proto-spec/disk/content_digest.h)
};

/// Compares as much as all have, frame by frame, and forgets it: memory is what some replicas are
/// ahead of others, which is at most a page each as long as one asks for what wants() says.
class ReplicaComparison {
 public:
  /// Frames begin at both ends of [from, until).
  ReplicaComparison(const std::vector<std::uint32_t>& nodes, EntryOffset from, EntryOffset until);

  /// Where the next page of this replica begins; nullopt: it is finished with, or ahead of the
  /// others.
  std::optional<EntryOffset> wants(std::size_t replica) const;
  /// Whole, verified frames from wants() on; what reaches past the end is left out.
  void take(std::size_t replica, std::string_view frames);
  /// No more comes from it: its bytes so far are still compared, then the finding is this.
  void stop(std::size_t replica, Verdict verdict, std::string why);
  /// Its next page did not verify, and now does.
  void repaired(std::size_t replica) { ++findings_[replica].repaired; }
  /// All that came from it is compared, and another replica has a frame that begins there.
  bool is_proven_frame(std::size_t replica) const;
  /// Compares what all have that still count.
  void compare();

  /// Offset up to which everything was compared.
  EntryOffset compared() const { return at_; }
  bool finished() const;
  const std::vector<ReplicaFinding>& findings() const { return findings_; }

 private:
  struct Stream {
    std::string pending;   // from at_ on
    bool stopped = false;  // nothing more comes
    bool out = false;      // its finding is final
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

/// The exit code that the findings amount to (proto-spec/vocabulary/exit_code.h).
int exit_code_of(const std::vector<ReplicaFinding>& findings);

}  // namespace loglog::cli
