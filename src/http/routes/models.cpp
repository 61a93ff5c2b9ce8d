// Model profiles, credentials of providers, usage.
#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/stream/tenant_stream.hpp"
#include "models/llm_gateway.hpp"
#include "models/usage_store.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t day_ms = 24ll * 3600 * 1000;
constexpr int days_max = 92;

std::string profile_json(const gateway& g, const models::listed_profile& listed) {
  auto shown = listed.profile;
  shown.context_window = g.services.llm.models().window_of(shown);
  shown.says_window = true;
  auto text = llm::to_json(shown);
  text.pop_back();
  return text + ",\"source\":\"" + (listed.from_configuration ? "configuration" : "tenant") + "\"}";
}

response profile_answer(const gateway& g, const models::listed_profile& listed, int status = 200) {
  response answer(status, profile_json(g, listed));
  answer.headers.emplace_back("ETag", listed.etag);
  return answer;
}

response refused(const error& why, request_context& ctx) {
  if (why.code != codes::profile_invalid) return problem(why, ctx);
  const auto field = why.detail.substr(0, why.detail.find(':'));
  std::string quoted;
  json_writer(quoted).string(field);
  return problem(why, ctx, {{"field", quoted}});
}

void tell(gateway& g, request_context& ctx) {
  publish_tenant_event(g.services.node.feeds, ctx.caller.tenant, "settings.changed", "{}");
}

// ---- profiles ----

asio::awaitable<response> list_profiles(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("profiles").begin_array();
  for (const auto& one : g.services.llm.models().list(ctx.caller.tenant))
    w.raw(profile_json(g, one));
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> get_profile(gateway& g, request_context& ctx) {
  auto found = g.services.llm.models().get(ctx.caller.tenant, ctx.path_parameter("name"));
  if (!found) co_return problem(found.error(), ctx);
  co_return profile_answer(g, *found);
}

asio::awaitable<result<models::listed_profile>> store_profile(
    gateway& g, request_context& ctx, std::string name, models::model_registry::condition only) {
  auto parsed = llm::parse_profile(ctx.body, name);
  if (!parsed) co_return parsed.error();
  auto& models = g.services.llm.models();
  if (!models.private_allowed() && llm::detect_provider(parsed->base_url) == "local")
    co_return error(codes::profile_invalid,
                    "base_url: addresses of this machine and of private networks are not allowed "
                    "here (llm.allow_private_base_urls)");
  const auto tenant = ctx.caller.tenant;
  auto put = [&models, tenant, profile = std::move(*parsed), only] {
    return models.put(tenant, profile, only);
  };
  co_return co_await app::on_lane(g.services.lanes.writes, put);
}

asio::awaitable<response> create_profile(gateway& g, request_context& ctx) {
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) {
    response kept(201, gate->replay->response_json);
    mark_replayed(kept, *gate);
    co_return kept;
  }
  models::model_registry::condition only;
  only.fresh = true;
  const std::string as_in_the_body;
  auto stored = co_await store_profile(g, ctx, as_in_the_body, only);
  if (!stored) co_return refused(stored.error(), ctx);
  auto answer = profile_answer(g, *stored, 201);
  answer.headers.emplace_back("Location", "/v1/model-profiles/" + stored->profile.name);
  if (!gate->key.empty()) {
    auto record = g.services.idempotency.record_of(*gate, 201, answer.body);
    auto keep = [log = &g.services.node.log, record] { return log->put_idempotency(record); };
    (void)co_await app::on_lane(g.services.lanes.writes, keep);
  }
  tell(g, ctx);
  co_return answer;
}

asio::awaitable<response> put_profile(gateway& g, request_context& ctx) {
  models::model_registry::condition only;
  only.if_match = ctx.header("if-match");
  const std::string name(ctx.path_parameter("name"));
  auto stored = co_await store_profile(g, ctx, name, only);
  if (!stored) co_return refused(stored.error(), ctx);
  tell(g, ctx);
  co_return profile_answer(g, *stored);
}

asio::awaitable<response> delete_profile(gateway& g, request_context& ctx) {
  models::model_registry::condition only;
  only.if_match = ctx.header("if-match");
  auto remove = [&models = g.services.llm.models(), tenant = ctx.caller.tenant,
                 name = std::string(ctx.path_parameter("name")),
                 only] { return models.remove(tenant, name, only); };
  auto removed = co_await app::on_lane(g.services.lanes.writes, remove);
  if (!removed) co_return problem(removed.error(), ctx);
  tell(g, ctx);
  co_return response(204);
}

// ---- credentials ----

void write_credential(json_writer& w, const security::credential_view& view) {
  w.field("provider", view.provider).field("fingerprint", view.fingerprint);
  w.field("created_at", format_rfc3339(view.created_at_ms));
  w.field("updated_at", format_rfc3339(view.updated_at_ms));
}

std::string credential_json(const security::credential_view& view) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  write_credential(w, view);
  w.end_object();
  return out;
}

error no_credential() {
  return {codes::credential_not_found, "nothing is stored for this provider"};
}

bool is_provider(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == name.npos;
}

asio::awaitable<response> list_credentials(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("credentials").begin_array();
  for (const auto& view : g.services.llm.vault().list(ctx.caller.tenant))
    if (is_provider(view.provider)) w.raw(credential_json(view));
  w.end_array().end_object();
  co_return answer;
}

bool has_internal_token(const gateway& g, const request_context& ctx) {
  const auto& token = g.services.settings.secret("auth.internal_token");
  return !token.empty() &&
         security::constant_time_equal(token.reveal(), ctx.header("x-internal-token"));
}

asio::awaitable<response> get_credential(gateway& g, request_context& ctx) {
  const auto provider = ctx.path_parameter("provider");
  const auto view = g.services.llm.vault().view(ctx.caller.tenant, provider);
  if (!view || !is_provider(provider)) co_return problem(no_credential(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object();
  write_credential(w, *view);
  if (has_internal_token(g, ctx)) {
    auto secret = g.services.llm.vault().open(ctx.caller.tenant, provider);
    if (!secret) co_return problem(secret.error(), ctx);
    if (*secret) w.field("secret", (*secret)->reveal());
  }
  w.end_object();
  co_return answer;
}

asio::awaitable<response> put_credential(gateway& g, request_context& ctx) {
  const std::string provider(ctx.path_parameter("provider"));
  if (!is_provider(provider))
    co_return problem(
        error(codes::request_invalid, "a provider is named by a-z, 0-9, dots, dashes, underscores"),
        ctx);
  auto secret = std::make_shared<const secret_string>(
      std::string(ctx.json.as_object().at("secret").as_string()));
  auto put = [&vault = g.services.llm.vault(), tenant = ctx.caller.tenant, provider, secret] {
    return vault.put(tenant, provider, *secret, now_ms());
  };
  auto stored = co_await app::on_lane(g.services.lanes.writes, put);
  if (!stored) co_return problem(stored.error(), ctx);
  tell(g, ctx);
  co_return response(200, credential_json(*stored));
}

asio::awaitable<response> delete_credential(gateway& g, request_context& ctx) {
  const std::string provider(ctx.path_parameter("provider"));
  if (!is_provider(provider) || !g.services.llm.vault().view(ctx.caller.tenant, provider))
    co_return problem(no_credential(), ctx);
  auto remove = [&vault = g.services.llm.vault(), tenant = ctx.caller.tenant, provider] {
    return vault.remove(tenant, provider);
  };
  auto removed = co_await app::on_lane(g.services.lanes.writes, remove);
  if (!removed) co_return problem(removed.error(), ctx);
  tell(g, ctx);
  co_return response(204);
}

// ---- usage ----

// What one question may read: a lane to the store is held meanwhile.
constexpr std::size_t usage_rows_max = 200'000;

using usage_rows = std::vector<std::pair<llm::usage_key, llm::usage_count>>;

struct usage_question {
  tenant_id tenant;
  std::int64_t from_ms = 0, to_ms = 0;
  bool users = false, sessions = false;
  std::string only_user;  // empty: everybody's
};

result<usage_rows> read_usage(const storage::event_log& log, const usage_question& q) {
  std::map<llm::usage_key, llm::usage_count> sums;
  std::size_t read = 0;
  for (auto at = q.from_ms; at <= q.to_ms; at += day_ms) {
    auto rows =
        models::usage_store::rows(log, q.tenant, llm::day_of(at), usage_rows_max + 1 - read);
    if (!rows) return rows.error();
    if ((read += rows->size()) > usage_rows_max)
      return error(codes::request_invalid_parameter,
                   "there is more usage in that range than one answer adds up: ask for fewer days")
          .about("from");
    for (auto& [key, count] : *rows) {
      if (!q.only_user.empty() && key.user != q.only_user) continue;
      if (!q.users) key.user.clear();
      if (!q.sessions) key.session.clear();
      sums[key] += count;
    }
  }
  return usage_rows(sums.begin(), sums.end());
}

void write_report(std::string& out, const usage_rows& rows, const llm::usage_ledger::standing& now,
                  std::size_t waiting, std::string_view from, std::string_view to) {
  json_writer w(out);
  w.begin_object().field("from", from).field("to", to).key("rows").begin_array();
  for (const auto& [key, count] : rows) {
    auto counts = llm::to_json(count);
    std::string row;
    json_writer r(row);
    r.begin_object().field("day", key.day).field_if("user_id", key.user);
    r.field_if("session_id", key.session).field("provider", key.provider);
    r.field("model", key.model);
    w.raw(row + ',' + counts.substr(1));
  }
  w.end_array().key("today").begin_object().field("tokens", now.today.tokens());
  w.key("cost_usd").real(now.today.cost_usd);
  w.field("in_flight", std::uint64_t{now.in_flight});
  w.field("waiting", std::uint64_t{waiting}).end_object();
  w.key("caps").begin_object().field("tokens_a_day", now.caps.tokens_a_day);
  w.key("cost_usd_a_day").real(now.caps.cost_usd_a_day);
  w.field("concurrent", std::uint64_t{now.caps.concurrent});
  w.field("requests_a_minute", std::uint64_t{now.caps.requests_a_minute}).end_object().end_object();
}

asio::awaitable<response> get_usage(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto now = now_ms();
  const auto from = query.take("from"), to = query.take("to");
  const auto by = query.take("by").value_or("model");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  const auto day = [&](const auto& text, std::int64_t otherwise) {
    return text ? parse_rfc3339(std::string(*text) + "T00:00:00.000Z") : otherwise;
  };
  const auto today = now - now % day_ms;
  const auto from_ms = day(from, today), to_ms = day(to, std::max(today, from_ms));
  if (from_ms < 0 || to_ms < from_ms || to_ms - from_ms > days_max * day_ms ||
      (by != "model" && by != "user" && by != "session"))
    co_return problem(error(codes::request_invalid_parameter,
                            "from and to are days, at most 92 apart; by is model, user or session"),
                      ctx);
  usage_question q{ctx.caller.tenant, from_ms, to_ms, by != "model", by == "session", {}};
  // Who did what is for admins; others see that of themselves.
  if (q.users && ctx.caller.role != app::role::admin) q.only_user = ctx.caller.user.value;
  auto read = [log = &g.services.node.log, q] { return read_usage(*log, q); };
  auto rows = co_await app::on_lane(g.services.lanes.longer, read);
  if (!rows) co_return problem(rows.error(), ctx);
  response answer;
  const auto waiting = g.services.llm.places().waiting_of(ctx.caller.tenant.value);
  write_report(answer.body, *rows, g.services.llm.ledger().of(ctx.caller.tenant, now), waiting,
               llm::day_of(from_ms), llm::day_of(to_ms));
  co_return answer;
}

}  // namespace

void add_model_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_model_profiles", list_profiles);
  add_operation(routes, g, "create_model_profile", create_profile);
  add_operation(routes, g, "get_model_profile", get_profile);
  add_operation(routes, g, "put_model_profile", put_profile);
  add_operation(routes, g, "delete_model_profile", delete_profile);
  add_operation(routes, g, "list_credentials", list_credentials);
  add_operation(routes, g, "get_credential", get_credential);
  add_operation(routes, g, "put_credential", put_credential);
  add_operation(routes, g, "delete_credential", delete_credential);
  add_operation(routes, g, "get_usage", get_usage);
}

}  // namespace soma::http
