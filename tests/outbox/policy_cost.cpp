// What asking OPA costs: a bare HTTP call to it over a kept connection, and a decision by the whole
// of policy, as one thread after another waits for its answer. Prints one line of JSON.
//   policy_cost http://127.0.0.1:8181 [ROUNDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/time.hpp"
#include "outbox/http_calls.hpp"
#include "security/policy/joined_policy.hpp"
#include "security/policy/question.hpp"

using namespace soma;

namespace {

class wire final : public security::policy_wire {
 public:
  explicit wire(const std::string& base) : calls_(base, {}, {}) {}
  void post(std::string path, std::string json, std::int64_t deadline_ms,
            std::function<void(security::wire_answer)> done) override {
    auto told = [done = std::move(done)](outbox::http_answer got) {
      done({got.status, std::move(got.body), std::move(got.why)});
    };
    calls_.post(std::move(path), std::move(json), deadline_ms, std::move(told));
  }
  void stop() override { calls_.stop(); }

 private:
  outbox::http_calls calls_;
};

template <class Work>
double once_us(Work work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun)
      .count();
}

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string base = argv[1];
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 2000;
  constexpr std::string_view rules = "[[rule]]\nid='all'\neffect='allow'\nactions=['*']\n";
  outbox::http_client bare(base, {});
  std::vector<security::outside_source> sources;
  sources.push_back({security::make_opa("soma/policy/decision"), std::make_unique<wire>(base)});
  auto made = security::make_rules_policy(rules);
  if (!made) return 2;
  security::joined_policy policy(std::move(*made), std::move(sources), {}, now_ms);

  std::vector<double> calls, asked, kept;
  bool all_allowed = true;
  // By turns, so that what disturbs one disturbs the other.
  for (int n = 0; n < rounds; ++n) {
    const auto resource = "tool" + std::to_string(n);
    const security::policy_input in{"t", "ann", "user", "tool.execute", resource};
    const auto body = "{\"input\":" + security::input_json(in, now_ms()) + "}";
    calls.push_back(
        once_us([&] { bare.post("/v1/data/soma/policy/decision", body, {}, 5000, 1u << 20); }));
    security::decision said;
    asked.push_back(once_us([&] { policy.decide_waiting({&in, 1}, {&said, 1}); }));
    all_allowed = all_allowed && said.allow;
    constexpr int again = 100;
    kept.push_back(once_us([&] {
                     for (int m = 0; m < again; ++m) policy.decide({&in, 1}, {&said, 1}, {});
                   }) /
                   again);
  }
  std::printf("{\"bare_us\":%.1f,\"asked_us\":%.1f,\"kept_us\":%.2f,\"allowed\":%s}\n",
              median(calls), median(asked), median(kept), all_allowed ? "true" : "false");
  return 0;
}
