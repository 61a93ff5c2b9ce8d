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
  std::string member;
  json_writer w(member);
  w.begin_object().field("member", what).end_object();
  security::audit_record r;
  r.what = "model_lock.violation";
  r.tenant_id = who.tenant.value;
  r.user_id = who.user;
  r.door = "http";
  r.outcome = refused ? "denied" : "warned";
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  r.data_json = std::string_view(member).substr(1, member.size() - 2);
  models.audit().record(r);
  if (refused) return error(codes::model_lock_violation, std::string(model_lock_warning));
  return true;
}

}  // namespace soma::models
