#include "app/session_document.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_writer.hpp"
#include "core/payload_rules.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"

namespace soma::app {
namespace {

namespace json = boost::json;

// Of a line: what it holds may nest as deep as in an event (json_proof.hpp).
constexpr std::size_t depth_max = 256;

enum class kind : std::uint8_t { uuid, text, word, count, flag, list, object, any };

struct member {
  std::string_view name;
  app::kind kind = app::kind::any;
  bool required = true;
};

constexpr std::size_t members_max = 12;
using member_list = std::array<member, members_max>;  // an empty name ends it

constexpr member optional(std::string_view name, kind k) {
  return {name, k, false};
}

// What the fold and the pages rely on, of schemas/event.schema.json; in the order of event_type.
constexpr std::array<member_list, event_type_max> payloads = {{
    {{{"persona_id", kind::text}, {"title", kind::text}}},
    {{{"message_id", kind::uuid},
      {"turn_id", kind::uuid},
      {"text", kind::text},
      {"attachments", kind::list}}},
    {{{"turn_id", kind::uuid}, {"query", kind::text}, {"items", kind::list}}},
    {{{"invocation_id", kind::uuid},
      {"message_id", kind::uuid},
      {"turn_id", kind::uuid},
      {"profile", kind::text},
      {"model", kind::text},
      {"provider", kind::text},
      {"attempt", kind::count},
      {"step", kind::count},
      {"context", kind::object},
      optional("supersedes", kind::uuid),
      optional("resume_offset", kind::count)}},
    {{{"message_id", kind::uuid},
      {"turn_id", kind::uuid},
      {"offset", kind::count},
      optional("text", kind::text),
      optional("thinking", kind::text)}},
    {{{"invocation_id", kind::uuid},
      {"message_id", kind::uuid},
      {"turn_id", kind::uuid},
      {"finish_reason", kind::word},
      {"usage", kind::object},
      {"latency_ms", kind::count},
      {"first_token_ms", kind::count},
      optional("error", kind::object)}},
    {{{"message_id", kind::uuid},
      {"turn_id", kind::uuid},
      {"attempt", kind::count},
      {"reason", kind::text}}},
    {{{"message_id", kind::uuid},
      {"turn_id", kind::uuid},
      {"text", kind::text},
      {"tool_calls", kind::list},
      {"final", kind::flag}}},
    {{{"tool_call_id", kind::uuid},
      optional("message_id", kind::uuid),
      optional("turn_id", kind::uuid),
      {"tool_id", kind::word},
      {"inputs", kind::any},
      {"requested_by", kind::word}}},
    {{{"tool_call_id", kind::uuid},
      optional("turn_id", kind::uuid),
      {"stream", kind::word},
      {"text", kind::text}}},
    {{{"tool_call_id", kind::uuid},
      optional("turn_id", kind::uuid),
      {"status", kind::word},
      {"duration_ms", kind::count},
      optional("error", kind::object)}},
    {{{"memory_id", kind::uuid},
      optional("message_id", kind::uuid),
      optional("tool_call_id", kind::uuid),
      optional("turn_id", kind::uuid),
      {"state", kind::word}}},
    {{{"paused", kind::flag}, {"title", kind::text}}},
    {{{"name", kind::word}, {"data", kind::any}}},
    {{{"code", kind::word}, {"detail", kind::text}, optional("turn_id", kind::uuid)}},
    {{{"reason", kind::word}}},
}};

constexpr member_list call_members = {
    {{"tool_call_id", kind::uuid}, {"tool_id", kind::word}, {"inputs", kind::any}}};
constexpr member_list attachment_members = {{{"id", kind::uuid},
                                             optional("filename", kind::text),
                                             optional("content_type", kind::text),
                                             optional("size_bytes", kind::count)}};
constexpr member_list meta_members = {{{"event_id", kind::word},
                                       {"tenant_id", kind::word},
                                       {"session_id", kind::uuid},
                                       {"created_at", kind::word},
                                       optional("request_id", kind::text),
                                       optional("trace_id", kind::text),
                                       optional("idempotency_key", kind::text),
                                       optional("user_id", kind::text)}};

error invalid(std::string detail) {
  return {codes::import_invalid, std::move(detail)};
}

bool is_kind(const json::value& v, kind k) {
  switch (k) {
    case kind::uuid: return v.is_string() && is_uuid(v.get_string());
    case kind::text: return v.is_string();
    case kind::word: return v.is_string() && !v.get_string().empty();
    case kind::count: return v.is_uint64() || (v.is_int64() && v.get_int64() >= 0);
    case kind::flag: return v.is_bool();
    case kind::list: return v.is_array();
    case kind::object: return v.is_object();
    case kind::any: return true;
  }
  return false;
}

result<void> check(const json::value& v, const member_list& members, std::string_view what) {
  if (!v.is_object()) return invalid(std::string(what) + " is not an object");
  for (const auto& m : members) {
    if (m.name.empty()) break;
    const auto* found = v.get_object().if_contains(m.name);
    if (!found && !m.required) continue;
    if (!found || !is_kind(*found, m.kind))
      return invalid(std::string(what) + " has no valid " + std::string(m.name));
  }
  return {};
}

result<void> check_list(const json::value& payload, std::string_view name,
                        const member_list& members) {
  const auto* list = payload.get_object().if_contains(name);
  if (!list) return {};
  for (const auto& item : list->get_array())
    if (auto good = check(item, members, name); !good) return good.error();
  return {};
}

std::optional<json::value> parse_value(std::string_view text) {
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code ec;
  auto value = parse_foreign_json(text, ec, options);
  return ec ? std::nullopt : std::optional(std::move(value));
}

result<json::value> parse(std::string_view line) {
  auto value = parse_value(line);
  if (!value || !value->is_object()) return invalid("the line is not a JSON object");
  return std::move(*value);
}

// Members of the text that its value does not have: those that are named again.
std::size_t named_again(std::string_view text, const json::value& value) {
  return json_shape_of(text).members - json_members_of(value);
}

// What a line has outside of the values of any shape is said once: what is checked and what is kept
// could be two things otherwise. Inside of them what models and tools once said is taken as it is,
// but for an application's data, which no request has ever been allowed to say twice.
bool says_twice(std::string_view line, const json::value& parsed, const event& e) {
  auto again = named_again(line, parsed);
  if (again == 0) return false;
  if (e.type() == event_type::app_event) return true;
  for (const auto text : raw_json_of(e)) {
    auto value = parse_value(text);
    if (value) again -= std::min(again, named_again(text, *value));
  }
  return again != 0;
}

std::string_view text_of(const json::value& v, std::string_view name) {
  const auto* found = v.get_object().if_contains(name);
  return found && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
}

result<void> check_envelope(const json::value& v) {
  if (text_of(v, "version") != "v1") return invalid("the line is no event of version v1");
  const auto type = parse_event_type(text_of(v, "type"));
  if (!type) return invalid("the event has no known type");
  const auto* meta = v.get_object().if_contains("meta");
  const auto* payload = v.get_object().if_contains("payload");
  if (!meta || !payload) return invalid("the event has no meta or no payload");
  if (auto good = check(*meta, meta_members, "meta"); !good) return good.error();
  const auto& members = payloads[static_cast<std::size_t>(*type) - 1];
  if (auto good = check(*payload, members, to_string(*type)); !good) return good.error();
  if (*type == event_type::message_user)
    return check_list(*payload, "attachments", attachment_members);
  if (*type == event_type::message_assistant)
    return check_list(*payload, "tool_calls", call_members);
  return {};
}

}  // namespace

// ---- writing ----

std::string document_writer::hashed(std::string line) {
  line += '\n';
  hash_.update(line);
  return line;
}

std::string document_writer::begin(std::string_view session_json) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("soma_export", "v1").key("session").raw(session_json).end_object();
  return hashed(std::move(line));
}

std::string document_writer::add(std::string_view envelope) {
  ++events_;
  return hashed(std::string(envelope));
}

std::string document_writer::add_attachment(std::string_view line) {
  return hashed(std::string(line));
}

std::string document_writer::end() {
  std::string line;
  json_writer w(line);
  w.begin_object().field_bool("end", true).field("events", events_);
  w.field("sha256", security::hex(security::bytes_of(hash_.finish()))).end_object();
  return line + '\n';
}

// ---- reading ----

result<std::optional<event>> document_reader::take(std::string_view line) {
  ++line_;
  if (!hash_text_.empty()) return invalid("a line follows the document's end");
  if (line.size() > document_line_bytes_max)
    return error(codes::event_too_large, "the line is longer than an event may be");
  if (line_ > 1 && line.find("\"end\"") < 3) {
    if (auto whole = take_end(line); !whole) return whole.error();
    return std::optional<event>();
  }
  hash_.update(line);
  hash_.update("\n");
  if (line_ == 1) {
    auto header = parse(line);
    if (!header) return header.error();
    if (named_again(line, *header) != 0) return invalid("a member is named twice");
    if (text_of(*header, "soma_export") != "v1")
      return invalid("the document is no export of version v1");
    return std::optional<event>();
  }
  if (is_attachment_line(line)) {
    events_over_ = true;
    if (auto taken = attachments_.take(line); !taken) return taken.error();
    return std::optional<event>();
  }
  if (events_over_) return invalid("an event stands behind the attachments");
  auto taken = take_event(line);
  if (!taken) return taken.error();
  return std::optional<event>(std::move(*taken));
}

result<event> document_reader::take_event(std::string_view line) {
  auto parsed = parse(line);
  if (!parsed) return parsed.error();
  if (auto good = check_envelope(*parsed); !good) return good.error();
  auto e = decode(line);
  if (!e) return invalid(e.error().detail);
  if (says_twice(line, *parsed, *e)) return invalid("a member is named twice");
  if (const auto bad = bad_event(*e, now_ms())) return invalid(bad->detail);
  if (events_ == 0) session_ = e->meta.key.session.value;
  if (e->meta.key.session.value != session_) return invalid("the event is of another session");
  if (e->meta.id.seq <= last_seq_) return invalid("the event is out of order");
  if ((events_ == 0) != (e->type() == event_type::session_open))
    return invalid("session.open is the first event, and only the first");
  if (e->type() == event_type::session_close)
    return invalid("the log of a session that exists holds no session.close");
  if (const auto* said = std::get_if<soma::body::message_user>(&e->body))
    for (const auto& a : said->attachments) named_.insert(a.id);
  if (named_.size() > document_attachments_max)
    return invalid("the messages name more than 100000 attachments");
  last_seq_ = e->meta.id.seq;
  ++events_;
  return e;
}

result<void> document_reader::take_end(std::string_view line) {
  auto parsed = parse(line);
  if (!parsed) return parsed.error();
  if (named_again(line, *parsed) != 0) return invalid("a member is named twice");
  constexpr member_list members = {
      {{"end", kind::flag}, {"events", kind::count}, {"sha256", kind::word}}};
  if (auto good = check(*parsed, members, "the last line"); !good) return good.error();
  const auto counted = parsed->at("events").to_number<std::uint64_t>();
  if (!parsed->at("end").get_bool() || counted != events_)
    return invalid("the last line counts other events than the document has");
  if (events_ == 0) return invalid("the document has no event");
  if (auto whole = attachments_.finish(); !whole) return whole;
  auto text = security::hex(security::bytes_of(hash_.finish()));
  if (text != text_of(*parsed, "sha256"))
    return invalid("the document is not what was exported: its hash is another");
  hash_text_ = std::move(text);
  return {};
}

result<void> document_reader::finish() const {
  if (hash_text_.empty()) return invalid("the document is cut off: its last line is missing");
  return {};
}

}  // namespace soma::app
