// What one leader has ordered in one log in its term (D1): the newest items, kept so that replicas
// that lag can be told them again, and where the next one goes.
#pragma once
#include <deque>
#include <map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

class OrderStream {
 public:
  OrderStream() = default;
  /// Orders of `term` begin at `base`, after a frame of `base_term` (0: the log is empty).
  OrderStream(Term term, Offset base, Term base_term)
      : term_(term), base_term_(base_term), base_(base), begin_(base), end_(base) {}

  /// Gives the item the next offset, which is returned.
  Offset push(OrderItem item);
  /// Where orders of this term began.
  Offset base() const { return base_; }
  /// The window: items from `begin` to `end` are still known.
  Offset begin() const { return begin_; }
  Offset end() const { return end_; }
  std::size_t items() const { return items_.size(); }
  /// An item of the window begins here, or it is the window's end.
  bool is_boundary(Offset o) const;
  /// Term of the frame that ends at this boundary (D2).
  Term term_before(Offset boundary) const { return boundary == base_ ? base_term_ : term_; }
  /// Items from the boundary `from` on, at least one (if there is any), at most `count` and `bytes`
  /// of log; returns their end.
  Offset collect(Offset from, std::size_t count, std::uint64_t bytes,
                 std::vector<OrderItem>& out) const;
  /// Items of the window that begin in [from, to).
  std::size_t items_between(Offset from, Offset to) const;
  /// Forgets items that end at or below.
  void drop_below(Offset o);
  /// Forgets the oldest item; there is one.
  void drop_front();
  /// Forgets items that begin at or after, so that the next one goes there.
  void cut(Offset o);
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

/// Chains that replicas reported at offsets (D4). Recent ones only.
class ChainRecord {
 public:
  /// False: another replica reported another chain here; the logs differ.
  bool note(Offset o, Chain c);
  const std::map<Offset, Chain>& points() const { return points_; }
  static constexpr std::size_t kept = 1024;

 private:
  std::map<Offset, Chain> points_;
};

}  // namespace loglog::sequencer
