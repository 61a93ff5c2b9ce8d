// Policy as a session asks it: of a caller who was let in some time ago, and is judged as what he
// was then. Whether he would still be let in goes with the question, where anybody looks at it.
//
// Thread-safe. Lifetime: what it is made of outlives it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/lanes.hpp"
#include "core/ids.hpp"
#include "security/pii/egress_guard.hpp"
#include "security/policy/policy.hpp"
#include "tools/catalog_runner.hpp"

namespace soma {

// `origin::actor_json`, read; empty members where nobody knows.
struct actor_then {
  std::string role, key_id, door;
  std::vector<std::string> groups;
};
actor_then read_actor(std::string_view json);

struct asker {
  tenant_id tenant;
  std::string user;
  std::string session;
  std::string request_id;
  actor_then was;
};

class session_policy {
 public:
  // Whether he would not be let in now, or not as what he was then. May wait for the disk.
  using left = std::function<bool(const asker&)>;

  session_policy(const security::policy& policy, app::lane& quick, left has_left)
      : policy_(policy), quick_(quick), has_left_(std::move(has_left)) {}

  // Whether the tool may run with these inputs; see runner_parts. Does not block.
  void judge(const tools::tool_caller& who, std::string_view tool_id,
             const boost::json::object& inputs, tools::runner_parts::judged then) const;

  // Whether personal data may leave for each of the places; see egress_guard::asker. Does not
  // block.
  void judge_leaving(security::pii::leaving what, security::pii::egress_guard::told then) const;

  // Which of the attachments may be read. For a thread that may wait.
  std::vector<bool> may_read(asker who, const std::vector<std::string>& attachments) const;

 private:
  struct asking;
  struct leaving_asking;

  const security::policy& policy_;
  app::lane& quick_;
  const left has_left_;
};

}  // namespace soma
