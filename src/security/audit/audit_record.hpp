// One record of the audit: who did what, by which door, and how it ended. A view; no secret and no
// text of a conversation belongs in one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma::security {

struct audit_record {
  std::string_view what;     // as policy names it: conversation.send, profile.update, …
  std::int64_t when_ms = 0;  // it began; 0: when it is recorded
  std::string_view tenant_id, user_id, role, key_id;
  std::string_view why;        // the rule of policy that allowed or denied, the code of an error
  std::string_view operation;  // which of them: send_message, put_model_profile, …
  std::string_view door;       // http, session, cli, node
  std::string_view outcome;    // done, failed, denied, unavailable, or a word of its own
  int status = 0;              // that the door answered with; 0: none
  std::string_view resource;   // an id or a name
  std::string_view session_id, request_id, trace_id;
  std::string_view diff_json;  // what was changed to what; empty: nothing, or it is not told
  std::string_view data_json;  // further members, as `"a":1,"b":2`
};

// One JSON object without a newline, with the members of docs/audit.md in their order; what is
// empty is left out.
std::string audit_line(const audit_record& record, std::int64_t at_ms);

}  // namespace soma::security
