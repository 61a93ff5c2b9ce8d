// Model calls over HTTP: invoke, its stream, and the test of a profile.
#include <boost/json.hpp>

#include "app/model_calls.hpp"
#include "app/profile_test.hpp"
#include "core/byte_budget.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/problem.hpp"
#include "http/openai/model_messages.hpp"
#include "http/routes/door.hpp"
#include "models/egress_denial.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

error error_of(const failure& why, const llm::stream_end& how) {
  const auto seconds = static_cast<int>((how.retry_after_ms + 999) / 1000);
  return models::with_rule({known_code(why.code), why.detail, seconds});
}

app::wanted_profile wanted_in(const json::object& body) {
  const auto* given = body.if_contains("overrides");
  const auto* overrides = given ? given->if_object() : nullptr;
  app::wanted_profile wanted{text_of(body, "profile"), text_of(body, "role"), {}, false};
  if (overrides) wanted.model = text_of(*overrides, "model");
  wanted.names_base_url =
      body.contains("base_url") || (overrides && overrides->contains("base_url"));
  return wanted;
}

void write_usage(json_writer& w, const soma::usage& used) {
  w.key("usage").begin_object().field("prompt_tokens", used.prompt_tokens);
  w.field("completion_tokens", used.completion_tokens);
  if (used.cached_tokens > 0) w.field("cached_tokens", used.cached_tokens);
  if (used.reasoning_tokens > 0) w.field("reasoning_tokens", used.reasoning_tokens);
  if (used.cost_usd) w.key("cost_usd").real(*used.cost_usd);
  w.end_object();
}

void write_end(json_writer& w, const llm::stream_end& how) {
  if (!how.tool_calls.empty()) {
    w.key("tool_calls").begin_array();
    for (const auto& call : how.tool_calls) {
      w.begin_object().field("id", call.provider_call_id).field("name", call.tool_id);
      w.key("inputs").raw(call.inputs_json).end_object();
    }
    w.end_array();
  }
  write_usage(w, how.usage);
  w.field("finish_reason", how.error ? "error" : how.finish_reason).field("profile", how.profile);
  w.field("provider", how.provider).field("model", how.model);
  w.field("attempts", std::uint64_t{how.attempts});
}

struct begun_call {
  std::shared_ptr<models::model_stream> stream;
  bool warn = false;
};

result<begun_call> begin(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  auto prepared = app::prepare_call(g.services, admitted_of(ctx), wanted_in(body));
  if (!prepared) return prepared.error();
  if (auto read = read_invoke_body(body, prepared->call); !read) return read.error();
  const bool warn = prepared->warn;
  auto stream = app::start_call(g.services, admitted_of(ctx), std::move(*prepared), false,
                                tie_to_caller(g, ctx));
  if (!stream) return stream.error();
  return begun_call{std::move(*stream), warn};
}

asio::awaitable<response> invoke(gateway& g, request_context& ctx) {
  auto begun = begin(g, ctx);
  if (!begun) co_return problem(begun.error(), ctx);
  auto got = co_await begun->stream->rest();
  const auto& how = got.end;
  if (how.error) co_return problem(error_of(*how.error, how), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("content", got.text).field_if("thinking", got.thinking);
  write_end(w, how);
  w.end_object();
  warn_if(answer, begun->warn);
  answer.held = std::make_shared<byte_budget::share>(std::move(got.counted));
  co_return answer;
}

// ---- the stream ----

std::string frame(std::string_view event, std::string_view data) {
  std::string out = "event: ";
  return out.append(event).append("\ndata: ").append(data).append("\n\n");
}

struct offsets {
  std::uint64_t text = 0, thinking = 0;

  std::string delta(const models::model_stream::item& item) {
    auto& at = item.thinking ? thinking : text;
    std::string data;
    json_writer w(data);
    w.begin_object().field("offset", at);
    w.field(item.thinking ? "thinking" : "text", item.text).end_object();
    at += item.text.size();
    return frame("llm.delta", data);
  }
};

std::string complete_frame(const llm::stream_end& how) {
  std::string data;
  json_writer w(data);
  w.begin_object();
  write_end(w, how);
  if (how.error) {
    w.key("error").begin_object().field("code", how.error->code);
    w.field("detail", how.error->detail).field_bool("retryable", how.error->retryable).end_object();
  }
  w.end_object();
  return frame("llm.complete", data);
}

asio::awaitable<bool> send_stream(std::shared_ptr<models::model_stream> stream,
                                  models::model_stream::item first, response_stream& out) {
  offsets at;
  models::model_stream::item item = std::move(first);
  while (!item.end) {
    const auto bytes = at.delta(item);
    if (!co_await out.write(bytes)) co_return false;
    item = co_await stream->next();
  }
  const auto bytes = complete_frame(*item.end);
  co_return co_await out.write(bytes);
}

asio::awaitable<response> invoke_stream(gateway& g, request_context& ctx) {
  auto begun = begin(g, ctx);
  if (!begun) co_return problem(begun.error(), ctx);
  auto first = co_await begun->stream->next();
  // What fails before anything was said is an answer like any other.
  if (first.end && first.end->error)
    co_return problem(error_of(*first.end->error, *first.end), ctx);
  response answer;
  answer.content_type = "text/event-stream";
  answer.headers.emplace_back("X-Accel-Buffering", "no");
  warn_if(answer, begun->warn);
  auto kept = std::make_shared<models::model_stream::item>(std::move(first));
  answer.produce = [stream = begun->stream, kept](response_stream& out) {
    return send_stream(stream, std::move(*kept), out);
  };
  co_return answer;
}

// ---- the test of a profile ----

asio::awaitable<response> test_profile(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const auto tie = tie_to_caller(g, ctx);
  auto test = co_await app::test_profile(g.services, admitted_of(ctx), text_of(body, "profile"),
                                         text_of(body, "role"), tie);
  if (!test) co_return problem(test.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field_bool("ok", !test->failed).field("profile", test->target.name);
  w.field("provider", test->target.provider).field("model", test->target.model);
  w.field("base_url", test->target.base_url).field("latency_ms", test->latency_ms);
  if (test->failed)
    w.field("code", test->failed->code).field("diagnosis", test->diagnosis);
  else
    w.field("first_token_ms", test->first_token_ms);
  if (!test->models.empty()) {
    w.key("models").begin_array();
    for (const auto& id : test->models) w.string(id);
    w.end_array();
  }
  w.end_object();
  co_return answer;
}

}  // namespace

void add_llm_routes(router& routes, gateway& g) {
  add_operation(routes, g, "llm_invoke", invoke);
  add_operation(routes, g, "llm_invoke_stream", invoke_stream);
  add_operation(routes, g, "llm_test", test_profile);
}

}  // namespace soma::http
