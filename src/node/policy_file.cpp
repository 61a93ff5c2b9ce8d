#include "node/policy_file.hpp"

#include <set>
#include <string>
#include <string_view>

#include "app/operations.hpp"
#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "embedded/soma_embedded_config.hpp"
#include "observability/log.hpp"

namespace soma {

result<std::unique_ptr<security::policy>> policy_of(const config& settings) {
  const auto& path = settings.text("policy.file");
  if (path.empty())
    return security::make_rules_policy(embedded::find_soma_embedded_config("policy.toml"));
  const auto text = text_of_file(path, config_bytes_max);
  if (!text) return error(codes::config_invalid, "policy.file: " + text.error().detail);
  auto made = security::make_rules_policy(*text);
  if (!made) return error(codes::config_invalid, path + ": " + made.error().detail);
  return made;
}

// A policy file written for a version that judged less denies what is new: the operator hears of
// it.
void say_unnamed_actions(const security::policy& rules) {
  std::set<std::string_view> unnamed;
  for (const auto& one : app::operations())
    if (!one.action.empty() && !rules.names(one.action)) unnamed.insert(one.action);
  std::string list;
  for (const auto action : unnamed) list.append(list.empty() ? "" : ", ").append(action);
  if (!list.empty())
    log(log_level::warn, "policy.unnamed_actions",
        {{"denied", list}, {"reason", "no rule of policy.file names them"}});
}

}  // namespace soma
