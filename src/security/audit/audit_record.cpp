#include "security/audit/audit_record.hpp"

#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::security {

std::string audit_line(const audit_record& r, std::int64_t at_ms) {
  std::string line;
  line.reserve(512);
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(at_ms)).field("what", r.what);
  w.field("when", format_rfc3339(r.when_ms > 0 ? r.when_ms : at_ms));
  w.key("who").begin_object().field_if("tenant_id", r.tenant_id).field_if("user_id", r.user_id);
  w.field_if("role", r.role).field_if("key_id", r.key_id).end_object();
  w.field_if("why", r.why).key("how").begin_object().field_if("operation", r.operation);
  w.field_if("door", r.door).field_if("outcome", r.outcome);
  if (r.status > 0) w.field("status", static_cast<std::uint64_t>(r.status));
  w.end_object().field_if("resource", r.resource).field_if("request_id", r.request_id);
  w.field_if("trace_id", r.trace_id).field_if("session_id", r.session_id);
  if (!r.diff_json.empty()) w.key("diff").raw(r.diff_json);
  if (!r.data_json.empty()) w.key("data").raw(std::string("{").append(r.data_json).append("}"));
  w.end_object();
  return line;
}

}  // namespace soma::security
