// What the leader has ordered and is not yet written, in offset order (§4 step 5), and the search
// for missing runs.
#pragma once
#include <deque>
#include <map>
#include <memory>

#include "storage-node/core/log_core.h"

namespace loglog::storage {

class OrderQueue {
 public:
  /// `resume` is called when a missing run has come.
  OrderQueue(LogCore& s, std::function<void()> resume) : s_(s), resume_(std::move(resume)) {}

  struct Placed {
    Reference run;
    Offset at;
  };
  struct Group {
    Term term{};  ///< whose orders these are
    std::vector<Bytes> frames;
    std::vector<Placed> runs;
    bool opens_segment = false;
    std::uint64_t bytes = 0;
    std::vector<std::shared_ptr<const void>> fetched;  ///< counted until they are written
  };

  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  /// End and term of what is ordered so far (D2).
  Offset ordered_end() const {
    return items_.empty() ? s_.written.end : items_.back().at + items_.back().run.length;
  }
  Term ordered_term() const { return items_.empty() ? s_.written.last_term : s_.matched; }

  /// An item at ordered_end(); ok, or why it is refused (the stream then starts over).
  Errc add(const OrderItem& item);
  bool misses(const Reference& run) const { return missing_.contains({run.producer, run.first}); }
  /// A missing run came by upload or from a peer; its reference was checked. True: it was wanted
  /// and equal (D3).
  bool offer(const Reference& run, Bytes frames);
  struct Front {
    bool opens_segment;
    std::uint64_t bytes;
  };
  /// What comes next, if its bytes are here.
  std::optional<Front> ready() const;
  /// Takes what is ready, up to a group's size and to `room` bytes, not across a segment start;
  /// stamps it and moves s.written.
  void take_group(Group& group, std::uint64_t room);
  /// Forgets everything not yet written (S1).
  void drop();
  void tick();
  Time next_tick() const;

 private:
  struct Ordered {
    Offset at;
    Reference run;
    Bytes frames;  ///< empty: missing
    bool leader_frame = false;
    bool opens_segment = false;
    std::shared_ptr<const void> fetched;  ///< counts in Node::fetched_bytes
    Transfers::Id asked = 0;              ///< of a peer; 0: of none
    Time next_step{};
    std::size_t peer = 0;
  };
  Ordered* at(Offset offset);
  void search(Ordered& o, bool first);
  bool may_fetch(const Ordered& o, bool first) const;
  void peer_answered(Offset offset, Term term, Transfers::Came came, const Message* m);

  LogCore& s_;
  std::function<void()> resume_;
  std::deque<Ordered> items_;
  std::map<std::pair<ProducerId, Sequence>, Offset> missing_;
};

}  // namespace loglog::storage
