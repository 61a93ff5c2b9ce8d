#include "security/audit/audit_record.hpp"

#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::security {

std::string audit_line(const audit_record& r, std::int64_t at_ms) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(at_ms)).field("action", r.action);
  w.field_if("operation", r.operation).field("outcome", r.outcome);
  if (r.status > 0) w.field("status", static_cast<std::uint64_t>(r.status));
  w.field_if("rule", r.rule).field_if("resource", r.resource);
  w.field("tenant_id", r.tenant_id).field("user_id", r.user_id).field_if("role", r.role);
  w.field_if("key_id", r.key_id).field_if("door", r.door);
  w.field_if("request_id", r.request_id).field_if("trace_id", r.trace_id).end_object();
  if (!r.members_json.empty()) {
    line.pop_back();
    line.append(",").append(r.members_json).append("}");
  }
  return line;
}

}  // namespace soma::security
