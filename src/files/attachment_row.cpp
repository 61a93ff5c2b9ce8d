#include "files/attachment_row.hpp"

#include <boost/json.hpp>

#include "core/json_writer.hpp"
#include "security/digest.hpp"

namespace soma::files {
namespace {

constexpr std::string_view state_names[] = {"clean", "pending", "quarantined", "deleted",
                                            "expired"};

}  // namespace

std::string_view to_string(attachment_state state) {
  return state_names[static_cast<std::size_t>(state)];
}

std::string encode_row(const stored_attachment& a) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("filename", a.sealed() ? std::string_view() : a.filename);
  w.field("content_type", a.content_type);
  w.field("sha256", a.content).field("user_id", a.user_id).field("size_bytes", a.size_bytes);
  if (a.sealed()) w.field("stored_sha256", a.stored_sha256).field("sealed", a.sealed_names);
  w.field("created_at_ms", static_cast<std::uint64_t>(a.created_at_ms));
  w.field("gone_at_ms", static_cast<std::uint64_t>(a.gone_at_ms));
  w.field("state", to_string(a.state)).end_object();
  return out;
}

std::optional<stored_attachment> decode_row(std::string_view text) {
  namespace json = boost::json;
  boost::system::error_code ec;
  const auto value = json::parse({text.data(), text.size()}, ec);
  const auto* o = ec ? nullptr : value.if_object();
  if (!o) return std::nullopt;
  stored_attachment a;
  bool good = true;
  const auto text_of = [&](const char* name) {
    const auto* found = o->if_contains(name);
    good = good && found && found->is_string();
    return good ? std::string(found->get_string()) : std::string();
  };
  const auto number_of = [&](const char* name) -> std::int64_t {
    const auto* found = o->if_contains(name);
    good = good && found && found->is_int64() && found->get_int64() >= 0;
    return good ? found->get_int64() : 0;
  };
  a.filename = text_of("filename");
  a.content_type = text_of("content_type");
  a.sha256 = text_of("sha256");
  a.user_id = text_of("user_id");
  a.size_bytes = static_cast<std::uint64_t>(number_of("size_bytes"));
  a.created_at_ms = number_of("created_at_ms");
  a.gone_at_ms = number_of("gone_at_ms");
  const auto state = text_of("state");
  const auto at = std::find(std::begin(state_names), std::end(state_names), state);
  a.content = a.stored_sha256 = a.sha256;
  if (o->if_contains("sealed")) {
    a.sealed_names = text_of("sealed");
    a.stored_sha256 = text_of("stored_sha256");
    a.sha256.clear();
  }
  if (!good || !is_sha256(a.content) || !is_sha256(a.stored_sha256) || at == std::end(state_names))
    return std::nullopt;
  a.state = static_cast<attachment_state>(at - std::begin(state_names));
  return a;
}

namespace {

std::string place_of(const stored_attachment& a) {
  return "f" + a.tenant.value + '\0' + a.id;
}

}  // namespace

std::string sealed_names_of(const stored_attachment& a, const security::value_key& key) {
  auto text = a.sha256 + a.filename;
  key.seal(text, place_of(a));
  return security::base64url(text);
}

bool open_names(stored_attachment& a, const security::value_key& key) {
  auto text = security::parse_base64url(a.sealed_names);
  if (!text || !key.unseal(*text, place_of(a)) || text->size() < 64) return false;
  a.sha256 = text->substr(0, 64);
  a.filename = text->substr(64);
  return is_sha256(a.sha256);
}

}  // namespace soma::files
