#include "node/oidc.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "node/secrets.hpp"
#include "observability/log.hpp"
#include "outbox/http_client.hpp"
#include "tools/egress/url_guard.hpp"
#include "tools/egress/web_request.hpp"

namespace soma {
namespace {

namespace oidc = security::oidc;

constexpr std::size_t renewed_at_once = 64;
constexpr std::int64_t ms_a_second = 1000, renewal_pause_s_max = 60;

error wrong(const char* key, const std::string& why) {
  return {codes::config_invalid, std::string(key) + ": " + why};
}

// Scheme and authority of a URL, and what comes behind them.
std::pair<std::string, std::string> parted(std::string_view url) {
  const auto begin = url.find("://") + 3;
  const auto end = std::min(url.find_first_of("/?", begin), url.size());
  return {std::string(url.substr(0, end)), std::string(url.substr(end))};
}

std::uint16_t port_of(std::string_view origin) {
  const auto colon = origin.rfind(':');
  std::uint16_t port = 0;
  const auto text = origin.substr(colon + 1);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? port : 443;
}

oidc::token_auth token_auth_of(const std::string& name) {
  if (name == "client_secret_basic") return oidc::token_auth::basic;
  if (name == "client_secret_post") return oidc::token_auth::post;
  return oidc::token_auth::automatic;
}

}  // namespace

// The issuer is the operator's word, and may be at home. What its documents name elsewhere is the
// provider's, and may be nowhere but on the public net, over TLS.
class node_oidc::asker {
 public:
  // `ca_file`: of who signs certificates at home; empty: as everywhere.
  asker(std::string_view issuer, std::int64_t deadline_ms, std::string ca_file)
      : home_(parted(issuer).first),
        deadline_ms_(deadline_ms),
        at_home_(home_, secret_string(), std::move(ca_file)) {}

  oidc::http_reply ask(const oidc::http_request& what) {
    const auto [origin, path] = parted(what.url);
    return origin == home_ ? ask_home(path, what) : ask_elsewhere(origin, what);
  }

  void stop() {
    stopped_ = true;
    at_home_.stop();
  }

 private:
  oidc::http_reply ask_home(const std::string& path, const oidc::http_request& what) {
    std::vector<std::pair<std::string, std::string>> headers;
    if (!what.authorization.empty()) headers.emplace_back("Authorization", what.authorization);
    auto got = what.form.empty() ? at_home_.get(path, deadline_ms_, oidc::answer_bytes_max)
                                 : at_home_.post_form(path, what.form, headers, deadline_ms_,
                                                      oidc::answer_bytes_max);
    return {got.status, std::move(got.body), std::move(got.why)};
  }

  oidc::http_reply ask_elsewhere(const std::string& origin, const oidc::http_request& what) {
    if (!origin.starts_with("https:")) return {0, {}, "it names an address without TLS"};
    tools::url_rules rules;
    rules.ports = {port_of(origin)};
    const auto where = tools::judge_url(what.url, nullptr, rules);
    if (!where) return {0, {}, "it names an address that is not asked: " + where.error().detail};
    tools::web_request asked;
    asked.headers = {{"Accept", "application/json"}};
    if (!what.form.empty()) {
      asked.method = "POST";
      asked.body = what.form;
      asked.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    }
    if (!what.authorization.empty())
      asked.headers.emplace_back("Authorization", what.authorization);
    asked.body_bytes_max = oidc::answer_bytes_max;
    asked.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms_);
    asked.given_up = [this] { return stopped_.load(); };
    auto got = tools::ask_web(*where, asked, tools::is_public_host);
    if (!got) return {0, {}, got.error().detail};
    if (got->truncated) return {0, {}, "its answer is too long"};
    return {got->status, std::move(got->body), {}};
  }

  const std::string home_;
  const std::int64_t deadline_ms_;
  outbox::http_client at_home_;
  std::atomic<bool> stopped_{false};
};

result<std::optional<oidc::relying_options>> oidc_options_of(const config& settings) {
  const auto& issuer = settings.text("oidc.issuer");
  if (issuer.empty()) return std::optional<oidc::relying_options>();
  if (!oidc::is_issuer(issuer))
    return wrong("oidc.issuer", "must be https:// with a host (http:// on loopback), and no query");
  oidc::relying_options out;
  out.provider.issuer = issuer;
  out.provider.client_id = settings.text("oidc.client_id");
  if (out.provider.client_id.empty())
    return wrong("oidc.client_id", "what this server is called at the provider");
  const auto secret = settings.secret("oidc.client_secret").reveal();
  out.provider.client_secret = secret_string(std::string(secret));
  out.provider.token_auth = token_auth_of(settings.text("oidc.token_auth"));
  out.provider.fresh_ms =
      2 * settings.number("oidc.health_s") * ms_a_second + settings.number("oidc.timeout_ms");
  out.provider.jwks_refetch_ms = settings.number("oidc.jwks_refetch_s") * ms_a_second;
  out.scopes = settings.list("oidc.scopes");
  if (std::find(out.scopes.begin(), out.scopes.end(), "openid") == out.scopes.end())
    return wrong("oidc.scopes", "must have openid");
  out.page = settings.text("server.web_ui_base_url");
  if (out.page.empty()) out.page = settings.text("server.base_url");
  while (out.page.ends_with('/')) out.page.pop_back();
  if (!oidc::is_issuer(out.page))
    return wrong("server.base_url",
                 "oidc.issuer needs the address where the provider sends browsers back to: https, "
                 "or http on loopback");
  out.skew_s = settings.number("oidc.skew_s");
  auto table =
      oidc::read_claim_table(settings.list("oidc.tenants"), settings.list("oidc.admins"),
                             settings.text("oidc.groups_claim"), settings.text("oidc.user_claim"),
                             settings.text("oidc.user_prefix"));
  if (!table) return table.error();
  if (table->tenants.empty())
    return wrong("oidc.tenants", "says who comes in, and to which tenant: nobody would");
  out.table = std::move(*table);
  return std::optional(std::move(out));
}

node_oidc::kept::kept(const config& settings, oidc::relying_options options, node_store& store,
                      std::vector<secret_string> keys)
    : http(std::make_unique<asker>(options.provider.issuer, settings.number("oidc.timeout_ms"),
                                   settings.text("oidc.ca_file"))),
      party(
          std::move(options), store.server_key(),
          [asking = http.get()](const oidc::http_request& what) { return asking->ask(what); },
          now_ms),
      services{party, settings.text("oidc.name"), std::move(keys),
               settings.number("oidc.session_h") * 3600 * ms_a_second,
               app::lane(app::provider_sign_in::threads,
                         static_cast<std::size_t>(settings.number("oidc.waiting_max")))} {}

result<std::unique_ptr<node_oidc>> node_oidc::open(const config& settings, node_store& store) {
  auto options = oidc_options_of(settings);
  if (!options) return options.error();
  auto keys = encryption_keys(settings);
  if (!keys) return keys.error();
  std::unique_ptr<node_oidc> made(new node_oidc(settings));
  if (*options) made->kept_.emplace(settings, std::move(**options), store, std::move(*keys));
  return made;
}

node_oidc::node_oidc(const config& settings) : settings_(settings) {}

node_oidc::~node_oidc() {
  stop();
}

app::provider_sign_in* node_oidc::services() {
  return kept_ ? &kept_->services : nullptr;
}

void node_oidc::start(app::services& s) {
  if (kept_) thread_ = std::thread([this, &s] { run(s); });
}

void node_oidc::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (kept_) kept_->http->stop();
  if (thread_.joinable()) thread_.join();
}

void node_oidc::run(app::services& s) {
  using clock = std::chrono::steady_clock;
  const std::chrono::seconds look_every(settings_.number("oidc.health_s"));
  const auto refresh_s = settings_.number("oidc.refresh_s");
  const std::chrono::seconds renew_every(
      std::clamp<std::int64_t>(refresh_s / 10, 1, renewal_pause_s_max));
  auto next_look = clock::now(), next_renewal = clock::now() + renew_every;
  bool was_there = true;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    if (clock::now() >= next_look) {
      kept_->party.look();
      const auto trouble = kept_->party.trouble();
      if (trouble.empty() != was_there)
        log(trouble.empty() ? log_level::info : log_level::warn, "oidc.provider",
            {{"issuer", kept_->party.issuer()}, {"trouble", trouble}});
      was_there = trouble.empty();
      next_look = clock::now() + look_every;
    }
    if (refresh_s > 0 && clock::now() >= next_renewal) {
      (void)app::renew_provider_sign_ins(s, refresh_s * ms_a_second, renewed_at_once);
      next_renewal = clock::now() + renew_every;
    }
    lock.lock();
    const auto next = refresh_s > 0 ? std::min(next_look, next_renewal) : next_look;
    wake_.wait_until(lock, next, [this] { return stopping_; });
  }
}

}  // namespace soma
