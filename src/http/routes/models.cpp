// Model profiles, credentials of providers, usage.
#include <boost/json.hpp>
#include <functional>

#include "app/aside.hpp"
#include "app/credentials.hpp"
#include "app/model_profiles.hpp"
#include "app/usage.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t day_ms = 24ll * 3600 * 1000;
constexpr int days_max = 92;
constexpr std::size_t rows_on_io_max = 1000;  // of usage, written on the io thread

response profile_answer(const app::shown_profile& shown, int status = 200) {
  response answer(status, app::profile_json(shown));
  if (!shown.etag.empty()) answer.headers.emplace_back("ETag", shown.etag);
  return answer;
}

response refused(const error& why, request_context& ctx) {
  if (why.code != codes::profile_invalid) return problem(why, ctx);
  const auto field = why.detail.substr(0, why.detail.find(':'));
  std::string quoted;
  json_writer(quoted).string(field);
  return problem(why, ctx, {{"field", quoted}});
}

// ---- profiles ----

asio::awaitable<response> list_profiles(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("profiles").begin_array();
  for (const auto& one : app::list_model_profiles(g.services, ctx.caller))
    w.raw(app::profile_json(one));
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> get_profile(gateway& g, request_context& ctx) {
  auto found = app::find_model_profile(g.services, ctx.caller, ctx.path_parameter("name"));
  if (!found) co_return problem(found.error(), ctx);
  co_return profile_answer(*found);
}

asio::awaitable<response> create_profile(gateway& g, request_context& ctx) {
  auto once = once_key_of(ctx);
  if (!once) co_return problem(once.error(), ctx);
  auto profile = llm::parse_profile(ctx.body, "");
  if (!profile) co_return refused(profile.error(), ctx);
  auto made = co_await app::create_model_profile(g.services, *ctx.admitted, std::move(*once),
                                                 std::move(*profile));
  if (!made) co_return refused(made.error(), ctx);
  auto answer = profile_answer(made->what, 201);
  if (!made->replayed)
    answer.headers.emplace_back("Location", "/v1/model-profiles/" + made->what.profile.name);
  mark_replayed(answer, made->replayed);
  co_return answer;
}

asio::awaitable<response> put_profile(gateway& g, request_context& ctx) {
  auto profile = llm::parse_profile(ctx.body, ctx.path_parameter("name"));
  if (!profile) co_return refused(profile.error(), ctx);
  std::string if_match(ctx.header("if-match"));
  auto stored = co_await app::put_model_profile(g.services, *ctx.admitted, std::move(*profile),
                                                std::move(if_match));
  if (!stored) co_return refused(stored.error(), ctx);
  co_return profile_answer(*stored);
}

asio::awaitable<response> delete_profile(gateway& g, request_context& ctx) {
  std::string name(ctx.path_parameter("name")), if_match(ctx.header("if-match"));
  auto removed = co_await app::delete_model_profile(g.services, *ctx.admitted, std::move(name),
                                                    std::move(if_match));
  if (!removed) co_return problem(removed.error(), ctx);
  co_return response(204);
}

// ---- credentials ----

void write_credential(json_writer& w, const app::credential_view& view) {
  w.field("provider", view.provider).field("fingerprint", view.fingerprint);
  w.field("created_at", format_rfc3339(view.created_at_ms));
  w.field("updated_at", format_rfc3339(view.updated_at_ms));
}

std::string credential_json(const app::credential_view& view) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  write_credential(w, view);
  w.end_object();
  return out;
}

asio::awaitable<response> list_credentials(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("credentials").begin_array();
  for (const auto& view : app::list_credentials(g.services, ctx.caller))
    w.raw(credential_json(view));
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> get_credential(gateway& g, request_context& ctx) {
  auto found = app::find_credential(g.services, ctx.caller, ctx.path_parameter("provider"),
                                    ctx.header("x-internal-token"));
  if (!found) co_return problem(found.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object();
  write_credential(w, found->view);
  if (found->secret) w.field("secret", found->secret->reveal());
  w.end_object();
  co_return answer;
}

asio::awaitable<response> put_credential(gateway& g, request_context& ctx) {
  std::string provider(ctx.path_parameter("provider"));
  secret_string secret(text_of(ctx.json.as_object(), "secret"));
  auto stored = co_await app::put_credential(g.services, admitted_of(ctx), std::move(provider),
                                             std::move(secret));
  if (!stored) co_return problem(stored.error(), ctx);
  co_return response(200, credential_json(*stored));
}

asio::awaitable<response> delete_credential(gateway& g, request_context& ctx) {
  std::string provider(ctx.path_parameter("provider"));
  auto removed = co_await app::delete_credential(g.services, admitted_of(ctx), std::move(provider));
  if (!removed) co_return problem(removed.error(), ctx);
  co_return response(204);
}

// ---- usage ----

void write_report(std::string& out, const app::usage_report& report, std::string_view from,
                  std::string_view to) {
  const auto& now = report.now;
  json_writer w(out);
  w.begin_object().field("from", from).field("to", to).key("rows").begin_array();
  for (const auto& [key, count] : report.rows) {
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
  w.field("waiting", std::uint64_t{report.waiting}).end_object();
  w.key("caps").begin_object().field("tokens_a_day", now.caps.tokens_a_day);
  w.key("cost_usd_a_day").real(now.caps.cost_usd_a_day);
  w.field("concurrent", std::uint64_t{now.caps.concurrent});
  w.field("requests_a_minute", std::uint64_t{now.caps.requests_a_minute}).end_object().end_object();
}

result<app::usage_question> usage_question_in(request_context& ctx) {
  query_reader query(ctx);
  const auto from = query.take("from"), to = query.take("to");
  const auto by = query.take("by").value_or("model");
  if (auto bad = query.rest()) return *bad;
  const auto day = [&](const auto& text, std::int64_t otherwise) {
    return text ? parse_rfc3339(std::string(*text) + "T00:00:00.000Z") : otherwise;
  };
  const auto now = now_ms(), today = now - now % day_ms;
  app::usage_question asked;
  asked.from_ms = day(from, today);
  asked.to_ms = day(to, std::max(today, asked.from_ms));
  if (by == "user") asked.by = app::usage_by::user;
  if (by == "session") asked.by = app::usage_by::session;
  if (asked.from_ms < 0 || asked.to_ms < asked.from_ms ||
      asked.to_ms - asked.from_ms > days_max * day_ms ||
      (by != "model" && by != "user" && by != "session"))
    return error(codes::request_invalid_parameter,
                 "from and to are days, at most 92 apart; by is model, user or session");
  return asked;
}

asio::awaitable<response> get_usage(gateway& g, request_context& ctx) {
  auto asked = usage_question_in(ctx);
  if (!asked) co_return problem(asked.error(), ctx);
  auto report = co_await app::read_usage(g.services, ctx.caller, *asked);
  if (!report) co_return problem(report.error(), ctx);
  const auto from = llm::day_of(asked->from_ms), to = llm::day_of(asked->to_ms);
  auto answer = std::make_shared<response>();
  const bool large = report->rows.size() > rows_on_io_max;
  std::function<result<void>()> write = [answer, told = std::move(*report), from, to] {
    write_report(answer->body, told, from, to);
    return result<void>();
  };
  auto written = result<void>();
  if (large)
    written = co_await app::run_aside(g.services, ctx.caller.tenant, std::move(write));
  else
    written = write();
  if (!written) co_return problem(written.error(), ctx);
  co_return std::move(*answer);
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
