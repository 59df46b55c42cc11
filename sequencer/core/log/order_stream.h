// The items that a leader has ordered in a log in its term (D1), and the offset of the next item.
// The newest items stay in memory (the window), so that replicas that lag can be told them again.
// Owned by LogTerm; ChainRecord beside it compares the replicas' chains (D4).
#pragma once
#include <deque>
#include <map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// Offsets on one ruler: base <= begin <= end. Items in [begin, end) are in the window.
class OrderStream {
 public:
  OrderStream() = default;
  /// Orders of `term` begin at `base`, after a frame of `base_term` (0: the log is empty).
  OrderStream(Term term, Offset base, Term base_term)
      : term_(term), base_term_(base_term), base_(base), begin_(base), end_(base) {}

  /// Places the item at the end and returns its offset. The item has a length above 0.
  Offset push(OrderItem item);
  /// Where the orders of this term begin: the tail of the base (S3).
  Offset base() const { return base_; }
  /// The window: items from `begin` to `end` are in memory.
  Offset begin() const { return begin_; }
  Offset end() const { return end_; }
  std::size_t items() const { return items_.size(); }
  /// True if an item of the window begins at `o`, or if `o` is the window's end.
  bool is_boundary(Offset o) const;
  /// Term of the frame that ends at this boundary, which an order names (D2).
  Term term_before(Offset boundary) const { return boundary == base_ ? base_term_ : term_; }
  /// Appends the items from the boundary `from` on to `out`, at most `count` items and `bytes`
  /// bytes of log, and returns their end. At least one item, if there is any, even if it is larger
  /// than `bytes`.
  Offset collect(Offset from, std::size_t count, std::uint64_t bytes,
                 std::vector<OrderItem>& out) const;
  /// Number of items of the window that begin in [from, to).
  std::size_t items_between(Offset from, Offset to) const;
  /// Forgets items that end at or below `o`.
  void drop_below(Offset o);
  /// Forgets the oldest item. The window must not be empty.
  void drop_front();
  /// Forgets items that begin at or after `o`, so that `o` is given again, which D1 forbids. Only
  /// in the mutation build: tests/simulator/mutants.
  void cut(Offset o);
  /// End of the oldest item. The window must not be empty.
  Offset end_of_front() const { return items_.front().at + items_.front().length; }

 private:
  struct Placed {
    OrderItem item;
    Offset at;
    std::uint32_t length;
  };
  std::deque<Placed>::const_iterator at(Offset o) const;

  Term term_{};
  Term base_term_{};
  Offset base_{};
  Offset begin_{};
  Offset end_{};
  std::deque<Placed> items_;
};

/// Chains that replicas have reported, by offset (D4). Keeps the newest `kept` offsets.
class ChainRecord {
 public:
  /// False: another replica reported a different chain at this offset, so the two logs differ.
  bool note(Offset o, Chain c);
  const std::map<Offset, Chain>& points() const { return points_; }
  static constexpr std::size_t kept = 1024;

 private:
  std::map<Offset, Chain> points_;
};

}  // namespace loglog::sequencer
