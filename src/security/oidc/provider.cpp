#include "security/oidc/provider.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_text.hpp"
#include "core/loopback.hpp"
#include "security/digest.hpp"

namespace soma::security::oidc {
namespace {

namespace json = boost::json;

constexpr std::size_t url_bytes_max = 2048;

error unavailable(std::string why) {
  return error(codes::dependency_unavailable, std::move(why), 5).about("oidc");
}

std::string_view authority_of(std::string_view url) {
  url.remove_prefix(std::min(url.find("://"), url.size() - 3) + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

bool is_on_loopback(std::string_view url) {
  auto host = authority_of(url);
  if (host.starts_with('[')) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  return host == loopback_name || host == loopback_address;
}

// As it stands: nothing in it that two readers might read differently.
bool is_url(std::string_view url) {
  if (url.size() > url_bytes_max) return false;
  const bool is_plain = url.starts_with("http://") && url.size() > 7 && is_on_loopback(url);
  if (!is_plain && !(url.starts_with("https://") && url.size() > 8)) return false;
  for (const char c : url)
    if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' || c == '#')
      return false;
  return authority_of(url).find_first_of("@%") == std::string_view::npos &&
         !authority_of(url).empty();
}

bool lists(const json::object& document, std::string_view name, std::string_view value) {
  const auto* list = document.if_contains(name);
  if (!list || !list->is_array()) return false;
  const auto& all = list->get_array();
  return std::find(all.begin(), all.end(),
                   json::value(json::string_view(value.data(), value.size()))) != all.end();
}

std::optional<json::object> object_in(std::string_view text) {
  json::error_code ec;
  auto value = parse_foreign_json(text, ec);
  if (ec || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

// RFC 6749, 2.3.1: both are form texts before they are base64.
std::string basic(std::string_view id, std::string_view secret) {
  auto text = base64url(form_text(id) + ':' + form_text(secret));
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return "Basic " + text;
}

// One of the codes of RFC 6749, 5.2; what is none is not repeated.
std::string known_refusal(std::string_view body) {
  const auto answer = object_in(body);
  const auto code = answer ? text_of(*answer, "error") : std::string();
  for (const auto* known : {"invalid_request", "invalid_client", "invalid_grant",
                            "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
    if (code == known) return code;
  return {};
}

}  // namespace

bool is_issuer(std::string_view url) {
  return is_url(url) && url.find('?') == url.npos;
}

result<provider_documents> read_documents(std::string_view text, std::string_view issuer) {
  const auto all = object_in(text);
  if (!all) return unavailable("the provider's discovery document is no JSON object");
  // Else whoever can answer there once could stand in for another provider.
  if (text_of(*all, "issuer") != issuer)
    return unavailable("the provider's discovery document is of another issuer than oidc.issuer");
  provider_documents out;
  const std::pair<const char*, std::string*> wanted[] = {
      {"authorization_endpoint", &out.authorization_endpoint},
      {"token_endpoint", &out.token_endpoint},
      {"jwks_uri", &out.jwks_uri}};
  for (const auto& [name, place] : wanted) {
    *place = text_of(*all, name);
    if (!is_url(*place) || (issuer.starts_with("https:") && !place->starts_with("https:")))
      return unavailable(std::string("the provider's ") + name + " is no address to be asked");
  }
  out.end_session_endpoint = text_of(*all, "end_session_endpoint");
  if (!is_url(out.end_session_endpoint)) out.end_session_endpoint.clear();
  if (all->contains("code_challenge_methods_supported") &&
      !lists(*all, "code_challenge_methods_supported", "S256"))
    return unavailable("the provider does not take PKCE with S256");
  const auto* names_itself = all->if_contains("authorization_response_iss_parameter_supported");
  out.names_itself = names_itself && names_itself->is_bool() && names_itself->get_bool();
  constexpr const char* ways = "token_endpoint_auth_methods_supported";
  out.takes_basic = !all->contains(ways) || lists(*all, ways, "client_secret_basic") ||
                    !lists(*all, ways, "client_secret_post");
  return out;
}

provider::provider(provider_options options, http_port ask, std::function<std::int64_t()> now_ms)
    : options_(std::move(options)), ask_(std::move(ask)), now_ms_(std::move(now_ms)) {}

error provider::away(std::string why) {
  auto said = unavailable("nobody can sign in by the provider now: " + std::move(why));
  const std::lock_guard lock(mutex_);
  failed_at_ms_ = now_ms_();
  trouble_ = said.detail;
  return said;
}

std::shared_ptr<const provider_documents> provider::last_seen() const {
  const std::lock_guard lock(mutex_);
  return documents_;
}

std::string provider::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

result<provider::documents> provider::read_again() {
  auto url = options_.issuer;
  while (url.ends_with('/')) url.pop_back();
  const auto got = ask_({url + "/.well-known/openid-configuration", {}, {}});
  if (got.status == 0) return away(got.why);
  if (got.status != 200)
    return away("its discovery document is answered with " + std::to_string(got.status));
  auto read = read_documents(got.body, options_.issuer);
  if (!read) return away(read.error().detail);
  auto found = std::make_shared<const provider_documents>(std::move(*read));
  const std::lock_guard lock(mutex_);
  documents_ = found;
  seen_at_ms_ = now_ms_();
  trouble_.clear();
  return found;
}

result<std::shared_ptr<const provider_documents>> provider::reach() {
  const auto known = [this]() -> result<documents> {
    const std::lock_guard lock(mutex_);
    const auto now = now_ms_();
    if (trouble_.empty() && documents_ && now - seen_at_ms_ < options_.fresh_ms) return documents_;
    if (!trouble_.empty() && now - failed_at_ms_ < tried_again_ms) return unavailable(trouble_);
    return documents();
  };
  auto found = known();
  if (!found || *found) return found;
  const std::lock_guard lock(fetch_);
  found = known();  // another may have looked meanwhile
  if (!found || *found) return found;
  return read_again();
}

void provider::look() {
  const std::lock_guard lock(fetch_);
  (void)read_again();
}

result<tokens> provider::trade(form_fields fields) {
  auto where = reach();
  if (!where) return where.error();
  http_request asked;
  asked.url = (*where)->token_endpoint;
  const bool has_secret = !options_.client_secret.empty();
  const bool is_basic = options_.token_auth == token_auth::basic ||
                        (options_.token_auth == token_auth::automatic && (*where)->takes_basic);
  if (has_secret && is_basic)
    asked.authorization = basic(options_.client_id, options_.client_secret.reveal());
  else
    fields.emplace_back("client_id", options_.client_id);
  if (has_secret && !is_basic)
    fields.emplace_back("client_secret", std::string(options_.client_secret.reveal()));
  asked.form = form_of(fields);
  const auto got = ask_(asked);
  wipe(asked.form);
  wipe(asked.authorization);
  if (got.status == 0) return away(got.why);
  if (got.status != 200) {
    const auto refusal = known_refusal(got.body);
    if (refusal == "invalid_grant")
      return error(codes::auth_invalid, "the provider does not take what was brought from it");
    return unavailable("the provider gave no tokens: " +
                       (refusal.empty() ? std::to_string(got.status) : refusal));
  }
  const auto answer = object_in(got.body);
  if (!answer) return unavailable("the provider's tokens cannot be read");
  tokens out;
  out.id_token = text_of(*answer, "id_token");
  out.refresh_token = secret_string(text_of(*answer, "refresh_token"));
  if (out.refresh_token.reveal().size() > refresh_token_bytes_max) out.refresh_token = {};
  return out;
}

// Read again where there are none, where they are old, and where the ones that were tried last are
// not enough; that at most so often, since tokens that nobody signed could ask for it.
result<provider::keys> provider::keys_now(const keys& not_these) {
  const auto known = [&]() -> keys {
    const std::lock_guard lock(mutex_);
    const auto now = now_ms_();
    const bool may_ask = now - keys_tried_at_ms_ >= options_.jwks_refetch_ms;
    if (!keys_ || now - keys_at_ms_ >= keys_kept_ms) return nullptr;
    return keys_ != not_these || !may_ask ? keys_ : nullptr;
  };
  if (auto found = known()) return found;
  const std::lock_guard lock(fetch_);
  if (auto found = known()) return found;
  auto where = last_seen();
  if (!where) {
    auto read = read_again();
    if (!read) return read.error();
    where = *read;
  }
  {
    const std::lock_guard tried(mutex_);
    const auto now = now_ms_();
    if (now - keys_tried_at_ms_ < std::min(tried_again_ms, options_.jwks_refetch_ms))
      return unavailable("the provider's keys cannot be had");
    keys_tried_at_ms_ = now;
  }
  const auto got = ask_({where->jwks_uri, {}, {}});
  if (got.status != 200)
    return away(got.status == 0 ? "its keys cannot be had: " + got.why
                                : "its keys are answered with " + std::to_string(got.status));
  auto read = read_key_set(got.body);
  if (!read) return away(read.error().detail);
  const std::lock_guard taken(mutex_);
  keys_ = std::make_shared<const key_set>(std::move(*read));
  keys_at_ms_ = now_ms_();
  return keys_;
}

result<unverified_token> provider::verify(std::string_view text) {
  auto token = read_token(text);
  if (!token) return token;
  const error unknown(codes::auth_invalid, "the token is signed by none of the provider's keys");
  auto now = keys_now(nullptr);
  if (!now) return now.error();
  const auto holds = [&](const key_set& all) {
    const auto* key = key_for(*token, all);
    return key && key->verifies(token->signed_part, token->signature);
  };
  if (holds(**now)) return token;
  // A key that is known by its name and did not sign it: newer keys change nothing.
  if (!token->kid.empty() && key_for(*token, **now)) return unknown;
  auto newer = keys_now(*now);
  if (!newer) return newer.error();
  if (*newer == *now || !holds(**newer)) return unknown;
  return token;
}

}  // namespace soma::security::oidc
