#include "app/operations.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "core/json_writer.hpp"

namespace soma::app {
namespace {

using enum method;

// How the table is written: an operation, and what it is beside the usual.
struct row : operation {
  constexpr row by(app::access who) const { return set(&operation::access, who); }
  // Judged by policy; refusals are recorded.
  constexpr row reads(std::string_view what, std::string_view of = {}) const {
    return set(&operation::action, what)
        .set(&operation::resource, of)
        .set(&operation::audited, audited::denials);
  }
  // Judged, and recorded however it ends.
  constexpr row changes(std::string_view what, std::string_view of = {}) const {
    return reads(what, of).set(&operation::audited, audited::always);
  }
  constexpr row takes(app::body what, app::bound most = bound::usual) const {
    return set(&operation::body, what).set(&operation::bound, most);
  }
  constexpr row once(app::keyed how = keyed::body) const { return set(&operation::keyed, how); }
  constexpr row gives(app::answer what) const { return set(&operation::answer, what); }
  constexpr row at(app::owner whose) const { return set(&operation::owner, whose); }
  constexpr row secrets() const { return set(&operation::secret, true); }
  constexpr row with_caller() const { return set(&operation::ends_with_caller, true); }
  constexpr row as(std::string_view other) const { return set(&operation::same_as, other); }

 private:
  template <class Value>
  constexpr row set(Value operation::*member, Value value) const {
    row changed = *this;
    changed.*member = value;
    return changed;
  }
};

constexpr row op(std::string_view id, app::method how, std::string_view path) {
  row made;
  made.id = id;
  made.method = how;
  made.path = path;
  return made;
}

constexpr auto json = body::json, optional_json = body::optional_json, raw_json = body::raw_json;
constexpr auto session = owner::session, tenant = owner::tenant;
constexpr std::string_view path_id = "path:id", path_name = "path:name",
                           path_provider = "path:provider", in_query = "query:session_id",
                           in_body = "body:session_id";

constexpr row table[] = {
    op("list_sessions", get, "/v1/sessions").reads("conversation.read"),
    op("create_session", post, "/v1/sessions")
        .at(session)
        .changes("conversation.send")
        .takes(optional_json)
        .once(),
    op("get_session", get, "/v1/sessions/{id}").reads("conversation.read", path_id),
    op("update_session", patch, "/v1/sessions/{id}")
        .at(session)
        .changes("conversation.send", path_id)
        .takes(json),
    op("delete_session", delete_, "/v1/sessions/{id}")
        .at(session)
        .changes("conversation.delete", path_id)
        .gives(answer::none),
    op("reset_session", post, "/v1/sessions/{id}/reset")
        .at(session)
        .changes("conversation.delete", path_id),
    op("pause_session", post, "/v1/sessions/{id}/pause")
        .at(session)
        .changes("conversation.send", path_id)
        .takes(optional_json),
    op("get_history", get, "/v1/sessions/{id}/history").reads("conversation.read", path_id),
    op("get_context_window", get, "/v1/sessions/{id}/context-window")
        .at(session)
        .reads("conversation.read", path_id),
    op("send_message", post, "/v1/session/message")
        .at(session)
        .changes("conversation.send", in_body)
        .takes(json)
        .once(),
    op("send_session_message", post, "/v1/session/{id}/message")
        .at(session)
        .changes("conversation.send", path_id)
        .takes(json)
        .once()
        .as("send_message"),
    op("session_action", post, "/v1/session/action")
        .at(session)
        .changes("conversation.send", in_body)
        .takes(json),
    op("list_events", get, "/v1/sessions/{id}/events").reads("conversation.read", path_id),
    op("append_event", post, "/v1/sessions/{id}/events")
        .at(session)
        .changes("conversation.send", path_id)
        .takes(json)
        .once(),
    op("stream_events", get, "/v1/session/{id}/events")
        .reads("conversation.read", path_id)
        .gives(answer::stream),
    op("stream_tenant", get, "/v1/session/@me/events")
        .reads("conversation.read")
        .gives(answer::stream),
    op("create_ticket", post, "/v1/sessions/{id}/ticket").changes("conversation.read", path_id),
    op("give_feedback", post, "/v1/feedback")
        .at(session)
        .changes("feedback.write", in_body)
        .takes(json)
        .once(),
    op("fork_session", post, "/v1/sessions/{id}/fork")
        .at(session)
        .changes("conversation.send", path_id)
        .takes(json)
        .once(),
    op("export_session", post, "/v1/sessions/export")
        .changes("session.export", in_body)
        .takes(json)
        .gives(answer::file)
        .with_caller(),
    op("import_session", post, "/v1/sessions/import")
        .at(tenant)
        .changes("session.import")
        .takes(body::stream, bound::import)
        .once(keyed::content),
    op("login", post, "/v1/auth/login")
        .at(tenant)
        .by(access::anyone)
        .takes(json, bound::login)
        .secrets(),
    op("logout", post, "/v1/auth/logout").at(tenant).by(access::anyone).gives(answer::none),
    op("whoami", get, "/v1/auth/whoami"),
    op("list_sign_in_methods", get, "/v1/auth/methods").by(access::anyone),
    op("oidc_start", get, "/v1/auth/oidc/start").by(access::anyone).gives(answer::none),
    op("oidc_callback", get, "/v1/auth/oidc/callback")
        .at(tenant)
        .by(access::anyone)
        .gives(answer::none),
    op("oidc_logged_out", post, "/v1/auth/oidc/backchannel-logout")
        .at(tenant)
        .by(access::anyone)
        .takes(raw_json, bound::login)
        .gives(answer::none)
        .secrets(),
    op("list_sign_ins", get, "/v1/auth/sessions"),
    op("close_sign_ins", delete_, "/v1/auth/sessions").at(tenant).gives(answer::none),
    op("close_sign_in", delete_, "/v1/auth/sessions/{id}").at(tenant).gives(answer::none),
    op("list_users", get, "/v1/users").by(access::admin).reads("key.manage"),
    op("update_user", patch, "/v1/users/{user_id}")
        .at(tenant)
        .by(access::admin)
        .changes("key.manage", "path:user_id")
        .takes(json),
    op("list_keys", get, "/v1/keys").by(access::admin).reads("key.manage"),
    op("create_key", post, "/v1/keys")
        .at(tenant)
        .by(access::admin)
        .changes("key.manage")
        .takes(json)
        .once(),
    op("delete_key", delete_, "/v1/keys/{id}")
        .at(tenant)
        .by(access::admin)
        .changes("key.manage", path_id)
        .gives(answer::none),
    op("list_model_profiles", get, "/v1/model-profiles").by(access::admin),
    op("create_model_profile", post, "/v1/model-profiles")
        .at(tenant)
        .by(access::admin)
        .changes("profile.update", "body:name")
        .takes(json)
        .once(),
    op("get_model_profile", get, "/v1/model-profiles/{name}").by(access::admin),
    op("put_model_profile", put, "/v1/model-profiles/{name}")
        .at(tenant)
        .by(access::admin)
        .changes("profile.update", path_name)
        .takes(json),
    op("delete_model_profile", delete_, "/v1/model-profiles/{name}")
        .at(tenant)
        .by(access::admin)
        .changes("profile.update", path_name)
        .gives(answer::none),
    op("list_credentials", get, "/v1/llm/credentials").by(access::admin),
    op("get_credential", get, "/v1/llm/credentials/{provider}").by(access::admin),
    op("put_credential", put, "/v1/llm/credentials/{provider}")
        .at(tenant)
        .by(access::admin)
        .changes("credential.update", path_provider)
        .takes(json)
        .secrets(),
    op("delete_credential", delete_, "/v1/llm/credentials/{provider}")
        .at(tenant)
        .by(access::admin)
        .changes("credential.update", path_provider)
        .gives(answer::none),
    op("get_usage", get, "/v1/usage"),
    op("llm_invoke", post, "/v1/llm/invoke").reads("llm.invoke").takes(json).with_caller(),
    op("llm_invoke_stream", post, "/v1/llm/invoke/stream")
        .reads("llm.invoke")
        .takes(json)
        .gives(answer::stream)
        .with_caller(),
    op("llm_test", post, "/v1/llm/test")
        .by(access::admin)
        .reads("llm.invoke")
        .takes(json)
        .with_caller(),
    op("openai_chat", post, "/v1/chat/completions")
        .reads("llm.invoke")
        .takes(raw_json, bound::model)
        .gives(answer::stream)
        .with_caller(),
    op("openai_responses", post, "/v1/responses")
        .reads("llm.invoke")
        .takes(raw_json, bound::model)
        .gives(answer::stream)
        .with_caller(),
    op("openai_completions", post, "/v1/completions")
        .reads("llm.invoke")
        .takes(raw_json, bound::model)
        .gives(answer::stream)
        .with_caller(),
    op("openai_embeddings", post, "/v1/embeddings")
        .reads("llm.invoke")
        .takes(raw_json, bound::model)
        .with_caller(),
    op("openai_models", get, "/v1/models"),
    op("openai_model", get, "/v1/models/{model}"),
    op("list_tools", get, "/v1/tools"),
    op("get_tool_catalog", get, "/v1/tool-catalog"),
    op("put_tool", put, "/v1/tool-catalog/{tool_id}")
        .at(tenant)
        .changes("tool.catalog.update", "path:tool_id")
        .takes(json),
    op("request_tool", post, "/v1/tool/request")
        .at(session)
        .changes("conversation.send", in_body)
        .takes(json)
        .once(),
    op("list_mcp_servers", get, "/v1/mcp-servers").by(access::admin),
    op("put_mcp_server", put, "/v1/mcp-servers/{name}")
        .at(tenant)
        .by(access::admin)
        .changes("mcp.update", path_name)
        .takes(json)
        .secrets(),
    op("delete_mcp_server", delete_, "/v1/mcp-servers/{name}")
        .at(tenant)
        .by(access::admin)
        .changes("mcp.update", path_name)
        .gives(answer::none),
    op("list_memories", get, "/v1/memories").reads("memory.read"),
    op("add_memory", post, "/v1/memories").at(tenant).changes("memory.write").takes(json).once(),
    op("search_memories", get, "/v1/memories/search").reads("memory.read"),
    op("export_memories", get, "/v1/memories/export")
        .reads("memory.read")
        .gives(answer::file)
        .with_caller(),
    op("get_memory", get, "/v1/memories/{id}").reads("memory.read", path_id),
    op("update_memory", patch, "/v1/memories/{id}")
        .at(tenant)
        .changes("memory.write", path_id)
        .takes(json),
    op("delete_memory", delete_, "/v1/memories/{id}")
        .at(tenant)
        .changes("memory.delete", path_id)
        .gives(answer::none),
    op("list_memory_uses", get, "/v1/memories/{id}/uses").reads("memory.read", path_id),
    op("recall_memory", post, "/v1/memory/recall").reads("memory.read").takes(json),
    op("import_document", post, "/v1/memory/import")
        .at(tenant)
        .changes("memory.write")
        .takes(json)
        .once(),
    op("list_documents", get, "/v1/memory/documents").reads("memory.read"),
    op("forget_document", delete_, "/v1/memory/documents/{attachment_id}")
        .at(tenant)
        .changes("memory.delete", "path:attachment_id"),
    op("get_memory_status", get, "/v1/memory/status").reads("memory.read"),
    op("read_memory_log", get, "/v1/memory/wal")
        .at(tenant)
        .by(access::admin)
        .reads("memory.replicate")
        .gives(answer::stream),
    op("apply_memory_log", post, "/v1/memory/wal")
        .at(tenant)
        .by(access::admin)
        .changes("memory.replicate")
        .takes(json),
    op("sync_memory", post, "/v1/memory/sync").at(tenant).by(access::admin).changes("dlq.manage"),
    op("list_dead_letters", get, "/v1/admin/dlq").by(access::admin).reads("dlq.manage"),
    op("get_dead_letter", get, "/v1/admin/dlq/{id}").by(access::admin).reads("dlq.manage", path_id),
    op("requeue_dead_letter", post, "/v1/admin/dlq/{id}/requeue")
        .at(tenant)
        .by(access::admin)
        .changes("dlq.manage", path_id)
        .gives(answer::none),
    op("delete_dead_letter", delete_, "/v1/admin/dlq/{id}")
        .at(tenant)
        .by(access::admin)
        .changes("dlq.manage", path_id)
        .gives(answer::none),
    op("list_audit", get, "/v1/admin/audit").by(access::admin).reads("audit.read"),
    op("export_audit", get, "/v1/admin/audit/export")
        .by(access::admin)
        .reads("audit.read")
        .gives(answer::file)
        .with_caller(),
    op("get_audit_head", get, "/v1/admin/audit/head").by(access::admin).reads("audit.read"),
    op("get_audit_record", get, "/v1/admin/audit/{seq}")
        .by(access::admin)
        .reads("audit.read", "path:seq"),
    op("list_backups", get, "/v1/admin/backup").by(access::admin).reads("backup.make"),
    op("begin_backup", post, "/v1/admin/backup").by(access::admin).changes("backup.make"),
    op("get_cluster", get, "/v1/admin/cluster").by(access::admin).reads("cluster.read"),
    op("drain_node", post, "/v1/admin/cluster/drain")
        .by(access::admin)
        .changes("cluster.manage", "body:node_id")
        .takes(optional_json),
    op("undrain_node", post, "/v1/admin/cluster/undrain")
        .by(access::admin)
        .changes("cluster.manage", "body:node_id")
        .takes(optional_json),
    op("get_settings", get, "/v1/settings").by(access::admin),
    op("update_settings", put, "/v1/settings")
        .at(tenant)
        .by(access::admin)
        .changes("settings.update")
        .takes(json)
        .secrets(),
    op("update_settings_post", post, "/v1/settings")
        .at(tenant)
        .by(access::admin)
        .changes("settings.update")
        .takes(json)
        .secrets()
        .as("update_settings"),
    op("get_runtime_config", get, "/v1/runtime-config"),
    op("upload_files", post, "/v1/uploads")
        .at(tenant)
        .changes("attachment.write")
        .takes(body::stream, bound::upload)
        .once(keyed::content),
    op("find_known_files", post, "/v1/uploads/known")
        .at(tenant)
        .reads("attachment.read")
        .takes(json)
        .once(),
    op("get_attachment", get, "/v1/attachments/{id}")
        .reads("attachment.read", path_id)
        .gives(answer::file),
    op("delete_attachment", delete_, "/v1/attachments/{id}")
        .at(tenant)
        .changes("attachment.delete", path_id)
        .gives(answer::none),
    op("get_attachment_internal", get, "/internal/v1/attachments/{id}")
        .by(access::internal)
        .reads("attachment.read", path_id)
        .gives(answer::file),
    op("list_workdir", get, "/v1/workdir/list").at(session).reads("workdir.read", in_query),
    op("read_workdir_file", get, "/v1/workdir/read")
        .at(session)
        .reads("workdir.read", in_query)
        .gives(answer::file),
    op("download_from_workdir", get, "/v1/workdir/download")
        .at(session)
        .reads("workdir.read", in_query)
        .gives(answer::file),
    op("write_workdir_file", put, "/v1/workdir/write")
        .at(session)
        .changes("workdir.write", in_query)
        .takes(body::stream, bound::upload),
    op("upload_to_workdir", post, "/v1/workdir/upload")
        .at(session)
        .changes("workdir.write", in_query)
        .takes(body::stream, bound::upload),
    op("move_in_workdir", post, "/v1/workdir/move")
        .at(session)
        .changes("workdir.write", in_body)
        .takes(json),
    op("make_workdir_folder", post, "/v1/workdir/mkdir")
        .at(session)
        .changes("workdir.write", in_body)
        .takes(json),
    op("delete_from_workdir", delete_, "/v1/workdir/delete")
        .at(session)
        .changes("workdir.write", in_query)
        .gives(answer::none),
    op("get_health", get, "/v1/health").by(access::optional),
    op("get_liveness", get, "/healthz").by(access::anyone),
    op("get_readiness", get, "/readyz").by(access::anyone),
    op("get_metrics", get, "/metrics").by(access::operation).gives(answer::text),
    op("get_openapi", get, "/v1/openapi.json").by(access::anyone),
};

constexpr std::string_view name_of(method v) {
  switch (v) {
    case method::get: return "GET";
    case method::post: return "POST";
    case method::put: return "PUT";
    case method::patch: return "PATCH";
    case method::delete_: break;
  }
  return "DELETE";
}

constexpr std::string_view name_of(access v) {
  switch (v) {
    case access::anyone: return "anyone";
    case access::optional: return "optional";
    case access::user: return "user";
    case access::admin: return "admin";
    case access::internal: return "internal";
    case access::operation: break;
  }
  return "operation";
}

constexpr std::string_view name_of(audited v) {
  return v == audited::no ? "no" : v == audited::denials ? "denials" : "always";
}

constexpr std::string_view name_of(keyed v) {
  return v == keyed::no ? "no" : v == keyed::body ? "body" : "content";
}

constexpr std::string_view name_of(body v) {
  return v == body::none ? "none" : v == body::stream ? "stream" : "json";
}

constexpr std::string_view name_of(owner v) {
  return v == owner::node ? "node" : v == owner::tenant ? "tenant" : "session";
}

constexpr std::string_view name_of(answer v) {
  switch (v) {
    case answer::json: return "json";
    case answer::none: return "none";
    case answer::text: return "text";
    case answer::file: return "file";
    case answer::stream: break;
  }
  return "stream";
}

}  // namespace

std::span<const operation> operations() {
  static constexpr auto plain = [] {
    std::array<operation, std::size(table)> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = table[i];
    return all;
  }();
  return plain;
}

bool names_a_session(const operation& what) {
  return what.resource.ends_with(":session_id") ||
         (what.resource == path_id && what.action.starts_with("conversation."));
}

bool makes_a_session(const operation& what) {
  return what.id == "create_session" || what.id == "send_message" || what.id == "import_session";
}

const operation& operation_named(std::string_view id) {
  for (const auto& one : operations())
    if (one.id == id) return one;
  std::fprintf(stderr, "no operation is named %.*s\n", static_cast<int>(id.size()), id.data());
  std::abort();
}

std::string operations_ndjson() {
  std::string out;
  for (const auto& one : operations()) {
    json_writer w(out);
    w.begin_object().field("operation", one.id).field("method", name_of(one.method));
    w.field("path", one.path).field("access", name_of(one.access)).field("action", one.action);
    w.field("resource", one.resource).field("audited", name_of(one.audited));
    w.field("keyed", name_of(one.keyed)).field("body", name_of(one.body));
    w.field("answer", name_of(one.answer)).field("owner", name_of(one.owner));
    w.field_bool("secret", one.secret).field_bool("ends_with_caller", one.ends_with_caller);
    w.field("same_as", one.same_as).end_object();
    out += '\n';
  }
  return out;
}

}  // namespace soma::app
