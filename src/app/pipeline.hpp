// What every operation that policy judges goes through, whichever door it came by: whoever may not
// see the session it is about is told that there is none (visibility.hpp); policy is asked; then
// the work is done with an `admitted`, then a record of it is kept and its span ends. Whether there
// is one, and what is asked, says the table (operations.hpp).
//
// Threads: any io thread; an `admitted` belongs to the thread of its request. Where policy answers
// at once, as rules do, nothing waits. Lifetime: what `caller` and `resource` point to outlives an
// `admitted`.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "app/caller.hpp"
#include "app/operations.hpp"
#include "app/session_facts.hpp"
#include "core/error.hpp"
#include "observability/span.hpp"
#include "security/audit/audit_log.hpp"
#include "security/policy/policy.hpp"

namespace soma::app {

// A request that policy let through: only the pipeline makes one, and what changes a session takes
// one, so that no door can forget it. Its record, if it gets one, is written when it ends: `failed`
// unless it was said how.
class admitted {
 public:
  admitted(admitted&& other) noexcept;
  admitted& operator=(admitted&&) = delete;
  ~admitted();

  const operation& what() const { return *what_; }
  const caller& who() const { return *who_; }

  // 16 hexadecimal digits, the parent of what is done for it; empty where nobody wants spans.
  std::string_view span_id() const { return span_id_; }

  // How it ended: `status` as the door answers, 0 for none.
  void ended(bool well, int status = 0);
  // What it is about, where that is known only now: the id of what was made.
  void about(std::string resource) { resource_ = std::move(resource); }
  // Further data of the record, as `"a":1,"b":2`; no secret and no text of a conversation.
  void add(std::string members_json) { members_ = std::move(members_json); }
  // What it changed to what, a JSON object with secrets masked.
  void changed(std::string diff_json) { diff_ = std::move(diff_json); }

 private:
  friend class pipeline;
  admitted(security::audit_log& audit, span_sink* spans, const operation& what, const caller& who,
           std::string resource, std::string rule);
  void tell_span() const;

  security::audit_log* audit_;  // null: moved from
  span_sink* spans_;            // null: nobody asks
  const operation* what_;
  const caller* who_;
  std::string resource_, rule_, members_, diff_;
  std::int64_t when_ms_ = 0;
  std::uint32_t noted_ = 0;  // that it began
  std::string span_id_;
  std::chrono::system_clock::time_point started_at_;
  std::chrono::steady_clock::time_point began_;
  bool well_ = false;
  int status_ = 0;
};

class services;
// What a door asks before its handler runs: pipeline::admit of these services.
boost::asio::awaitable<result<admitted>> admit(services& s, const caller& who,
                                               const operation& what, std::string resource);

class pipeline {
 public:
  // `facts`: without them nobody but an admin sees any session. `spans`: null where nobody wants
  // them.
  pipeline(const security::policy& policy, security::audit_log& audit,
           session_facts* facts = nullptr, span_sink* spans = nullptr)
      : policy_(policy), audit_(audit), facts_(facts), spans_(spans) {}

  // Errors: session.not_found, for what is not there and for what is not shown alike; policy.denied
  // with the rule, dependency.unavailable where policy cannot be asked; refusals are recorded. Also
  // dependency.unavailable where it has to be recorded and cannot be.
  boost::asio::awaitable<result<admitted>> admit(const caller& who, const operation& what,
                                                 std::string resource);

  // A further question within an operation, of each resource; the first refusal counts. Errors as
  // above.
  boost::asio::awaitable<result<void>> ask(const admitted& in, std::string_view action,
                                           const std::vector<std::string>& resources);

  // What the caller may do of each, where that only decides what he is shown: nothing is refused,
  // and nothing recorded.
  boost::asio::awaitable<std::vector<security::decision>> judge(
      const caller& who, std::string_view action, const std::vector<std::string>& resources);

 private:
  boost::asio::awaitable<std::vector<security::decision>> decide(
      std::vector<security::policy_input> asked);
  // The same, without waiting where all is answered at once.
  boost::asio::awaitable<std::vector<security::decision>> decide_soon(
      std::vector<security::policy_input> asked);
  error refusal(const caller& who, const operation& what, std::string_view action,
                std::string_view resource, const security::decision& said);

  // What is known of a session, where the caller may do `action` with it; null where nobody wants
  // to know. Errors: as admit.
  boost::asio::awaitable<result<known_fact>> see(const caller& who, const operation& what,
                                                 std::string_view action, std::string_view session);
  void refused_sight(const caller& who, const operation& what, std::string_view action,
                     std::string_view session, bool is_there);

  const security::policy& policy_;
  security::audit_log& audit_;
  session_facts* facts_;
  span_sink* spans_;
};

}  // namespace soma::app
