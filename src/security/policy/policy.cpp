#include "security/policy/policy.hpp"

#include <cstdlib>
#include <future>

#include "core/may_block.hpp"

namespace soma::security {

decision policy::decide_now(const policy_input& asked) const {
  decision answer;
  if (!decide({&asked, 1}, {&answer, 1}, {})) std::abort();  // a bug: nobody waits for it
  return answer;
}

void policy::decide_waiting(std::span<const policy_input> asked,
                            std::span<decision> answers) const {
  expect_may_block("asking policy");
  const auto told = std::make_shared<std::promise<void>>();
  auto answered = told->get_future();
  if (!decide(asked, answers, [told] { told->set_value(); })) answered.wait();
}

}  // namespace soma::security
