#include <simdjson.h>

#include <array>

#include "core/codes.hpp"
#include "core/event.hpp"
#include "core/json_proof.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma {
namespace {

constexpr std::size_t actor_begins_max = 128;  // behind the version and the event's id

constexpr std::array<std::string_view, event_type_max> type_names = {
    "session.open",  "message.user",  "memory.recall", "llm.request",
    "llm.delta",     "llm.complete",  "llm.restart",   "message.assistant",
    "tool.call",     "tool.progress", "tool.result",   "memory.write",
    "session.state", "app.event",     "error",         "session.close",
};

// ---- writing: one overload a body, between the payload's braces ----

void write_failure_members(json_writer& w, const failure& f) {
  w.field("code", f.code).field("detail", f.detail).field_bool("retryable", f.retryable);
}

void write_failure(json_writer& w, const std::optional<failure>& f) {
  if (!f) return;
  w.key("error").begin_object();
  write_failure_members(w, *f);
  w.end_object();
}

void write(json_writer& w, const body::session_open& b) {
  w.field("persona_id", b.persona_id).field("title", b.title);
  if (b.forked_from_session.empty()) return;
  w.key("forked_from").begin_object();
  w.field("session_id", b.forked_from_session).field("event_id", b.forked_from_event);
  w.end_object();
}

void write(json_writer& w, const body::message_user& b) {
  w.field("message_id", b.message_id).field("turn_id", b.turn_id).field("text", b.text);
  w.key("attachments").begin_array();
  for (const auto& a : b.attachments) {
    w.begin_object().field("id", a.id);
    w.field_if("filename", a.filename).field_if("content_type", a.content_type);
    if (!a.filename.empty()) w.field("size_bytes", a.size_bytes);
    w.end_object();
  }
  w.end_array();
}

void write(json_writer& w, const body::memory_recall& b) {
  w.field("turn_id", b.turn_id).field("query", b.query).key("items").raw(b.items_json);
  if (b.degraded) w.field_bool("degraded", true).field_if("reason", b.reason);
  if (b.as_of > 0) w.field("as_of", static_cast<std::uint64_t>(b.as_of));
}

void write(json_writer& w, const body::llm_request& b) {
  w.field("invocation_id", b.invocation_id).field("message_id", b.message_id);
  w.field("turn_id", b.turn_id).field("profile", b.profile).field("model", b.model);
  w.field("provider", b.provider).field("attempt", b.attempt).field("step", b.step);
  w.field("persona_version", b.persona_version);
  w.key("context").begin_object();
  w.field_if("from_turn", b.context_from_turn).field("turns", b.context_turns).end_object();
  w.field("prompt_tokens_estimate", b.prompt_tokens_estimate);
  w.field_if("instruction", b.instruction).field_if("supersedes", b.supersedes);
  if (b.resume_offset) w.field("resume_offset", *b.resume_offset);
}

void write(json_writer& w, const body::llm_delta& b) {
  w.field("message_id", b.message_id).field("turn_id", b.turn_id).field("offset", b.offset);
  w.field(b.thinking ? "thinking" : "text", b.text);
}

void write(json_writer& w, const body::llm_complete& b) {
  w.field("invocation_id", b.invocation_id).field("message_id", b.message_id);
  w.field("turn_id", b.turn_id).field("finish_reason", b.finish_reason);
  w.key("usage").begin_object();
  w.field("prompt_tokens", b.usage.prompt_tokens);
  w.field("completion_tokens", b.usage.completion_tokens);
  if (b.usage.cached_tokens > 0) w.field("cached_tokens", b.usage.cached_tokens);
  if (b.usage.reasoning_tokens > 0) w.field("reasoning_tokens", b.usage.reasoning_tokens);
  if (b.usage.cost_usd) w.key("cost_usd").real(*b.usage.cost_usd);
  w.end_object();
  w.field("latency_ms", b.latency_ms).field("first_token_ms", b.first_token_ms);
  if (b.thinking_bytes > 0) w.field("thinking_bytes", b.thinking_bytes);
  write_failure(w, b.error);
}

void write(json_writer& w, const body::llm_restart& b) {
  w.field("message_id", b.message_id).field("turn_id", b.turn_id);
  w.field("attempt", b.attempt).field("reason", b.reason);
}

void write(json_writer& w, const body::message_assistant& b) {
  w.field("message_id", b.message_id).field("turn_id", b.turn_id).field("text", b.text);
  w.key("tool_calls").begin_array();
  for (const auto& call : b.tool_calls) {
    w.begin_object().field("tool_call_id", call.tool_call_id);
    w.field_if("provider_call_id", call.provider_call_id).field("tool_id", call.tool_id);
    w.key("inputs").raw(call.inputs_json).end_object();
  }
  w.end_array();
  if (!b.provider_state_json.empty()) w.key("provider_state").raw(b.provider_state_json);
  w.field_bool("final", b.final);
}

void write(json_writer& w, const body::tool_call& b) {
  w.field("tool_call_id", b.tool_call_id).field_if("message_id", b.message_id);
  w.field_if("turn_id", b.turn_id).field_if("provider_call_id", b.provider_call_id);
  w.field("tool_id", b.tool_id).key("inputs").raw(b.inputs_json);
  w.field("requested_by", b.requested_by);
}

void write(json_writer& w, const body::tool_progress& b) {
  w.field("tool_call_id", b.tool_call_id).field_if("turn_id", b.turn_id);
  w.field("stream", b.stream).field("text", b.text);
}

void write(json_writer& w, const body::tool_result& b) {
  w.field("tool_call_id", b.tool_call_id).field_if("turn_id", b.turn_id).field("status", b.status);
  if (!b.output_json.empty()) w.key("output").raw(b.output_json);
  write_failure(w, b.error);
  w.field("duration_ms", b.duration_ms);
}

void write(json_writer& w, const body::memory_write& b) {
  w.field("memory_id", b.memory_id).field_if("message_id", b.message_id);
  w.field_if("tool_call_id", b.tool_call_id).field_if("turn_id", b.turn_id).field("state", b.state);
}

void write(json_writer& w, const body::session_state& b) {
  w.field_bool("paused", b.paused).field("title", b.title);
  if (!b.shared) return;
  w.field("visibility", visibility_name(*b.shared)).key("shared_with").begin_array();
  for (const auto& user : b.shared->users) w.string(user);
  w.end_array();
}

void write(json_writer& w, const body::app_event& b) {
  w.field("name", b.name).key("data").raw(b.data_json);
}

void write(json_writer& w, const body::error& b) {
  write_failure_members(w, b.what);
  w.field("request_id", b.request_id).field_if("turn_id", b.turn_id);
}

void write(json_writer& w, const body::session_close& b) {
  w.field("reason", b.reason);
}

// ---- reading ----

using simdjson::ondemand::object;
using simdjson::ondemand::value;

std::string text_of(object& o, std::string_view name) {
  std::string_view text;
  return o.find_field_unordered(name).get_string().get(text) ? std::string() : std::string(text);
}

std::uint64_t number_of(object& o, std::string_view name) {
  std::uint64_t number = 0;
  return o.find_field_unordered(name).get_uint64().get(number) ? 0 : number;
}

std::uint32_t small_number_of(object& o, std::string_view name) {
  return static_cast<std::uint32_t>(number_of(o, name));
}

bool flag_of(object& o, std::string_view name) {
  bool flag = false;
  return !o.find_field_unordered(name).get_bool().get(flag) && flag;
}

std::vector<std::string> texts_of(object& o, std::string_view name) {
  std::vector<std::string> out;
  simdjson::ondemand::array all;
  if (o.find_field_unordered(name).get_array().get(all)) return out;
  for (auto one : all) {
    std::string_view text;
    if (!one.get_string().get(text)) out.emplace_back(text);
  }
  return out;
}

std::string raw_of(object& o, std::string_view name) {
  value v;
  if (o.find_field_unordered(name).get(v)) return {};
  std::string_view json;
  return simdjson::to_json_string(v).get(json) ? std::string() : std::string(json);
}

failure failure_of(object& o) {
  return {text_of(o, "code"), text_of(o, "detail"), flag_of(o, "retryable")};
}

std::optional<failure> error_of(object& o) {
  object inner;
  if (o.find_field_unordered("error").get_object().get(inner)) return std::nullopt;
  return failure_of(inner);
}

void read(object& o, body::session_open& b) {
  b.persona_id = text_of(o, "persona_id");
  b.title = text_of(o, "title");
  object from;
  if (o.find_field_unordered("forked_from").get_object().get(from)) return;
  b.forked_from_session = text_of(from, "session_id");
  b.forked_from_event = text_of(from, "event_id");
}

void read(object& o, body::message_user& b) {
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.text = text_of(o, "text");
  simdjson::ondemand::array list;
  if (o.find_field_unordered("attachments").get_array().get(list)) return;
  for (auto item : list) {
    object found;
    if (item.get_object().get(found)) continue;
    attachment_ref a{text_of(found, "id")};
    a.filename = text_of(found, "filename");
    a.content_type = text_of(found, "content_type");
    a.size_bytes = number_of(found, "size_bytes");
    b.attachments.push_back(std::move(a));
  }
}

void read(object& o, body::memory_recall& b) {
  b.turn_id = text_of(o, "turn_id");
  b.query = text_of(o, "query");
  b.items_json = raw_of(o, "items");
  b.degraded = flag_of(o, "degraded");
  b.reason = text_of(o, "reason");
  b.as_of = static_cast<std::int64_t>(number_of(o, "as_of"));
}

void read(object& o, body::llm_request& b) {
  b.invocation_id = text_of(o, "invocation_id");
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.profile = text_of(o, "profile");
  b.model = text_of(o, "model");
  b.provider = text_of(o, "provider");
  b.attempt = small_number_of(o, "attempt");
  b.step = small_number_of(o, "step");
  b.persona_version = text_of(o, "persona_version");
  object context;
  if (!o.find_field_unordered("context").get_object().get(context)) {
    b.context_from_turn = text_of(context, "from_turn");
    b.context_turns = number_of(context, "turns");
  }
  b.prompt_tokens_estimate = number_of(o, "prompt_tokens_estimate");
  b.instruction = text_of(o, "instruction");
  b.supersedes = text_of(o, "supersedes");
  std::uint64_t offset = 0;
  if (!o.find_field_unordered("resume_offset").get_uint64().get(offset)) b.resume_offset = offset;
}

void read(object& o, body::llm_delta& b) {
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.offset = number_of(o, "offset");
  std::string_view text;
  b.thinking = !o.find_field_unordered("thinking").get_string().get(text);
  b.text = b.thinking ? std::string(text) : text_of(o, "text");
}

void read(object& o, body::llm_complete& b) {
  b.invocation_id = text_of(o, "invocation_id");
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.finish_reason = text_of(o, "finish_reason");
  object used;
  if (!o.find_field_unordered("usage").get_object().get(used)) {
    b.usage.prompt_tokens = number_of(used, "prompt_tokens");
    b.usage.completion_tokens = number_of(used, "completion_tokens");
    b.usage.cached_tokens = number_of(used, "cached_tokens");
    b.usage.reasoning_tokens = number_of(used, "reasoning_tokens");
    double cost = 0;
    if (!used.find_field_unordered("cost_usd").get_double().get(cost)) b.usage.cost_usd = cost;
  }
  b.latency_ms = number_of(o, "latency_ms");
  b.first_token_ms = number_of(o, "first_token_ms");
  b.thinking_bytes = number_of(o, "thinking_bytes");
  b.error = error_of(o);
}

void read(object& o, body::llm_restart& b) {
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.attempt = small_number_of(o, "attempt");
  b.reason = text_of(o, "reason");
}

void read(object& o, body::message_assistant& b) {
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.text = text_of(o, "text");
  simdjson::ondemand::array list;
  if (!o.find_field_unordered("tool_calls").get_array().get(list)) {
    for (auto item : list) {
      object call;
      if (item.get_object().get(call)) continue;
      tool_invocation t;
      t.tool_call_id = text_of(call, "tool_call_id");
      t.provider_call_id = text_of(call, "provider_call_id");
      t.tool_id = text_of(call, "tool_id");
      t.inputs_json = raw_of(call, "inputs");
      b.tool_calls.push_back(std::move(t));
    }
  }
  b.provider_state_json = raw_of(o, "provider_state");
  b.final = flag_of(o, "final");
}

void read(object& o, body::tool_call& b) {
  b.tool_call_id = text_of(o, "tool_call_id");
  b.message_id = text_of(o, "message_id");
  b.turn_id = text_of(o, "turn_id");
  b.provider_call_id = text_of(o, "provider_call_id");
  b.tool_id = text_of(o, "tool_id");
  b.inputs_json = raw_of(o, "inputs");
  b.requested_by = text_of(o, "requested_by");
}

void read(object& o, body::tool_progress& b) {
  b.tool_call_id = text_of(o, "tool_call_id");
  b.turn_id = text_of(o, "turn_id");
  b.stream = text_of(o, "stream");
  b.text = text_of(o, "text");
}

void read(object& o, body::tool_result& b) {
  b.tool_call_id = text_of(o, "tool_call_id");
  b.turn_id = text_of(o, "turn_id");
  b.status = text_of(o, "status");
  b.output_json = raw_of(o, "output");
  b.error = error_of(o);
  b.duration_ms = number_of(o, "duration_ms");
}

void read(object& o, body::memory_write& b) {
  b.memory_id = text_of(o, "memory_id");
  b.message_id = text_of(o, "message_id");
  b.tool_call_id = text_of(o, "tool_call_id");
  b.turn_id = text_of(o, "turn_id");
  b.state = text_of(o, "state");
}

void read(object& o, body::session_state& b) {
  b.paused = flag_of(o, "paused");
  b.title = text_of(o, "title");
  const auto visibility = text_of(o, "visibility");
  if (visibility.empty()) return;
  b.shared.emplace();
  b.shared->visible_to_tenant = visibility == "tenant";
  b.shared->users = sorted_users(texts_of(o, "shared_with"));
}

void read(object& o, body::app_event& b) {
  b.name = text_of(o, "name");
  b.data_json = raw_of(o, "data");
}

void read(object& o, body::error& b) {
  b.what = failure_of(o);
  b.request_id = text_of(o, "request_id");
  b.turn_id = text_of(o, "turn_id");
}

void read(object& o, body::session_close& b) {
  b.reason = text_of(o, "reason");
}

template <std::size_t I = 0>
event_body make_body(std::size_t index) {
  if constexpr (I + 1 < std::variant_size_v<event_body>) {
    if (index != I) return make_body<I + 1>(index);
  }
  return event_body(std::in_place_index<I>);
}

error corrupt(std::string_view why) {
  return {codes::storage_corrupt, "not an event envelope: " + std::string(why)};
}

// Few events have one, and looking through each for it is slow: `encode` puts it behind the id.
bool names_an_actor(std::string_view json) {
  constexpr std::string_view before_id = R"({"version":"v1","meta":{"event_id":")";
  if (!json.starts_with(before_id))
    return json.substr(0, actor_begins_max).find(R"("actor":{)") != json.npos;
  const auto id_end = json.find('"', before_id.size());
  return id_end != json.npos && json.substr(id_end).starts_with(R"(","actor":{)");
}

}  // namespace

std::string_view to_string(event_type type) {
  return type_names[static_cast<std::size_t>(type) - 1];
}

std::optional<event_type> parse_event_type(std::string_view name) {
  for (std::size_t i = 0; i < type_names.size(); ++i)
    if (type_names[i] == name) return static_cast<event_type>(i + 1);
  return std::nullopt;
}

std::string encode(const event& e) {
  std::string out;
  out.reserve(512);
  json_writer w(out);
  w.begin_object().field("version", "v1");
  w.key("meta").begin_object().field("event_id", to_string(e.meta.id));
  if (!e.meta.actor_json.empty()) w.key("actor").raw(e.meta.actor_json);
  w.field_if("request_id", e.meta.request_id).field_if("trace_id", e.meta.trace_id);
  w.field_if("idempotency_key", e.meta.idempotency_key);
  w.field("tenant_id", e.meta.key.tenant.value).field_if("user_id", e.meta.user_id);
  w.field("session_id", e.meta.key.session.value);
  w.field("created_at", format_rfc3339(e.meta.created_at_ms)).end_object();
  w.field("type", to_string(e.type())).key("payload").begin_object();
  std::visit([&](const auto& b) { write(w, b); }, e.body);
  w.end_object().end_object();
  return out;
}

result<event> decode(std::string_view json) {
  // The on-demand parser looks only where it is led and runs past the end of a text that is cut, so
  // the whole text is proved to be JSON first. The quick prover refuses numbers that no machine
  // word holds; the second one keeps them as text.
  thread_local simdjson::dom::parser prover;
  thread_local simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(json);
  if (prover.parse(padded).error() && !is_json(json)) {
    if (json.find("Infinity") == json.npos) return corrupt("not JSON");
    const auto mended = without_infinities(json);
    return is_json(mended) ? decode(mended) : corrupt("not JSON");
  }
  simdjson::ondemand::document document;
  object envelope;
  if (parser.iterate(padded).get(document) || document.get_object().get(envelope))
    return corrupt("not a JSON object");
  event e;
  object meta;
  if (envelope.find_field_unordered("meta").get_object().get(meta)) return corrupt("no meta");
  const auto id = parse_event_id(text_of(meta, "event_id"));
  if (!id) return corrupt("bad meta.event_id");
  e.meta.id = *id;
  if (names_an_actor(json)) e.meta.actor_json = raw_of(meta, "actor");
  e.meta.request_id = text_of(meta, "request_id");
  e.meta.trace_id = text_of(meta, "trace_id");
  e.meta.idempotency_key = text_of(meta, "idempotency_key");
  e.meta.key.tenant.value = text_of(meta, "tenant_id");
  e.meta.user_id = text_of(meta, "user_id");
  e.meta.key.session.value = text_of(meta, "session_id");
  e.meta.created_at_ms = parse_rfc3339(text_of(meta, "created_at"));
  std::string_view name;
  if (envelope.find_field_unordered("type").get_string().get(name)) return corrupt("no type");
  const auto type = parse_event_type(name);
  if (!type) return corrupt("unknown type");
  e.body = make_body(static_cast<std::size_t>(*type) - 1);
  object payload;
  if (envelope.find_field_unordered("payload").get_object().get(payload))
    return corrupt("no payload");
  std::visit([&](auto& b) { read(payload, b); }, e.body);
  return e;
}

}  // namespace soma
