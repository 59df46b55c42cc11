// The items of a log that the leader has ordered and that are not written yet, in the order of
// their offsets (spec/05 step 5), and the search for runs that are missing. LogReplica adds items
// and takes groups; Staging holds the bytes of uploaded runs; LogStore writes the groups.
#pragma once
#include <deque>
#include <map>
#include <memory>

#include "storage-node/core/log_core.h"

namespace loglog::storage {

class OrderQueue {
 public:
  /// `resume` is called when a peer has given a missing run.
  OrderQueue(LogCore& s, std::function<void()> resume) : s_(s), resume_(std::move(resume)) {}

  /// A run and the offset of its first frame.
  struct Placed {
    Reference run;
    Offset at;
  };
  /// Stamped frames that are written together, under one fdatasync (spec/05 step 7).
  struct Group {
    /// The term whose leader ordered the group.
    Term term{};
    std::vector<Bytes> frames;
    /// The clients' runs in the group, without the leader's own frames.
    std::vector<Placed> runs;
    bool opens_segment = false;
    std::uint64_t bytes = 0;
    /// Keeps fetched bytes counted in Node::fetched_bytes until the group is written.
    std::vector<std::shared_ptr<const void>> fetched;

    /// Empties the group and keeps its memory for the next group.
    void clear() {
      term = {};
      frames.clear();
      runs.clear();
      opens_segment = false;
      bytes = 0;
      fetched.clear();
    }
  };

  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  /// End and term of the last ordered item, or of the written log. An Order must continue exactly
  /// here (D2).
  Offset ordered_end() const {
    return items_.empty() ? s_.written.end : items_.back().at + items_.back().run.length;
  }
  Term ordered_term() const { return items_.empty() ? s_.written.last_term : s_.matched; }

  /// Appends an item at ordered_end(). Returns ok, or the reason why the item is refused; the
  /// caller then drops the queue and the leader reconciles the log again.
  Errc add(const OrderItem& item);
  /// True if this run is ordered and its bytes are missing.
  bool misses(const Reference& run) const { return missing_.contains({run.producer, run.first}); }
  /// Takes the bytes of a missing run. The caller has checked the reference against the bytes.
  /// Returns true if the run is missing and its reference equals the ordered reference (D3).
  bool offer(const Reference& run, Bytes frames);
  /// The next item of the queue, whose bytes are here.
  struct Front {
    bool opens_segment;
    std::uint64_t bytes;
  };
  /// The next item, or nullopt if the queue is empty or the bytes of its first item are missing.
  std::optional<Front> ready() const;
  /// Moves items from the front into `group` while their bytes are here: up to group_bytes_max, at
  /// most `room` bytes, and not across a segment start. Stamps them in place and moves s.written.
  /// ready() must have returned an item that fits into `room`.
  void take_group(Group& group, std::uint64_t room);
  /// Drops all items that are not written and cancels their searches (S1). Their staged runs stay,
  /// and may expire again.
  void drop();
  /// Continues the search for missing runs.
  void tick();
  Time next_tick() const;

 private:
  struct Ordered {
    Offset at;
    Reference run;
    /// Empty: the bytes are missing.
    Bytes frames;
    /// A term start or segment start of the leader, whose bytes came with the order.
    bool leader_frame = false;
    bool opens_segment = false;
    /// Keeps the bytes counted in Node::fetched_bytes.
    std::shared_ptr<const void> fetched;
    /// The question that a peer has; 0: no peer is asked.
    Transfers::Id asked = 0;
    /// While missing and no peer is asked: when the search continues, and the index of the next
    /// peer in it.
    Time next_step{};
    std::size_t peer = 0;
  };
  Ordered* at(Offset offset);
  void search(Ordered& o, bool first);
  bool may_fetch(const Ordered& o, bool first) const;
  void peer_answered(Offset offset, Term term, Transfers::Came came, const Message* m);

  LogCore& s_;
  std::function<void()> resume_;
  /// Ascending and contiguous offsets.
  std::deque<Ordered> items_;
  /// Offsets of the items whose bytes are missing.
  std::map<std::pair<ProducerId, Sequence>, Offset> missing_;
};

}  // namespace loglog::storage
