#include "app/tool_gateway.hpp"

#include "app/policy_question.hpp"

namespace soma::app {

security::decision judge_waiting(const tool_gateway& tools, const caller& who,
                                 std::string_view action, std::string_view resource) {
  const auto asked = policy_question(who, action, resource);
  security::decision said;
  tools.policy.decide_waiting({&asked, 1}, {&said, 1});
  return said;
}

}  // namespace soma::app
