// Clusters for tests of the parts that ask nodes: AskedCluster is all connected, UnreachedCluster
// has a single address that nobody has answered at yet. A test takes each message out of the output
// and answers it, or does not.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sdk/core/answers.h"
#include "sdk/core/questions.h"
#include "tests/unit/sdk/core/known_cluster.h"

namespace loglog::client {

struct AskedCluster : KnownCluster {
  explicit AskedCluster(Options o = {}) : KnownCluster(std::move(o)) {}

  /// Takes the messages of type M out of the output, in their order.
  template <class M>
  std::vector<Send> take() {
    const auto rest = std::stable_partition(out.sends.begin(), out.sends.end(), [](const Send& s) {
      return !std::holds_alternative<M>(s.message);
    });
    std::vector<Send> taken(std::make_move_iterator(rest),
                            std::make_move_iterator(out.sends.end()));
    out.sends.erase(rest, out.sends.end());
    return taken;
  }
  /// As take(), of exactly one message.
  template <class M>
  Send only() {
    std::vector<Send> taken = take<M>();
    REQUIRE(taken.size() == 1);
    return taken.front();
  }
  /// Delivers an answer. Returns whether a request waited for it.
  bool answer(const Send& s, Message m) {
    Arrived a{s.to, s.request, std::move(m)};
    return view.answered(now, a);
  }
  void lose(ConnectionId c) {
    view.disconnected(now, {c, {Errc::connection_lost, "connection refused"}});
  }
  /// The id of the storage node that the message goes to; 0: it goes to another process.
  std::uint32_t node_of(const Send& s) const { return view.storage_at(s.to).node.value; }
  /// Newer metadata name sequencers 1 to `count`. Returns their connections in that order; the
  /// first leads.
  std::vector<ConnectionId> sequencers(std::uint32_t count) {
    Metadata m{view.metadata(), SequencerId{1}};
    m.metadata.version = m.metadata.version + 1;
    for (std::uint32_t i = 2; i <= count; ++i)
      m.metadata.sequencers.push_back({SequencerId{i}, "seq:" + std::to_string(i)});
    view.learn(sequencer, m);
    std::vector<ConnectionId> all{sequencer};
    for (std::uint32_t i = 2; i <= count; ++i) {
      view.sequencer(now, SequencerId{i});
      all.push_back(accept(Role::sequencer, i));
    }
    return all;
  }
  /// The result of the i-th completion. Fails the test if it has another type.
  template <class Result>
  const Result& result(std::size_t i = 0) const {
    REQUIRE(out.completed.size() > i);
    REQUIRE(std::holds_alternative<Result>(out.completed[i].result));
    return std::get<Result>(out.completed[i].result);
  }
  const Error& error(std::size_t i = 0) const { return result<Failure>(i).error; }

  ReplicaChoice choice{NodeId{}};
  Answers answers{out, view};
  Questions questions{options, view, answers};
};

struct UnreachedCluster {
  explicit UnreachedCluster(Options o = {}) : options(std::move(o)) {
    options.addresses = {"seq:1"};
  }
  /// The dial that the view asked for last fails.
  void refuse() {
    REQUIRE_FALSE(out.connects.empty());
    view.disconnected(
        now, {out.connects.back().connection, {Errc::connection_lost, "connection refused"}});
  }

  Time now{1s};
  Options options;
  Random random{42};
  Output out;
  ClusterView view{options, random, out};
  Answers answers{out, view};
};

}  // namespace loglog::client
