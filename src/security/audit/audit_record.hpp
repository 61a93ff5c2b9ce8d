// One record of the audit: who did what, by which door, and how it ended. A view; no secret and no
// text of a conversation belongs in one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma::security {

struct audit_record {
  std::string_view action;     // as policy names it: conversation.send, profile.update, …
  std::string_view operation;  // which of them: send_message, put_model_profile, …
  std::string_view outcome;    // done, failed, denied, unavailable
  int status = 0;              // that the door answered with; 0: none
  std::string_view rule;       // of policy, that denied
  std::string_view resource;   // an id or a name
  std::string_view tenant_id, user_id, role, key_id, door, request_id, trace_id;
  std::string_view members_json;  // an object's further members, as `"a":1,"b":2`
};

// One JSON object without a newline; what is empty is left out.
std::string audit_line(const audit_record& record, std::int64_t at_ms);

}  // namespace soma::security
