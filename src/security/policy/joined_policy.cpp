#include "security/policy/joined_policy.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "core/may_block.hpp"
#include "security/policy/breaker.hpp"
#include "security/policy/decision_cache.hpp"
#include "security/policy/question.hpp"

namespace soma::security {
namespace {

decision unavailable(std::string_view whom, std::string why) {
  return {false, std::string(whom), std::move(why), true};
}

// What somebody refuses to judge is our mistake, or his set-up's: he is there, and is asked again.
bool is_away(const wire_answer& got) {
  return got.status == 0 || got.status == 429 || got.status >= 500;
}

std::string trouble_of(std::string_view whom, const wire_answer& got) {
  if (got.status == 0) return got.why.empty() ? std::string("it did not answer") : got.why;
  return std::string(whom) + " answers with status " + std::to_string(got.status);
}

}  // namespace

struct joined_policy::state {
  explicit state(const joined_limits& limits) : kept(limits.cache_entries_max, limits.cache_ms) {}
  decision_cache kept;
  std::atomic<std::uint64_t> hits{0}, misses{0};
};

struct joined_policy::source {
  source(outside_source from, const joined_limits& limits)
      : what(std::move(from.what)),
        before(limits.breaker_failures, limits.breaker_ms),
        wire(std::move(from.wire)) {}

  const std::unique_ptr<decision_source> what;
  mutable quick_mutex mutex;
  breaker before;
  std::string trouble;
  std::uint64_t calls = 0, failures = 0, denials = 0, in_flight = 0;
  const std::unique_ptr<policy_wire> wire;  // the last: it calls back until it ends
};

// Questions that wait for somebody outside, until the last call of them is answered.
struct joined_policy::asking {
  std::span<const policy_input> asked;
  std::span<decision> answers;
  std::function<void()> done;
  std::vector<std::string> keys;  // empty: it is not kept
  quick_mutex mutex;              // of the answers and what follows
  std::size_t open = 0;           // calls
};

joined_policy::joined_policy(std::unique_ptr<policy> rules, std::vector<outside_source> sources,
                             joined_limits limits, std::function<std::int64_t()> clock,
                             say_trouble say)
    : rules_(std::move(rules)),
      limits_(limits),
      clock_(std::move(clock)),
      say_(std::move(say)),
      state_(std::make_unique<state>(limits)) {
  for (auto& one : sources) sources_.push_back(std::make_unique<source>(std::move(one), limits_));
}

joined_policy::~joined_policy() {
  stop();
}

void joined_policy::stop() {
  for (const auto& one : sources_) one->wire->stop();
}

bool joined_policy::wants_owner(std::string_view action) const {
  return resource_type(action) == "session" || rules_->wants_owner(action);
}

bool joined_policy::decide(std::span<const policy_input> asked, std::span<decision> answers,
                           std::function<void()> done) const {
  rules_->decide(asked, answers, {});
  if (sources_.empty()) return true;
  const auto now = clock_();
  std::vector<std::size_t> open;
  std::vector<std::string> keys(asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!answers[i].allow) continue;
    if (is_kept(asked[i].action)) {
      keys[i] = question_key(asked[i]);
      if (auto kept = state_->kept.find(keys[i], now)) {
        state_->hits.fetch_add(1, std::memory_order_relaxed);
        answers[i] = std::move(*kept);
        keys[i].clear();  // it is not kept for longer than it was
        continue;
      }
    }
    open.push_back(i);
    if (!done) answers[i] = unavailable("policy", "nobody waits for the answer");
  }
  if (open.empty() || !done) return true;
  state_->misses.fetch_add(open.size(), std::memory_order_relaxed);

  auto of = std::make_shared<asking>();
  of->asked = asked;
  of->answers = answers;
  of->done = std::move(done);
  of->keys = std::move(keys);
  of->open = 1;  // held until all are asked: an answer may come before
  for (const auto& whom : sources_) {
    const auto most = whom->what->batch_max();
    for (std::size_t at = 0; at < open.size(); at += most) {
      const auto end = std::min(at + most, open.size());
      ask(*whom, of,
          {open.begin() + static_cast<std::ptrdiff_t>(at),
           open.begin() + static_cast<std::ptrdiff_t>(end)});
    }
  }
  const std::lock_guard lock(of->mutex);
  if (--of->open > 0) return false;
  keep(*of, now);
  return true;
}

void joined_policy::keep(const asking& of, std::int64_t now_ms) const {
  for (std::size_t i = 0; i < of.answers.size(); ++i)
    if (!of.keys[i].empty()) state_->kept.keep(of.keys[i], of.answers[i], now_ms);
}

void joined_policy::ask(source& whom, const std::shared_ptr<asking>& of,
                        std::vector<std::size_t> which) const {
  const auto now = clock_();
  std::optional<std::string> refused;
  {
    const std::lock_guard lock(whom.mutex);
    if (whom.in_flight >= limits_.in_flight_max)
      refused = "too many questions wait for an answer";
    else if (!whom.before.let_through(now))
      refused = whom.trouble;
    else
      ++whom.calls, ++whom.in_flight;
  }
  if (refused) {
    const std::lock_guard lock(of->mutex);
    for (const auto i : which)
      if (of->answers[i].allow) of->answers[i] = unavailable(whom.what->name(), *refused);
    return;
  }
  std::vector<policy_input> questions;
  questions.reserve(which.size());
  for (const auto i : which) questions.push_back(of->asked[i]);
  {
    const std::lock_guard lock(of->mutex);
    ++of->open;
  }
  auto path = whom.what->path(questions.size());
  auto body = whom.what->body(questions, now);
  whom.wire->post(std::move(path), std::move(body), limits_.timeout_ms,
                  [this, &whom, of, which = std::move(which)](wire_answer got) {
                    answered(whom, of, which, std::move(got));
                  });
}

void joined_policy::answered(source& whom, const std::shared_ptr<asking>& of,
                             const std::vector<std::size_t>& which, wire_answer got) const {
  const auto now = clock_();
  std::vector<policy_input> questions;
  questions.reserve(which.size());
  for (const auto i : which) questions.push_back(of->asked[i]);
  std::string trouble;
  std::vector<decision> said;  // empty: nothing that can be used
  bool away = is_away(got);
  if (got.status != 200) {
    trouble = trouble_of(whom.what->name(), got);
  } else if (auto read = whom.what->read(got.body, questions)) {
    said = std::move(*read);
  } else {
    trouble = read.error().detail;
    away = true;
  }
  std::string_view before, after;
  {
    const std::lock_guard lock(whom.mutex);
    --whom.in_flight;
    before = whom.before.state(now);
    if (said.empty()) ++whom.failures;
    away ? whom.before.failed(now) : whom.before.answered();
    after = whom.before.state(now);
    whom.trouble = trouble;
    for (const auto& one : said) whom.denials += !one.allow;
  }
  if (say_ && (after == "open") != (before == "open" || before == "half_open"))
    say_(whom.what->name(), after, trouble);

  std::function<void()> done;
  {
    const std::lock_guard lock(of->mutex);
    for (std::size_t n = 0; n < which.size(); ++n) {
      auto& answer = of->answers[which[n]];
      // A denial of anybody counts, whoever else could not be asked.
      if (!said.empty() && (answer.allow || !said[n].allow))
        answer = std::move(said[n]);
      else if (said.empty() && answer.allow)
        answer = unavailable(whom.what->name(), trouble);
    }
    if (--of->open == 0) {
      keep(*of, now);
      done = std::move(of->done);
    }
  }
  if (done) done();
}

policy_figures joined_policy::figures() const {
  policy_figures out;
  const auto now = clock_();
  for (const auto& one : sources_) {
    const std::lock_guard lock(one->mutex);
    out.sources.push_back({one->what->name(), one->before.state(now), one->trouble, one->calls,
                           one->failures, one->denials, one->in_flight});
  }
  out.cache_hits = state_->hits.load(std::memory_order_relaxed);
  out.cache_misses = state_->misses.load(std::memory_order_relaxed);
  out.cache_entries = state_->kept.size();
  return out;
}

}  // namespace soma::security
