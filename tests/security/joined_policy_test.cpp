#include "security/policy/joined_policy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "security/policy/breaker.hpp"
#include "security/policy/decision_cache.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;

namespace {

constexpr const char* yes = R"({"result":true})";
constexpr const char* no = R"({"result":{"allow":false,"rule":"opa-rule","reason":"Not now."}})";

// Whoever is asked answers when and as the test says.
class scripted_wire final : public policy_wire {
 public:
  struct call {
    std::string path, body;
    std::function<void(wire_answer)> done;
  };
  void post(std::string path, std::string json, std::int64_t deadline_ms,
            std::function<void(wire_answer)> done) override {
    deadline = deadline_ms;
    ++posted;
    if (stopped) return done({0, {}, "the server is stopping"});
    if (at_once) return done(*at_once);
    if (later) {
      helper = std::thread([done = std::move(done)] { done({200, yes, {}}); });
      return;
    }
    calls.push_back({std::move(path), std::move(json), std::move(done)});
  }
  void stop() override {
    stopped = true;
    auto all = std::move(calls);
    calls.clear();
    for (auto& one : all) one.done({0, {}, "the server is stopping"});
  }
  void answer(wire_answer with) {
    REQUIRE(!calls.empty());
    auto one = std::move(calls.front());
    calls.erase(calls.begin());
    one.done(std::move(with));
  }
  void answer(const char* body) { answer({200, body, {}}); }

  std::optional<wire_answer> at_once;
  std::vector<call> calls;
  int posted = 0;
  std::int64_t deadline = 0;
  bool stopped = false, later = false;
  std::thread helper;  // answers, where it is `later`
};

// Of a question that was asked: what came, once it did.
struct asked {
  std::vector<policy_input> questions;
  std::vector<decision> answers;
  bool inline_ = false, done = false;
};

struct world {
  explicit world(joined_limits limits = {},
                 std::string_view rules =
                     "[[rule]]\nid='house'\neffect='deny'\n"
                     "actions=['tool.execute']\nresources=['bad']\n"
                     "[[rule]]\nid='all'\neffect='allow'\n"
                     "actions=['*']\n",
                 bool both = false) {
    std::vector<outside_source> sources;
    auto wire = std::make_unique<scripted_wire>();
    opa = wire.get();
    sources.push_back({make_opa("soma/policy/decision"), std::move(wire)});
    if (both) {
      auto other = std::make_unique<scripted_wire>();
      fga = other.get();
      sources.push_back({make_openfga({"S", ""}), std::move(other)});
    }
    policy.emplace(
        std::move(make_rules_policy(rules).value()), std::move(sources), limits,
        [this] { return now; },
        [this](std::string_view source, std::string_view state, std::string_view) {
          said.push_back(std::string(source) + " " + std::string(state));
        });
  }
  std::shared_ptr<asked> ask(std::vector<policy_input> questions) {
    auto a = std::make_shared<asked>();
    a->questions = std::move(questions);
    a->answers.resize(a->questions.size());
    a->inline_ = policy->decide(a->questions, a->answers, [a] { a->done = true; });
    return a;
  }
  std::shared_ptr<asked> ask(std::string_view action = "tool.execute",
                             std::string_view resource = "echo", std::string_view user = "ann") {
    return ask(std::vector<policy_input>{{"t", user, "user", action, resource}});
  }
  // Asked and answered.
  decision one(const char* body, std::string_view action = "tool.execute",
               std::string_view resource = "echo") {
    const auto a = ask(action, resource);
    if (!a->inline_) opa->answer(body);
    CHECK((a->inline_ || a->done));
    return a->answers.front();
  }

  std::int64_t now = 1'000'000;
  std::vector<std::string> said;
  scripted_wire *opa = nullptr, *fga = nullptr;
  std::optional<joined_policy> policy;
};

}  // namespace

TEST_CASE("joined: rules deny without asking anybody; what they allow has to be allowed outside") {
  world w;
  const auto house = w.ask("tool.execute", "bad");
  CHECK(house->inline_);
  CHECK(house->answers.front().rule == "house");
  CHECK(w.opa->posted == 0);
  const auto a = w.ask();
  CHECK_FALSE(a->inline_);
  CHECK_FALSE(a->done);
  CHECK(w.opa->deadline == 500);
  w.opa->answer(no);
  CHECK(a->done);
  CHECK(a->answers.front().rule == "opa-rule");
  CHECK(a->answers.front().reason == "Not now.");
  CHECK_FALSE(a->answers.front().unavailable);
  CHECK(w.one(yes, "tool.execute", "other").allow);
}

TEST_CASE("joined: a question is kept for its time, a denial for a second, on secrets for none") {
  world w;
  CHECK(w.one(yes).allow);
  CHECK(w.ask()->inline_);
  CHECK(w.opa->posted == 1);
  CHECK_FALSE(w.ask("tool.execute", "echo", "bob")->inline_);
  w.opa->answer(yes);
  // Being asked again does not make it hold for longer.
  w.now += 1500;
  CHECK(w.ask()->inline_);
  w.now += 600;
  CHECK_FALSE(w.ask()->inline_);
  w.opa->answer(no);
  CHECK(w.ask()->answers.front().rule == "opa-rule");
  w.now += 1001;
  CHECK_FALSE(w.ask()->inline_);
  w.opa->answer(yes);
  for (const auto* action : {"key.manage", "credential.update", "settings.update", "mcp.update"}) {
    const auto before = w.opa->posted;
    CHECK(w.one(yes, action, "x").allow);
    CHECK(w.one(yes, action, "x").allow);
    CHECK(w.opa->posted == before + 2);
  }
  CHECK(w.policy->figures().cache_hits == 3);
}

TEST_CASE("joined: what is unavailable is never kept") {
  world w;
  const auto a = w.ask();
  w.opa->answer({0, {}, "it did not answer in time"});
  CHECK(a->done);
  CHECK(a->answers.front().unavailable);
  CHECK_FALSE(a->answers.front().allow);
  CHECK(w.policy->figures().cache_entries == 0);
  CHECK(w.one(yes).allow);
}

TEST_CASE("joined: nothing that is no answer allows anything") {
  joined_limits limits;
  limits.breaker_failures = 1000;
  world w(limits);
  const wire_answer faults[] = {{0, {}, "it did not answer in time"},
                                {500, yes, {}},
                                {404, yes, {}},
                                {301, yes, {}},
                                {204, {}, {}},
                                {200, {}, {}},
                                {200, R"({"result":tr)", {}},
                                {200, "<html>no</html>", {}},
                                {200, R"({"result":{"allow":"true"}})", {}},
                                {401, {}, {}}};
  for (const auto& fault : faults) {
    const auto a = w.ask();
    w.opa->answer(fault);
    CHECK_MESSAGE(a->done, fault.body);
    CHECK_MESSAGE(a->answers.front().unavailable, fault.body);
    CHECK_FALSE(a->answers.front().allow);
  }
  CHECK(w.policy->figures().sources.front().failures == std::size(faults));
}

TEST_CASE("joined: who keeps failing is left alone, then one call finds out whether he is back") {
  world w;
  for (int n = 0; n < 5; ++n) {
    const auto a = w.ask();
    w.opa->answer({0, {}, "refused"});
    CHECK(a->answers.front().unavailable);
  }
  CHECK(w.said == std::vector<std::string>{"opa open"});
  const auto quick = w.ask();
  CHECK(quick->inline_);
  CHECK(quick->answers.front().unavailable);
  CHECK(quick->answers.front().reason == "refused");
  CHECK(w.opa->posted == 5);
  CHECK(w.policy->figures().sources.front().state == "open");
  w.now += 1001;
  const auto probe = w.ask();
  CHECK_FALSE(probe->inline_);
  CHECK(w.ask()->inline_);  // one at a time
  w.opa->answer({0, {}, "refused"});
  CHECK(w.ask()->inline_);
  w.now += 1001;
  CHECK(w.one(yes).allow);
  CHECK(w.policy->figures().sources.front().state == "closed");
  CHECK(w.said == std::vector<std::string>{"opa open", "opa closed"});
}

TEST_CASE("joined: a question that somebody refuses to judge shuts no other one out") {
  world w;
  for (int n = 0; n < 20; ++n) {
    const auto a = w.ask();
    w.opa->answer({400, R"({"code":"validation_error"})", {}});
    CHECK(a->answers.front().unavailable);
  }
  CHECK(w.policy->figures().sources.front().state == "closed");
  CHECK(w.one(yes, "memory.read", "").allow);
}

TEST_CASE("joined: calls at the same time have a bound") {
  joined_limits limits;
  limits.in_flight_max = 2;
  world w(limits);
  const auto a = w.ask("tool.execute", "1"), b = w.ask("tool.execute", "2");
  const auto c = w.ask("tool.execute", "3");
  CHECK(c->inline_);
  CHECK(c->answers.front().unavailable);
  w.opa->answer(yes);
  CHECK(a->done);
  CHECK_FALSE(w.ask("tool.execute", "3")->inline_);
  CHECK_FALSE(b->done);
}

TEST_CASE("joined: several questions go at once, each once, and are answered together") {
  world w;
  const auto a = w.ask({{"t", "ann", "user", "tool.execute", "a"},
                        {"t", "ann", "user", "tool.execute", "bad"},
                        {"t", "ann", "user", "tool.execute", "b"}});
  REQUIRE(w.opa->calls.size() == 1);
  CHECK(w.opa->calls.front().path == "/v1/data/soma/policy/decisions");
  CHECK(w.opa->calls.front().body.find("bad") == std::string::npos);
  w.opa->answer(R"({"result":[true,false]})");
  CHECK(a->done);
  CHECK(a->answers[0].allow);
  CHECK(a->answers[1].rule == "house");
  CHECK_FALSE(a->answers[2].allow);
  CHECK(w.ask("tool.execute", "a")->inline_);
}

TEST_CASE("joined: all who are set up must allow, and a denial counts before who is away") {
  world w({}, "[[rule]]\nid='all'\neffect='allow'\nactions=['*']\n", true);
  const auto run = [&](wire_answer of_opa, wire_answer of_fga, bool fga_first) {
    const auto a = w.ask();
    if (fga_first) w.fga->answer(of_fga);
    w.opa->answer(std::move(of_opa));
    CHECK(a->done == fga_first);
    if (!fga_first) w.fga->answer(of_fga);
    CHECK(a->done);
    w.now += 3000;  // nothing is kept
    return a->answers.front();
  };
  const wire_answer allowed{200, yes, {}}, denied{200, no, {}}, away{0, {}, "away"},
      related{200, R"({"allowed":true})", {}}, unrelated{200, R"({"allowed":false})", {}};
  for (const bool first : {false, true}) {
    CHECK(run(allowed, related, first).allow);
    CHECK(run(denied, related, first).rule == "opa-rule");
    CHECK(run(allowed, unrelated, first).rule == "openfga");
    CHECK(run(away, related, first).unavailable);
    CHECK(run(allowed, away, first).unavailable);
    CHECK_FALSE(run(away, unrelated, first).unavailable);
    CHECK_FALSE(run(denied, away, first).unavailable);
    CHECK_FALSE(run(denied, unrelated, first).allow);
  }
}

TEST_CASE("joined: who cannot wait is told what is known, and else that nobody could be asked") {
  world w;
  CHECK(w.policy->decide_now({"t", "ann", "user", "tool.execute", "echo"}).unavailable);
  CHECK(w.opa->posted == 0);
  CHECK(w.one(yes).allow);
  CHECK(w.policy->decide_now({"t", "ann", "user", "tool.execute", "echo"}).allow);
  CHECK(w.policy->decide_now({"t", "ann", "user", "tool.execute", "bad"}).rule == "house");
}

TEST_CASE("joined: a wire that answers at once, and one that has stopped") {
  world w;
  w.opa->at_once = wire_answer{200, yes, {}};
  const auto a = w.ask();
  CHECK(a->inline_);
  CHECK(a->answers.front().allow);
  CHECK_FALSE(a->done);
  w.opa->at_once.reset();
  const auto waiting = w.ask("tool.execute", "later");
  w.policy->stop();
  CHECK(waiting->done);
  CHECK(waiting->answers.front().unavailable);
  const auto late = w.ask("tool.execute", "too late");
  CHECK(late->inline_);
  CHECK(late->answers.front().unavailable);
}

TEST_CASE("joined: a thread that may wait does") {
  world w;
  w.opa->later = true;
  const policy_input in{"t", "ann", "user", "tool.execute", "echo"};
  decision said;
  w.policy->decide_waiting({&in, 1}, {&said, 1});
  CHECK(said.allow);
  w.opa->helper.join();
}

TEST_CASE("decision cache: its size has a bound, and the oldest go first") {
  decision_cache cache(3, 1000);
  const decision allowed{true, "r", {}, false};
  for (int n = 0; n < 100; ++n) {
    cache.keep("k" + std::to_string(n), allowed, n);
    CHECK(cache.size() <= 3);
  }
  CHECK_FALSE(cache.find("k96", 100));
  CHECK(cache.find("k99", 100));
  for (int n = 0; n < 1000; ++n) cache.keep("k99", allowed, 200);
  CHECK(cache.find("k98", 200));
  CHECK_FALSE(cache.find("k99", 1200));
  decision_cache none(0, 1000), short_lived(3, 0);
  none.keep("k", allowed, 0);
  short_lived.keep("k", allowed, 0);
  CHECK(none.size() + short_lived.size() == 0);
}

TEST_CASE("joined: what a kept answer costs is said") {
  world w;
  CHECK(w.one(yes).allow);
  const policy_input in{"t", "ann", "user", "tool.execute", "echo"};
  decision said;
  constexpr int rounds = 20'000;
  std::vector<double> us;
  for (int round = 0; round < 5; ++round) {
    const auto begun = std::chrono::steady_clock::now();
    for (int n = 0; n < rounds; ++n) w.policy->decide({&in, 1}, {&said, 1}, {});
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun)
                     .count() /
                 rounds);
  }
  CHECK(said.allow);
  std::sort(us.begin(), us.end());
  MESSAGE("a kept answer: " << us[2] << " us a decision, rules included");
}
