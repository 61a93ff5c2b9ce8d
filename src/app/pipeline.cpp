#include "app/pipeline.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "app/policy_question.hpp"
#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

security::audit_record record_of(const caller& who, const operation& what,
                                 std::string_view resource) {
  security::audit_record r;
  r.what = what.action;
  r.operation = what.same_as.empty() ? what.id : what.same_as;
  r.resource = resource;
  r.tenant_id = who.tenant.value;
  r.user_id = who.user.value;
  r.role = to_string(who.role);
  r.key_id = who.key_id;
  r.door = to_string(who.door);
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  if (names_a_session(what) || makes_a_session(what)) r.session_id = resource;
  return r;
}

// What we know of the session that is asked about.
void tell(security::policy_input& asked, const session_fact& fact) {
  asked.owner = fact.owner;
  asked.shared = &fact.shared;
}

error unknown_session() {
  return {codes::session_not_found, "there is no such session"};
}

// Whether anything hangs on whose a session is: for most of what an admin does nothing does.
bool wants_fact(const security::policy& rules, const caller& who, std::string_view action) {
  return !sees_all(who) || is_for_owners(action) || rules.wants_owner(action);
}

}  // namespace

admitted::admitted(security::audit_log& audit, span_sink* spans, const operation& what,
                   const caller& who, std::string resource, std::string rule)
    : audit_(&audit),
      spans_(spans),
      what_(&what),
      who_(&who),
      resource_(std::move(resource)),
      rule_(std::move(rule)),
      when_ms_(now_ms()) {
  if (what.audited == audited::always) {
    auto r = record_of(who, what, resource_);
    r.outcome = "interrupted";
    r.when_ms = when_ms_;
    r.why = rule_;
    noted_ = audit.begin(r);
  }
  if (!spans_) return;
  span_id_ = fingerprint_text(random_u64() | 1);
  started_at_ = std::chrono::system_clock::now();
  began_ = std::chrono::steady_clock::now();
}

admitted::admitted(admitted&& other) noexcept
    : audit_(std::exchange(other.audit_, nullptr)),
      spans_(other.spans_),
      what_(other.what_),
      who_(other.who_),
      resource_(std::move(other.resource_)),
      rule_(std::move(other.rule_)),
      members_(std::move(other.members_)),
      diff_(std::move(other.diff_)),
      when_ms_(other.when_ms_),
      noted_(other.noted_),
      span_id_(std::move(other.span_id_)),
      started_at_(other.started_at_),
      began_(other.began_),
      well_(other.well_),
      status_(other.status_) {}

void admitted::tell_span() const {
  span s;
  s.trace_id = who_->trace_id;
  s.span_id = span_id_;
  s.parent_id = who_->parent_span_id;
  s.name = what_->same_as.empty() ? what_->id : what_->same_as;
  s.started_at = started_at_;
  s.took = std::chrono::steady_clock::now() - began_;
  s.failed = !well_;
  spans_->ended(s);
}

admitted::~admitted() {
  if (audit_ && spans_) tell_span();
  if (!audit_ || what_->audited != audited::always) return;
  auto r = record_of(*who_, *what_, resource_);
  r.outcome = well_ ? "done" : "failed";
  r.status = status_;
  r.when_ms = when_ms_;
  r.why = rule_;
  r.diff_json = diff_;
  r.data_json = members_;
  audit_->end(noted_, r);
}

void admitted::ended(bool well, int status) {
  well_ = well;
  status_ = status;
}

error pipeline::refusal(const caller& who, const operation& what, std::string_view action,
                        std::string_view resource, const security::decision& said) {
  auto r = record_of(who, what, resource);
  r.what = action;
  r.outcome = said.unavailable ? "unavailable" : "denied";
  r.why = said.rule;
  audit_.refused(r);
  if (said.unavailable) return policy_is_away();
  return error(codes::policy_denied, said.reason).by_rule(said.rule);
}

asio::awaitable<std::vector<security::decision>> pipeline::decide(
    std::vector<security::policy_input> asked) {
  std::vector<security::decision> answers(asked.size());
  auto home = co_await asio::this_coro::executor;
  auto begin = [&](auto handler) {
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    auto resume = [kept, home] { asio::post(home, [kept] { std::move (*kept)(); }); };
    if (policy_.decide(asked, answers, resume)) resume();
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(begin, asio::use_awaitable);
  co_return answers;
}

void pipeline::refused_sight(const caller& who, const operation& what, std::string_view action,
                             std::string_view session, bool is_there) {
  if (!is_there && what.audited != audited::always) return;
  auto r = record_of(who, what, session);
  r.what = action;
  r.outcome = is_there ? "denied" : "failed";
  r.why = is_there ? "visibility" : "";
  r.status = 404;
  audit_.refused(r);
}

asio::awaitable<result<known_fact>> pipeline::see(const caller& who, const operation& what,
                                                  std::string_view action,
                                                  std::string_view session) {
  const bool all = sees_all(who);
  if (!facts_ && all) co_return known_fact();
  if (!facts_) co_return unknown_session();
  const session_key key{who.tenant, session_id(std::string(session))};
  auto looked = co_await facts_->of(key);
  if (!looked) co_return looked.error();
  const auto& fact = looked->fact;
  if (all) co_return fact;
  if (!fact || !may_see(who, *fact)) {
    // One that is not there is read for; so nobody learns by the clock which one is.
    if (!looked->read) co_await facts_->pass_time(key);
    refused_sight(who, what, action, session, fact != nullptr);
    co_return unknown_session();
  }
  if (is_for_owners(action) && !owns(who, *fact)) {
    security::decision no{false, "owner", "this is for the session's owner and for admins", false};
    co_return refusal(who, what, action, session, no);
  }
  co_return fact;
}

asio::awaitable<result<admitted>> pipeline::admit(const caller& who, const operation& what,
                                                  std::string resource) {
  auto asked = policy_question(who, what.action, resource);
  known_fact fact;
  if (!resource.empty() && names_a_session(what)) {
    if (wants_fact(policy_, who, what.action)) {
      auto seen = co_await see(who, what, what.action, resource);
      if (!seen) co_return seen.error();
      fact = std::move(*seen);
      if (fact && policy_.wants_owner(what.action)) tell(asked, *fact);
    }
  } else if (resource.empty() && makes_a_session(what)) {
    // What is made for the request is its caller's; what is all of a tenant's is nobody's.
    asked.owner = who.user.value;
  }
  security::decision said;
  // What is answered at once goes on at once.
  said = policy_.decide_now(asked);
  if (said.unavailable) {
    std::vector<security::policy_input> again{asked};
    auto answers = co_await decide(std::move(again));
    said = std::move(answers.front());
  }
  if (!said.allow) co_return refusal(who, what, what.action, resource, said);
  if (what.audited == audited::always && !audit_.has_room())
    co_return error(codes::dependency_unavailable, "what is done cannot be recorded", 5)
        .about("audit");
  co_return admitted(audit_, spans_, what, who, std::move(resource), std::move(said.rule));
}

asio::awaitable<result<void>> pipeline::ask(const admitted& in, std::string_view action,
                                            const std::vector<std::string>& resources) {
  std::vector<security::policy_input> asked;
  for (const auto& one : resources) asked.push_back(policy_question(in.who(), action, one));
  std::vector<known_fact> facts(resources.size());
  const bool of_sessions = action.starts_with("conversation.");
  for (std::size_t i = 0; of_sessions && i < asked.size(); ++i) {
    if (!wants_fact(policy_, in.who(), action)) break;
    auto seen = co_await see(in.who(), in.what(), action, resources[i]);
    if (!seen) co_return seen.error();
    facts[i] = std::move(*seen);
    if (facts[i] && policy_.wants_owner(action)) tell(asked[i], *facts[i]);
  }
  auto answers = co_await decide_soon(std::move(asked));
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (!answers[i].allow) co_return refusal(in.who(), in.what(), action, resources[i], answers[i]);
  co_return result<void>();
}

asio::awaitable<std::vector<security::decision>> pipeline::decide_soon(
    std::vector<security::policy_input> asked) {
  std::vector<security::decision> answers(asked.size());
  policy_.decide(asked, answers, {});
  for (const auto& one : answers)
    if (one.unavailable) co_return co_await decide(std::move(asked));
  co_return answers;
}

asio::awaitable<std::vector<security::decision>> pipeline::judge(
    const caller& who, std::string_view action, const std::vector<std::string>& resources) {
  std::vector<security::policy_input> asked;
  for (const auto& one : resources) asked.push_back(policy_question(who, action, one));
  co_return co_await decide_soon(std::move(asked));
}

}  // namespace soma::app
