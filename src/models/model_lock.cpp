#include "models/model_lock.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "models/llm_gateway.hpp"
#include "observability/log.hpp"

namespace soma::models {
const std::string_view model_lock_warning =
    "models and their addresses are set in profiles; the "
    "request names one that does not count";

result<bool> judge_lock(llm_gateway& models, const actors::llm_caller& who, std::string_view what) {
  if (what.empty()) return false;
  log_context about;
  about.request_id = who.request_id;
  about.tenant_id = who.tenant.value;
  about.user_id = who.user;
  log(log_level::warn, "model_lock.violation", {{"member", what}}, about);
  if (models.lock() == model_lock::off) return false;
  const bool refused = models.lock() == model_lock::enforce;
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(now_ms())).field("action", "model_lock.violation");
  w.field("tenant_id", who.tenant.value).field("user_id", who.user);
  w.field("request_id", who.request_id).field("member", what);
  w.field_bool("refused", refused).end_object();
  models.audit().write(line);
  if (refused) return error(codes::model_lock_violation, std::string(model_lock_warning));
  return true;
}

}  // namespace soma::models
