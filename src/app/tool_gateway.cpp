#include "app/tool_gateway.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::app {
security::decision judge(const tool_gateway& tools, const caller& who, std::string_view action,
                         std::string_view resource) {
  return tools.policy.decide_now(
      {who.tenant.value, who.user.value, to_string(who.role), action, resource});
}

}  // namespace soma::app
