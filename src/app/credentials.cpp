#include "app/credentials.hpp"

#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "app/tenant_notices.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "models/llm_gateway.hpp"
#include "security/digest.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

error no_credential() {
  return {codes::credential_not_found, "nothing is stored for this provider"};
}

bool is_provider(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == name.npos;
}

bool is_internal(const services& s, std::string_view token) {
  const auto& own = s.settings.secret("auth.internal_token");
  return !own.empty() && security::constant_time_equal(own.reveal(), token);
}

// Whoever asked for the text of one, with the token that gives it or a wrong one.
void record_reading(services& s, const caller& who, std::string_view provider,
                    std::string_view outcome, std::string_view why) {
  security::audit_record r;
  r.what = "credential.read";
  r.operation = "get_credential";
  r.door = to_string(who.door);
  r.outcome = outcome;
  r.why = why;
  r.resource = provider;
  r.tenant_id = who.tenant.value;
  r.user_id = who.user.value;
  r.role = to_string(who.role);
  r.key_id = who.key_id;
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  s.tools.audit.record(r);
}

}  // namespace

// Servers of tools have theirs in the same vault, under names that no provider can have.
std::vector<credential_view> list_credentials(services& s, const caller& who) {
  auto all = s.llm.vault().list(who.tenant);
  std::erase_if(all, [](const credential_view& one) { return !is_provider(one.provider); });
  return all;
}

result<found_credential> find_credential(services& s, const caller& who, std::string_view provider,
                                         std::string_view internal_token) {
  if (!internal_token.empty() && !is_internal(s, internal_token) && is_provider(provider))
    record_reading(s, who, provider, "denied", codes::auth_invalid);
  auto view = s.llm.vault().view(who.tenant, provider);
  if (!view || !is_provider(provider)) return no_credential();
  found_credential found;
  found.view = std::move(*view);
  if (is_internal(s, internal_token)) {
    auto secret = s.llm.vault().open(who.tenant, provider);
    record_reading(s, who, provider, secret ? "done" : "failed",
                   secret ? std::string_view() : secret.error().code);
    if (!secret) return secret.error();
    found.secret = std::move(*secret);
  }
  return found;
}

asio::awaitable<result<credential_view>> put_credential(services& s, const admitted& in,
                                                        std::string provider,
                                                        secret_string secret) {
  if (!is_provider(provider))
    co_return error(codes::request_invalid,
                    "a provider is named by a-z, 0-9, dots, dashes, underscores");
  auto put = [&vault = s.llm.vault(), tenant = in.who().tenant, provider,
              kept = std::make_shared<const secret_string>(std::move(secret))] {
    return vault.put(tenant, provider, *kept, now_ms());
  };
  auto stored = co_await on_writes(s, in.who().tenant, put);
  if (stored) s.notices.settings_changed(in.who().tenant);
  co_return stored;
}

asio::awaitable<result<void>> delete_credential(services& s, const admitted& in,
                                                std::string provider) {
  const auto tenant = in.who().tenant;
  if (!is_provider(provider) || !s.llm.vault().view(tenant, provider)) co_return no_credential();
  auto remove = [&vault = s.llm.vault(), tenant, provider] {
    return vault.remove(tenant, provider);
  };
  auto removed = co_await on_writes(s, tenant, remove);
  if (removed) s.notices.settings_changed(tenant);
  co_return removed;
}

}  // namespace soma::app
