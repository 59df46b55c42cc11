// LogMaking: joining and dropping logs.
#include "sequencer/core/cluster/log_making.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace loglog::sequencer {

void LogMaking::join(LogId log) {
  const LogInfo* l = state_.metadata.log(log);
  if (l == nullptr || l->state != LogState::creating) return;
  for (const Member& m : tasks_.make(state_.now, *l))
    if (state_.can_be_sealed(m)) state_.to_node(m.node, Join{state_.reign.term, *l});
}

void LogMaking::joined(NodeId from, LogId log) {
  state_.nodes.at(from).joined_at = state_.now;
  if (LogTerm* l = logs_.table().running(log)) {
    l->joined(state_.now, from);
    logs_.table().touch(log);
  }
  if (const LogInfo* l = state_.metadata.log(log); l != nullptr && tasks_.joined(from, *l))
    tasks_.making_proposed(log, state_.propose(MarkOpen{log}));
}

void LogMaking::expire() {
  const auto last_joined = [this](NodeId id) { return state_.nodes.last_joined(id); };
  for (const LogId log : tasks_.expired(state_.now, state_.metadata, last_joined))
    tasks_.making_proposed(log, state_.propose(MarkDeleting{log}));
}

void LogMaking::drop(LogId log) {
  const LogInfo* l = state_.metadata.log(log);
  if (l == nullptr || l->state != LogState::deleting) return;
  if (const auto made = tasks_.end_making(log)) {
    if (made->given_up) tasks_.remember_given_up(l->made_by, state_.metadata.version());
    const Failed why =
        made->given_up
            ? Failed{Errc::not_enough_nodes,
                     fmt::format(
                         "storage node {} was chosen for log {} and did not join it in time",
                         made->given_up->value, l->name)}
            : Failed{Errc::log_deleted, l->name};
    state_.tell(made->clients, why);
    state_.tell(made->others, why);
  }
  logs_.forget(log, Errc::log_deleted);
  for (const Member& m : tasks_.drop(*l))
    if (state_.nodes.ready(m.node)) {
      // The log may have a term of its own. Then the node's promise for this log must reach that
      // term first, otherwise the node would refuse the Drop (T3).
      if (l->last_term > state_.reign.term)
        state_.to_node(m.node,
                       Seal{log, l->last_term, state_.reign.instance, state_.metadata.version()});
      state_.to_node(m.node, Drop{log, std::max(state_.reign.term, l->last_term)});
    }
}

void LogMaking::dropped(NodeId from, LogId log) {
  if (const LogInfo* l = state_.metadata.log(log); l != nullptr && tasks_.dropped(from, *l))
    tasks_.drop_proposed(log, state_.propose(FinishDelete{log}));
}

void LogMaking::go_on() {
  for (const LogId log : tasks_.making()) join(log);
  for (const LogId log : tasks_.dropping()) drop(log);
}

}  // namespace loglog::sequencer
