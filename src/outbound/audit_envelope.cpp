#include "outbound/audit_envelope.hpp"

#include <boost/json.hpp>

#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/audit/audit_chain.hpp"

namespace soma::outbound {
namespace {

namespace json = boost::json;

std::string short_line(std::string_view line) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  if (const auto link = security::audit_link_of(line)) {
    w.field("seq", link->seq).field("at", link->at).field("what", link->what);
    w.field("prev_hash", link->prev_hash).field("hash", link->hash);
  }
  w.field_bool("left_out", true).end_object();
  return out;
}

}  // namespace

audit_envelope audit_envelope_of(std::string_view chain, std::uint64_t seq, std::string_view line) {
  boost::system::error_code ec;
  const auto parsed = json::parse({line.data(), line.size()}, ec);
  const auto* record = ec ? nullptr : parsed.if_object();
  const auto text = [&](std::string_view name) {
    return record ? text_of(*record, name) : std::string();
  };
  const auto* whose = record ? record->if_contains("who") : nullptr;
  const auto* who = whose ? whose->if_object() : nullptr;
  audit_envelope out;
  out.headers.request_id = text("request_id");
  out.headers.idempotency_key = std::string(chain) + "/" + std::to_string(seq);
  json_writer w(out.value);
  w.begin_object().field("version", "v1").key("meta").begin_object();
  w.field_if("request_id", out.headers.request_id).field_if("trace_id", text("trace_id"));
  w.field("idempotency_key", out.headers.idempotency_key);
  w.field_if("tenant_id", who ? text_of(*who, "tenant_id") : std::string());
  w.field_if("user_id", who ? text_of(*who, "user_id") : std::string());
  w.field_if("session_id", text("session_id")).field_if("created_at", text("at")).end_object();
  w.field("type", "audit.record").key("payload");
  // Room for what the envelope has besides.
  constexpr std::size_t envelope_bytes = 8 * 1024;
  const bool fits = line.size() + envelope_bytes <= audit_record_bytes_max;
  w.raw(fits ? std::string(line) : short_line(line)).end_object();
  return out;
}

}  // namespace soma::outbound
