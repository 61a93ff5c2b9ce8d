#include "inbound/inbound_record.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_text.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"
#include "kafka/record_headers.hpp"

namespace soma::inbound {
namespace {

namespace json = boost::json;

// As of HTTP's bodies: schemas/requests/send_message.schema.json.
constexpr std::size_t text_length_max = 262'144, attachments_max = 32, name_bytes_max = 128;
constexpr std::size_t persona_bytes_max = 100, request_id_bytes_max = 128, detail_bytes_max = 1024;

constexpr std::array own_headers = {"error_code",   "error_detail",     "error_rule",
                                    "origin_topic", "origin_partition", "origin_offset",
                                    "failed_at"};

error invalid(const char* member, const char* why) {
  return error(codes::request_invalid, std::string(member) + " " + why).about(member);
}

// A name as users, tenants and personas have.
bool is_name(std::string_view text, std::size_t bytes_max) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= bytes_max && letter(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_trace_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos &&
         text.find_first_not_of('0') != text.npos;
}

bool is_key(std::string_view text) {
  return text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

// Code points, of what is UTF-8.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

result<void> only(const json::object& in, std::string_view where,
                  std::initializer_list<std::string_view> known) {
  for (const auto& member : in)
    if (std::find(known.begin(), known.end(), std::string_view(member.key())) == known.end())
      return error(codes::request_unknown_field,
                   std::string(where) + " has a member that no such record has")
          .about(std::string_view(member.key()).substr(0, name_bytes_max));
  return {};
}

result<const json::object*> object_in(const json::object& in, const char* name) {
  const auto* value = in.if_contains(name);
  const auto* object = value ? value->if_object() : nullptr;
  if (!object) return invalid(name, "is missing, or no object");
  return object;
}

// Empty where it is missing.
result<std::string> text_in(const json::object& in, const char* name) {
  const auto* value = in.if_contains(name);
  if (!value) return std::string();
  if (!value->is_string()) return invalid(name, "is no text");
  return std::string(value->get_string());
}

result<json::value> parsed(const std::string& text) {
  const error no_json(codes::request_malformed_json, "the record's value is no JSON in UTF-8");
  if (!utf8_valid(text)) return no_json;
  json::parse_options how;
  how.max_depth = limits::http_json_depth_max;
  boost::system::error_code ec;
  auto value = parse_foreign_json(text, ec, how);
  if (ec) return no_json;
  if (json_shape_of(text).members != json_members_of(value))
    return error(codes::request_malformed_json, "a member of the record's value comes twice");
  return value;
}

result<void> read_attachments(inbound_message& out, const json::object& payload) {
  const auto* value = payload.if_contains("attachments");
  if (!value) return {};
  const auto* list = value->if_array();
  if (!list || list->size() > attachments_max)
    return invalid("attachments", "is no list, or one of too many");
  for (const auto& item : *list) {
    const auto* one = item.if_object();
    auto id = one && one->size() == 1 ? text_of(*one, "id") : std::string();
    if (!is_uuid(id)) return invalid("attachments", "has what is no {\"id\": …}");
    out.attachments.push_back(std::move(id));
  }
  return {};
}

result<void> read_payload(inbound_message& out, const json::object& payload) {
  if (auto good = only(payload, "payload", {"text", "persona_id", "attachments"}); !good)
    return good;
  auto text = text_in(payload, "text"), persona = text_in(payload, "persona_id");
  if (!text) return text.error();
  if (!persona) return persona.error();
  if (text->empty() || length_of(*text) > text_length_max)
    return invalid("text", "is missing, empty or too long");
  if (!persona->empty() && !is_name(*persona, persona_bytes_max))
    return invalid("persona_id", "is no id of a persona");
  out.text = std::move(*text);
  out.persona_id = std::move(*persona);
  return read_attachments(out, payload);
}

result<void> read_meta(inbound_message& out, const json::object& meta) {
  if (auto good = only(meta, "meta",
                       {"event_id", "request_id", "trace_id", "idempotency_key", "tenant_id",
                        "user_id", "session_id", "created_at"});
      !good)
    return good;
  const std::pair<const char*, std::string*> texts[] = {
      {"tenant_id", &out.tenant},      {"user_id", &out.user},
      {"session_id", &out.session},    {"idempotency_key", &out.idempotency_key},
      {"request_id", &out.request_id}, {"trace_id", &out.trace_id}};
  for (const auto& [name, to] : texts) {
    auto text = text_in(meta, name);
    if (!text) return text.error();
    *to = std::move(*text);
  }
  if (!is_name(out.tenant, name_bytes_max)) return invalid("tenant_id", "is missing, or no id");
  if (!is_name(out.user, name_bytes_max)) return invalid("user_id", "is missing, or no id");
  if (!out.session.empty() && !is_uuid(out.session)) return invalid("session_id", "is no UUID");
  if (!is_key(out.idempotency_key))
    return invalid("idempotency_key", "is 1 to 255 printable ASCII characters");
  return {};
}

// Of a record without one: the end of its place, which says which it is.
std::string request_id_of(std::string place) {
  std::replace(place.begin(), place.end(), '/', '-');
  if (place.size() > request_id_bytes_max) place.erase(0, place.size() - request_id_bytes_max);
  return place;
}

std::vector<kafka::header_view> views_of(const inbound_record& record) {
  std::vector<kafka::header_view> all;
  for (const auto& [name, value] : record.headers) {
    kafka::header_view one;
    one.name = name;
    if (value) one.value = *value;
    all.push_back(one);
  }
  return all;
}

// What the headers say counts; the envelope says the rest.
result<void> add_headers(inbound_message& out, const inbound_record& record,
                         const record_rules& rules) {
  auto headers = kafka::read_headers(views_of(record));
  if (!headers) return headers.error();
  if (headers->idempotency_key.empty())
    headers->idempotency_key = out.idempotency_key;
  else if (!out.idempotency_key.empty() && out.idempotency_key != headers->idempotency_key)
    return invalid("idempotency_key", "is another in the header");
  out.idempotency_key = kafka::key_of(*headers, rules.topic, record.partition, record.offset);
  // Checked as a header of that name is.
  if (headers->request_id.empty() && !out.request_id.empty()) {
    const kafka::header_view given[] = {{"request_id", out.request_id}};
    headers->request_id = kafka::read_headers(given)->request_id;
  }
  if (headers->request_id.empty())
    headers->request_id =
        request_id_of(kafka::key_of({}, rules.topic, record.partition, record.offset));
  out.request_id = std::move(headers->request_id);
  if (!is_trace_id(out.trace_id)) out.trace_id.clear();
  if (const auto& parent = headers->traceparent; !parent.empty()) {
    out.trace_id = parent.substr(3, 32);
    out.parent_span_id = parent.substr(36, 16);
  }
  return {};
}

}  // namespace

std::size_t inbound_record::bytes() const {
  auto sum = key.value_or("").size() + value.value_or("").size();
  for (const auto& [name, text] : headers) sum += name.size() + text.value_or("").size();
  return sum;
}

result<inbound_message> read_message(const inbound_record& record, const record_rules& rules) {
  if (record.bytes() > rules.record_bytes_max)
    return error(codes::request_too_large, "the record is larger than inbound.record_bytes_max");
  if (!record.value) return error(codes::request_malformed_json, "the record has no value");
  auto value = parsed(*record.value);
  if (!value) return value.error();
  const auto* envelope = value->if_object();
  if (!envelope) return error(codes::request_invalid, "the record's value is no object");
  if (auto good = only(*envelope, "the record", {"version", "meta", "type", "payload"}); !good)
    return good.error();
  if (text_of(*envelope, "version") != "v1") return invalid("version", "is not v1");
  if (text_of(*envelope, "type") != "message.user") return invalid("type", "is not message.user");
  const auto meta = object_in(*envelope, "meta"), payload = object_in(*envelope, "payload");
  if (!meta) return meta.error();
  if (!payload) return payload.error();
  inbound_message out;
  if (auto good = read_meta(out, **meta); !good) return good.error();
  if (auto good = read_payload(out, **payload); !good) return good.error();
  if (auto good = add_headers(out, record, rules); !good) return good.error();
  if (std::find(rules.tenants.begin(), rules.tenants.end(), out.tenant) == rules.tenants.end())
    return error(codes::auth_forbidden, "records may not speak for this tenant: inbound.tenants");
  return out;
}

verdict verdict_of(std::string_view code) {
  for (const auto one :
       {codes::dependency_unavailable, codes::server_busy, codes::server_starting,
        codes::server_shutting_down, codes::storage_full, codes::storage_unavailable,
        codes::session_head_mismatch, codes::cluster_not_owner, codes::cluster_owner_lost,
        codes::cluster_timeout, codes::cluster_no_owner, codes::cluster_behind})
    if (code == one) return verdict::will_pass;
  for (const auto one : {codes::session_queue_full, codes::session_busy, codes::quota_exceeded,
                         codes::quota_storage, codes::attachment_pending, codes::internal,
                         codes::storage_corrupt, codes::idempotency_exists})
    if (code == one) return verdict::may_pass;
  return verdict::refused;
}

std::vector<std::pair<std::string, std::optional<std::string>>> refused_headers(
    const inbound_record& record, const record_rules& rules, const error& why,
    std::int64_t now_ms) {
  std::vector<std::pair<std::string, std::optional<std::string>>> out;
  std::size_t bytes = 0;
  for (const auto& [name, value] : record.headers) bytes += name.size() + value.value_or("").size();
  if (record.headers.size() <= kafka::headers_max && bytes <= kafka::headers_bytes_max)
    for (const auto& one : record.headers)
      if (std::find(own_headers.begin(), own_headers.end(), one.first) == own_headers.end())
        out.push_back(one);
  const auto put = [&](const char* name, std::string value) {
    if (!value.empty()) out.emplace_back(name, std::move(value));
  };
  put("error_code", std::string(why.code));
  put("error_detail", why.detail.substr(0, detail_bytes_max));
  put("error_rule", why.rule.substr(0, detail_bytes_max));
  put("origin_topic", rules.topic);
  put("origin_partition", std::to_string(record.partition));
  put("origin_offset", std::to_string(record.offset));
  put("failed_at", format_rfc3339(now_ms));
  return out;
}

}  // namespace soma::inbound
