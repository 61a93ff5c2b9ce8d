#include "security/audit/audit_head.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"

namespace soma::security {
namespace {

namespace json = boost::json;

void write_members(json_writer& w, const audit_head& what) {
  w.field("chain", what.chain).field("first", what.first).field("seq", what.seq);
  w.field("hash", what.hash).field_if("root", what.root).field("at", what.at);
  w.field("key_id", what.key_id).field("public_key", what.public_key);
  w.field("signature", what.signature);
  if (what.is_checkpoint) w.field_bool("checkpoint", true);
}

std::optional<std::uint64_t> number_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (!value) return std::nullopt;
  boost::system::error_code ec;
  const auto number = value->to_number<std::uint64_t>(ec);
  return ec ? std::nullopt : std::optional(number);
}

std::optional<audit_head> head_of(const json::object& from) {
  audit_head out;
  const auto first = number_in(from, "first"), seq = number_in(from, "seq");
  if (!first || !seq) return std::nullopt;
  out.first = *first;
  out.seq = *seq;
  out.chain = text_of(from, "chain");
  out.hash = text_of(from, "hash");
  out.root = text_of(from, "root");
  out.at = text_of(from, "at");
  out.key_id = text_of(from, "key_id");
  out.public_key = text_of(from, "public_key");
  out.signature = text_of(from, "signature");
  const auto* checkpoint = from.if_contains("checkpoint");
  out.is_checkpoint = checkpoint && checkpoint->is_bool() && checkpoint->get_bool();
  return out;
}

}  // namespace

std::string audit_statement(const audit_head& what) {
  std::string text = what.is_checkpoint ? "soma-audit-checkpoint" : "soma-audit-head";
  for (const auto& part : {what.chain, std::to_string(what.first), std::to_string(what.seq),
                           what.hash, what.root, what.at})
    text.append("\n").append(part);
  return text + "\n";
}

void sign_head(audit_head& what, const audit_key& by) {
  what.key_id = by.id();
  what.public_key = by.public_text();
  what.signature = by.sign(audit_statement(what));
}

bool is_well_signed(const audit_head& what) {
  return !what.key_id.empty() && what.key_id == audit_key_id(what.public_key) &&
         is_signed_by(what.public_key, audit_statement(what), what.signature);
}

std::string to_json(const audit_head& what) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  write_members(w, what);
  w.end_object();
  return out;
}

result<audit_head> parse_audit_head(std::string_view text) {
  boost::system::error_code ec;
  const auto document = json::parse({text.data(), text.size()}, ec);
  auto found = ec || !document.is_object() ? std::nullopt : head_of(document.get_object());
  if (!found) return error(codes::request_invalid, "is no head of an audit");
  return std::move(*found);
}

std::string head_members(const audit_head& what) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("at", what.at).field("what", audit_head_what).key("data").begin_object();
  write_members(w, what);
  w.end_object().end_object();
  return out.substr(1, out.size() - 2);
}

std::optional<audit_head> head_in(std::string_view line) {
  boost::system::error_code ec;
  const auto document = json::parse({line.data(), line.size()}, ec);
  const auto* object = ec ? nullptr : document.if_object();
  const auto* data = object ? object->if_contains("data") : nullptr;
  return data && data->is_object() ? head_of(data->get_object()) : std::nullopt;
}

}  // namespace soma::security
