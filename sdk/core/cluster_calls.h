// The application's calls about logs and nodes that are a question to the cluster, or a chain of
// questions: each begins with a request, and decides by each answer whether the call ends or which
// question follows. A change of the metadata acts once, however often it is asked (T6): its request
// names the state that it is based on. Used by ClientMachine, whose declarations promise the
// results.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "proto-spec/vocabulary/random.h"
#include "sdk/core/questions.h"

namespace loglog::client {

/// Owns the generator of change ids. Every call ends in a completion of Answers.
class ClusterCalls {
 public:
  /// `seed`: of the change ids, apart from the client's other draws so that a change of the
  /// metadata does not shift them. All references must outlive this object.
  ClusterCalls(const Options& options, ClusterView& view, Answers& answers, Questions& questions,
               std::uint64_t seed)
      : options_(options),
        view_(view),
        answers_(answers),
        questions_(questions),
        change_ids_(seed) {}

  void tail(Time now, Token token, LogId log, Time deadline);
  void open_log(Time now, Token token, std::string name, Time deadline);
  void create_log(Time now, Token token, std::string name, LogOptions options, Time deadline);
  void delete_log(Time now, Token token, std::string name, Time deadline);
  void delete_log(Time now, Token token, LogId log, Time deadline);
  void trim_log(Time now, Token token, LogId log, Offset offset, Time deadline);
  void set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline);
  void set_retention(Time now, Token token, LogId log, Retention retention, Time deadline);
  void replace_disk(Time now, Token token, NodeId node, bool force, Time deadline);
  void raise_version(Time now, Token token, std::uint8_t version, Time deadline);
  void list_logs(Time now, Token token, Time deadline);

 private:
  using Next = Questions::Next;
  /// The result of a call if the message is its success; nullopt: it is no answer of the call.
  using AsResult = std::function<std::optional<Completion>(const Message&)>;

  void change(Time now, Token token, std::function<Message(const Basis&)> request, Time deadline,
              AsResult as_result);
  void dial_for(Time now, const LogInfo& log);
  Next end(Token token, std::optional<Completion> result);
  Next fail(Token token, const Failed& why);

  const Options& options_;
  ClusterView& view_;
  Answers& answers_;
  Questions& questions_;
  Random change_ids_;
};

}  // namespace loglog::client
