#include "security/oidc/relying_party.hpp"

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "security/digest.hpp"

namespace soma::security::oidc {
namespace {

constexpr std::int64_t ms_a_second = 1000;

std::string with_query(std::string url, const form_fields& fields) {
  url += url.find('?') == url.npos ? '?' : '&';
  return url + form_of(fields);
}

// The refusals of OAuth 2.0 and OpenID Connect that mean something to who signs in. Anything else
// may be anybody's text, and is not shown.
std::string sentence_of(std::string_view refusal) {
  if (refusal == "access_denied") return "the provider let you not in, or you did not agree";
  if (refusal == "login_required" || refusal == "interaction_required" ||
      refusal == "consent_required")
    return "the provider asks you to sign in there first";
  if (refusal == "temporarily_unavailable" || refusal == "server_error")
    return "the provider cannot sign anybody in now";
  return "the provider refused the sign-in";
}

}  // namespace

relying_party::relying_party(relying_options options, const secret_string& server_key,
                             http_port ask, std::function<std::int64_t()> now_ms)
    : options_(std::move(options)),
      key_(std::string(bytes_of(hmac_sha256(server_key.reveal(), "soma oidc sign-in v1")))),
      now_ms_(now_ms),
      provider_(options_.provider, std::move(ask), std::move(now_ms)),
      states_(states_kept_max, sign_in_ms_max),
      logouts_(logouts_kept_max, (issued_ago_s_max + 2 * options_.skew_s) * ms_a_second) {}

std::string relying_party::redirect_uri() const {
  return options_.page + "/v1/auth/oidc/callback";
}

token_rules relying_party::rules() const {
  return {options_.provider.issuer, options_.provider.client_id, options_.skew_s};
}

result<relying_party::begun> relying_party::begin(std::string return_to) {
  if (!is_page_path(return_to))
    return error(codes::request_invalid_parameter, "return_to must be a path of the page: /ui/…")
        .about("return_to");
  auto where = provider_.reach();
  if (!where) return where.error();
  const auto mine = pending_sign_in::begin(std::move(return_to), now_ms_());
  std::string scope;
  bool offline = false;
  for (const auto& one : options_.scopes) {
    scope += (scope.empty() ? "" : " ") + one;
    offline = offline || one == "offline_access";
  }
  form_fields asked{{"response_type", "code"},
                    {"client_id", options_.provider.client_id},
                    {"redirect_uri", redirect_uri()},
                    {"scope", scope},
                    {"state", mine.state},
                    {"nonce", mine.nonce},
                    {"code_challenge", mine.challenge()},
                    {"code_challenge_method", "S256"}};
  if (offline) asked.emplace_back("prompt", "consent");  // OpenID Connect Core, 11
  return begun{with_query((*where)->authorization_endpoint, asked), mine.seal(key_)};
}

result<relying_party::ended> relying_party::finish(std::string_view cookie,
                                                   const brought_answer& answer) {
  auto mine = pending_sign_in::unseal(key_, cookie, now_ms_());
  if (!mine) return mine.error();
  if (!constant_time_equal(mine->state, answer.state))
    return error(codes::auth_invalid, "the answer is of another sign-in than this browser's");
  if (!states_.use(mine->state, now_ms_()))
    return error(codes::auth_invalid, "this sign-in has ended already");
  const auto where = provider_.last_seen();
  const bool must_name = where && where->names_itself;
  if ((must_name || !answer.issuer.empty()) && answer.issuer != options_.provider.issuer)
    return error(codes::auth_invalid, "the answer is of another provider");
  if (!answer.refusal.empty()) return error(codes::auth_invalid, sentence_of(answer.refusal));
  if (answer.code.empty() || answer.code.size() > code_bytes_max)
    return error(codes::auth_invalid, "the answer has no code");
  auto got = provider_.trade({{"grant_type", "authorization_code"},
                              {"code", answer.code},
                              {"redirect_uri", redirect_uri()},
                              {"code_verifier", mine->verifier}});
  if (!got) return got.error();
  auto who = identity_in(*got, &mine->nonce);
  if (!who) return who.error();
  return ended{std::move(*who), std::move(mine->return_to)};
}

result<provider_identity> relying_party::identity_in(const tokens& got, const std::string* nonce) {
  auto token = provider_.verify(got.id_token);
  if (!token) return token.error();
  const auto now_s = now_ms_() / ms_a_second;
  if (auto good = judge_id_token(token->claims, token->typ, rules(), nonce, now_s); !good)
    return good.error();
  auto who = map_claims(token->claims, options_.table);
  if (!who) return who.error();
  provider_identity out;
  out.who = std::move(*who);
  out.subject = text_of(token->claims, "sub");
  out.session = text_of(token->claims, "sid");
  if (out.session.size() > subject_bytes_max)
    return error(codes::auth_invalid, "the token's session has too long a name");
  out.id_token = got.id_token;
  out.refresh_token = got.refresh_token;
  return out;
}

result<provider_identity> relying_party::renew(const secret_string& refresh_token,
                                               std::string_view subject) {
  auto got = provider_.trade(
      {{"grant_type", "refresh_token"}, {"refresh_token", std::string(refresh_token.reveal())}});
  if (!got) return got.error();
  if (got->refresh_token.empty()) got->refresh_token = refresh_token;  // it may go on being good
  if (got->id_token.empty()) {
    provider_identity same;
    same.refresh_token = std::move(got->refresh_token);
    return same;
  }
  auto who = identity_in(*got, nullptr);
  if (who && who->subject != subject)
    return error(codes::auth_invalid, "the provider answered about another user");
  return who;
}

result<logout_notice> relying_party::take_logout(std::string_view text) {
  auto token = provider_.verify(text);
  if (!token) return token.error();
  auto said = judge_logout_token(token->claims, token->typ, rules(), now_ms_() / ms_a_second);
  if (said && !logouts_.use(said->jti, now_ms_()))
    return error(codes::auth_invalid, "the token was taken already");
  return said;
}

std::string relying_party::end_session_url(std::string_view id_token) const {
  const auto where = provider_.last_seen();
  if (!where || where->end_session_endpoint.empty()) return {};
  form_fields asked{{"client_id", options_.provider.client_id},
                    {"post_logout_redirect_uri", options_.page + "/ui/index.html"}};
  if (!id_token.empty()) asked.emplace_back("id_token_hint", std::string(id_token));
  return with_query(where->end_session_endpoint, asked);
}

}  // namespace soma::security::oidc
