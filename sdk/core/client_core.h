// The parts of a client's core, as ClientMachine owns them and calls them. Nothing is decided here:
// the file says only which part uses which.
#pragma once
#include <cstdint>
#include <utility>

#include "sdk/core/cluster_calls.h"
#include "sdk/core/fate_searches.h"
#include "sdk/core/followers.h"
#include "sdk/core/producers.h"
#include "sdk/core/reads.h"
#include "sdk/core/status_calls.h"
#include "sdk/core/time_searches.h"

namespace loglog::client {

/// The parts, each after the parts that it uses. They know each other only through the references
/// that they are constructed with, and none of them knows ClientMachine.
struct ClientCore {
  ClientCore(Options o, std::uint64_t seed)
      : options(std::move(o)), random(seed), boot{random.next_id()}, calls_seed(~seed) {}

  const Options options;
  Random random;
  BootId boot;
  std::uint64_t calls_seed;
  Output out;
  Time now{};  // of the step under way
  bool closed = false;
  ClusterView view{options, random, out};
  ReplicaChoice choice{options.preferred_node};
  Answers answers{out, view};
  Questions questions{options, view, answers};
  ClusterCalls calls{options, view, answers, questions, calls_seed};
  StatusCalls statuses{options, view, answers};
  Reads reads{options, view, choice, answers, questions};
  Followers follows{options, view, choice, answers, questions};
  TimeSearches times{options, view, choice, answers};
  Producers producers{options, random, view, choice, out, answers};
  FateSearches fates{options, view, choice, answers, questions, producers};
};

}  // namespace loglog::client
