#include "security/oidc/claims.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <cmath>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "security/digest.hpp"

namespace soma::security::oidc {
namespace {

namespace json = boost::json;

constexpr std::string_view logout_event = "http://schemas.openid.net/event/backchannel-logout";
constexpr std::size_t id_bytes_max = 128;  // as ids of the API

error no(std::string why) {
  return {codes::auth_invalid, std::move(why)};
}

// A NumericDate; none where it is no number, or one that no clock shows.
std::optional<std::int64_t> time_of(const json::object& claims, std::string_view name) {
  const auto* value = claims.if_contains(name);
  if (!value || !value->is_number()) return std::nullopt;
  const double seconds = value->is_double()  ? value->get_double()
                         : value->is_int64() ? static_cast<double>(value->get_int64())
                                             : static_cast<double>(value->get_uint64());
  constexpr double latest = 1e11;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > latest) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

bool is_typ(std::string_view typ, std::string_view name) {
  return typ.size() == name.size() &&
         std::equal(typ.begin(), typ.end(), name.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         });
}

// Its issuer, and that it is for this server and for nobody who asked in its place.
result<void> judge_parties(const json::object& claims, const token_rules& rules) {
  if (text_of(claims, "iss") != rules.issuer) return no("the token is of another issuer");
  const auto* audience = claims.if_contains("aud");
  std::size_t named = 0;
  bool ours = false;
  if (audience && audience->is_string()) {
    named = 1;
    ours = audience->get_string() == rules.client_id;
  } else if (audience && audience->is_array()) {
    named = audience->get_array().size();
    if (named > audiences_max) return no("the token is for too many");
    for (const auto& one : audience->get_array())
      ours = ours || (one.is_string() && one.get_string() == rules.client_id);
  }
  if (!ours) return no("the token is for another client");
  if (named > 1 && !claims.contains("azp"))
    return no("the token is for several and does not say who asked for it");
  if (claims.contains("azp") && text_of(claims, "azp") != rules.client_id)
    return no("another client asked for the token");
  return {};
}

result<void> judge_times(const json::object& claims, const token_rules& rules, std::int64_t now_s,
                         bool must_end) {
  const auto ends = time_of(claims, "exp"), issued = time_of(claims, "iat");
  if ((must_end || claims.contains("exp")) && (!ends || now_s >= *ends + rules.skew_s))
    return no("the token has expired, or does not say when it does");
  if (!issued || *issued > now_s + rules.skew_s)
    return no("the token is of a time to come, or does not say of which");
  if (now_s - *issued > issued_ago_s_max + rules.skew_s)
    return no("the token was issued too long ago");
  if (!claims.contains("nbf")) return {};
  const auto begins = time_of(claims, "nbf");
  if (!begins || *begins > now_s + rules.skew_s) return no("the token does not hold yet");
  return {};
}

bool is_subject(std::string_view text) {
  return !text.empty() && text.size() <= subject_bytes_max;
}

// A claim by its name, or by the names on the way to it with dots between them.
const json::value* claim_at(const json::object& claims, std::string_view path) {
  if (const auto* value = claims.if_contains(path)) return value;
  const auto dot = path.find('.');
  if (dot == path.npos) return nullptr;
  const auto* inner = claims.if_contains(path.substr(0, dot));
  return inner && inner->is_object() ? claim_at(inner->get_object(), path.substr(dot + 1))
                                     : nullptr;
}

bool is_text(const json::value& value, std::string_view wanted) {
  if (value.is_string()) return value.get_string() == wanted;
  if (value.is_bool()) return wanted == (value.get_bool() ? "true" : "false");
  if (value.is_int64()) return wanted == std::to_string(value.get_int64());
  if (value.is_uint64()) return wanted == std::to_string(value.get_uint64());
  return false;
}

// A claim that can be believed: an address that its owner never showed to be his is anybody's word.
const json::value* sound_claim(const json::object& claims, std::string_view path) {
  if (path == "email") {
    const auto* verified = claims.if_contains("email_verified");
    if (!verified || !is_text(*verified, "true")) return nullptr;
  }
  return claim_at(claims, path);
}

bool fits(const claim_rule& rule, const json::object& claims) {
  if (rule.claim.empty()) return true;
  const auto* value = sound_claim(claims, rule.claim);
  if (!value) return false;
  const auto* list = value->if_array();
  if (!list) return is_text(*value, rule.value);
  return std::any_of(list->begin(), list->end(),
                     [&](const json::value& one) { return is_text(one, rule.value); });
}

bool fits_any(const std::vector<claim_rule>& rules, const json::object& claims) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const claim_rule& one) { return fits(one, claims); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_in_id(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

bool is_id(std::string_view text) {
  const auto ok = [](char c) { return is_in_id(c) || c == '_'; };
  return !text.empty() && text.size() <= id_bytes_max && ok(text.front()) && text.front() != '.' &&
         text.front() != '-' && text.front() != '_' && std::all_of(text.begin(), text.end(), ok);
}

// All of them or none: a rule that denies may be about one that was left out.
result<void> take_groups(const json::object& claims, const claim_table& table,
                         std::vector<std::string>& out) {
  const auto* said = table.groups_claim.empty() ? nullptr : claim_at(claims, table.groups_claim);
  if (!said || said->is_null()) return {};
  const error bad(codes::auth_forbidden, "the provider names groups that cannot be taken");
  const json::array one{*said};
  const auto& list = said->is_array() ? said->get_array() : one;
  if (list.size() > groups_max) return bad;
  for (const auto& group : list) {
    if (!group.is_string() || group.get_string().size() > group_bytes_max) return bad;
    out.emplace_back(group.get_string());
  }
  return {};
}

// CLAIM=VALUE or `*`.
result<claim_rule> read_rule(std::string_view text) {
  claim_rule rule;
  if (text == "*") return rule;
  const auto equals = text.find('=');
  if (equals == text.npos || equals == 0 || equals + 1 == text.size())
    return error(codes::config_invalid, "'" + std::string(text) + "' is not CLAIM=VALUE");
  rule.claim = trimmed(text.substr(0, equals));
  rule.value = trimmed(text.substr(equals + 1));
  return rule;
}

}  // namespace

result<void> judge_id_token(const json::object& claims, std::string_view typ,
                            const token_rules& rules, const std::string* nonce,
                            std::int64_t now_s) {
  // One kind of token must not pass for another.
  if (!typ.empty() && !is_typ(typ, "jwt")) return no("the token is no ID token");
  if (auto good = judge_parties(claims, rules); !good) return good;
  if (auto good = judge_times(claims, rules, now_s, true); !good) return good;
  if (!is_subject(text_of(claims, "sub"))) return no("the token names nobody");
  if (nonce && !constant_time_equal(text_of(claims, "nonce"), *nonce))
    return no("the token is of another sign-in");
  return {};
}

result<logout_notice> judge_logout_token(const json::object& claims, std::string_view typ,
                                         const token_rules& rules, std::int64_t now_s) {
  if (!typ.empty() && !is_typ(typ, "jwt") && !is_typ(typ, "logout+jwt"))
    return no("the token is no logout token");
  if (auto good = judge_parties(claims, rules); !good) return good.error();
  if (auto good = judge_times(claims, rules, now_s, false); !good) return good.error();
  const auto* events = claims.if_contains("events");
  const auto* event =
      events && events->is_object() ? events->get_object().if_contains(logout_event) : nullptr;
  if (!event || !event->is_object() || claims.contains("nonce"))
    return no("the token tells of no sign-out");
  logout_notice out;
  out.issued_at_s = time_of(claims, "iat").value_or(0);
  out.subject = text_of(claims, "sub");
  out.session = text_of(claims, "sid");
  out.jti = text_of(claims, "jti");
  if (out.jti.empty() || out.jti.size() > jti_bytes_max) return no("the token has no id");
  if (out.subject.size() > subject_bytes_max || out.session.size() > subject_bytes_max ||
      (out.subject.empty() && out.session.empty()))
    return no("the token names nobody");
  return out;
}

result<claim_table> read_claim_table(const std::vector<std::string>& tenants,
                                     const std::vector<std::string>& admins,
                                     std::string groups_claim, std::string user_claim,
                                     std::string user_prefix) {
  claim_table out;
  for (const auto& row : tenants) {
    const auto arrow = row.rfind("->");
    const auto tenant =
        arrow == row.npos ? std::string_view() : trimmed(std::string_view(row).substr(arrow + 2));
    if (!is_id(tenant))
      return error(codes::config_invalid,
                   "oidc.tenants: '" + row + "' is not CLAIM=VALUE -> TENANT");
    auto rule = read_rule(trimmed(std::string_view(row).substr(0, arrow)));
    if (!rule) return error(codes::config_invalid, "oidc.tenants: " + rule.error().detail);
    rule->tenant = tenant_id(std::string(tenant));
    out.tenants.push_back(std::move(*rule));
  }
  for (const auto& row : admins) {
    auto rule = read_rule(trimmed(row));
    if (!rule) return error(codes::config_invalid, "oidc.admins: " + rule.error().detail);
    if (rule->claim.empty())
      return error(codes::config_invalid, "oidc.admins: '*' would make everybody an admin");
    out.admins.push_back(std::move(*rule));
  }
  if (!is_id(user_prefix) || user_prefix.find('_') != user_prefix.npos)
    return error(codes::config_invalid,
                 "oidc.user_prefix: letters, digits, '.' and '-', a letter or digit first");
  out.groups_claim = std::move(groups_claim);
  out.user_claim = std::move(user_claim);
  out.user_prefix = std::move(user_prefix);
  return out;
}

std::string id_part(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (is_in_id(c))
      out += c;
    else
      out += '_' + hex({&c, 1});
  return out;
}

result<mapped_user> map_claims(const json::object& claims, const claim_table& table) {
  const auto row = std::find_if(table.tenants.begin(), table.tenants.end(),
                                [&](const claim_rule& one) { return fits(one, claims); });
  if (row == table.tenants.end())
    return error(codes::auth_forbidden,
                 "the provider knows you, and nothing here lets you in: ask who runs this server");
  mapped_user out;
  out.tenant = row->tenant;
  if (fits_any(table.admins, claims)) out.role = role::admin;
  const auto* name = sound_claim(claims, table.user_claim);
  if (!name || !name->is_string() || name->get_string().empty())
    return error(codes::auth_forbidden, "the provider does not say what a user's id is made of");
  out.user = user_id(table.user_prefix + id_part(name->get_string()));
  if (out.user.value.size() > id_bytes_max)
    return error(codes::auth_forbidden, "the provider's name for you is too long for an id");
  if (auto taken = take_groups(claims, table, out.groups); !taken) return taken.error();
  return out;
}

}  // namespace soma::security::oidc
