// Model calls over HTTP: invoke, its stream, and the test of a profile.
#include <boost/json.hpp>
#include <chrono>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/problem.hpp"
#include "http/openai/model_messages.hpp"
#include "http/routes/door.hpp"
#include "models/llm_gateway.hpp"
#include "models/model_lock.hpp"
#include "models/model_stream.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t listed_models_max = 500;
constexpr std::uint32_t test_tokens = 16;

error error_of(const failure& why, const llm::stream_end& how) {
  return {known_code(why.code), why.detail, static_cast<int>((how.retry_after_ms + 999) / 1000)};
}

// What of the request does not count. A model counts where a profile of the tenant has it.
std::string_view not_counting(gateway& g, const request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const auto* given = body.if_contains("overrides");
  const auto* overrides = given ? given->if_object() : nullptr;
  if (body.contains("base_url") || (overrides && overrides->contains("base_url")))
    return "base_url";
  const auto model = overrides ? text_of(*overrides, "model") : std::string();
  return model.empty() || g.services.llm.models().knows_model(ctx.caller.tenant, model) ? ""
                                                                                        : "model";
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
  const auto idle = not_counting(g, ctx);
  auto warn = models::judge_lock(g.services.llm, llm_caller_of(ctx.caller), idle);
  if (!warn) return warn.error();
  auto call = g.services.llm.prepare(ctx.caller.tenant,
                                     {text_of(body, "profile"), text_of(body, "role"), {}});
  if (!call) return call.error();
  const auto model = call->target.model;
  if (auto read = read_invoke_body(body, *call); !read) return read.error();
  if (idle == "model") call->target.model = model;
  auto stream = start_model(g, ctx, std::move(*call), false);
  if (!stream) return stream.error();
  return begun_call{std::move(*stream), *warn};
}

asio::awaitable<response> invoke(gateway& g, request_context& ctx) {
  auto begun = begin(g, ctx);
  if (!begun) co_return problem(begun.error(), ctx);
  const auto got = co_await begun->stream->rest();
  const auto& how = got.end;
  if (how.error) co_return problem(error_of(*how.error, how), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("content", got.text).field_if("thinking", got.thinking);
  write_end(w, how);
  w.end_object();
  warn_if(answer, begun->warn);
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

// What helps, for a person who set the profile up.
std::string diagnosis(const failure& why) {
  if (why.code == codes::llm_auth)
    return "The provider refuses the key: store the right one for this provider.";
  if (why.code == codes::llm_unreachable)
    return "The address cannot be reached: check base_url, the network and the provider's "
           "certificate. " +
           why.detail;
  if (why.code == codes::llm_bad_request && why.detail.find("404") != std::string::npos)
    return "The provider knows no such model, or base_url lacks its path: check model and "
           "base_url. " +
           why.detail;
  if (why.code == codes::llm_rate_limited)
    return "The provider's limit is reached; the profile itself works. " + why.detail;
  if (why.code == codes::llm_bad_stream)
    return "What answers there is no model API of this kind: check base_url and kind. " +
           why.detail;
  if (why.code == codes::llm_timeout_first_token)
    return "The provider took the request and said nothing in time. " + why.detail;
  return why.detail;
}

// A document beside the answers; empty where the provider has none.
asio::awaitable<std::string> document_of(gateway& g, request_context& ctx, llm::call c,
                                         llm::purpose what) {
  c.purpose = what;
  auto stream = start_model(g, ctx, std::move(c), true);
  if (!stream) co_return std::string();
  auto got = co_await (*stream)->rest();
  if (got.end.error) got.text.clear();
  co_return std::move(got.text);
}

// What the provider says it offers; empty where it does not tell.
std::vector<std::string> models_in(const std::string& document) {
  std::vector<std::string> ids;
  boost::system::error_code ec;
  const auto value = json::parse(document, ec);
  const auto* object = ec ? nullptr : value.if_object();
  const auto* data = object ? object->if_contains("data") : nullptr;
  if (!data || !data->is_array()) return ids;
  for (const auto& entry : data->get_array())
    if (entry.is_object() && ids.size() < listed_models_max)
      if (auto id = text_of(entry.get_object(), "id"); !id.empty()) ids.push_back(std::move(id));
  return ids;
}

// Learns how large the model's context is, where its server tells; llama.cpp and Ollama run where
// people test them, and tell it in documents of their own.
asio::awaitable<void> learn_window(gateway& g, request_context& ctx, llm::call c,
                                   const std::string& list) {
  const auto base_url = c.target.base_url, model = c.target.model;
  auto told = llm::window_in_list(list, model);
  if (told.tokens == 0 && c.target.provider == "local") {
    const auto properties = co_await document_of(g, ctx, c, llm::purpose::properties);
    told = llm::window_in_props(properties);
    if (told.tokens == 0) {
      const auto description = co_await document_of(g, ctx, c, llm::purpose::description);
      told = llm::window_in_description(description);
    }
  }
  g.services.llm.models().learn_window(base_url, model, told);
}

// Whether asking for the list of models is worth another wait.
bool answers_at_all(const failure& why) {
  return why.code != codes::llm_unreachable && why.code != codes::llm_auth &&
         why.code != codes::llm_timeout_first_token && why.code != codes::llm_timeout_total &&
         why.code != codes::llm_circuit_open;
}

struct test_outcome {
  std::optional<failure> failed;
  std::uint64_t latency_ms = 0, first_token_ms = 0;
};

asio::awaitable<test_outcome> try_model(models::model_stream& stream) {
  using namespace std::chrono;
  const auto begin = steady_clock::now();
  test_outcome outcome;
  for (;;) {
    auto item = co_await stream.next();
    outcome.latency_ms = static_cast<std::uint64_t>(
        duration_cast<milliseconds>(steady_clock::now() - begin).count());
    if (outcome.first_token_ms == 0)
      outcome.first_token_ms = std::max<std::uint64_t>(1, outcome.latency_ms);
    if (!item.end) continue;
    outcome.failed = item.end->error;
    co_return outcome;
  }
}

asio::awaitable<response> test_profile(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  auto call = g.services.llm.prepare(ctx.caller.tenant,
                                     {text_of(body, "profile"), text_of(body, "role"), {}});
  if (!call) co_return problem(call.error(), ctx);
  call->fallbacks.clear();  // this profile, not what stands in for it
  call->retries = 0;
  const auto target = call->target;
  auto listing = *call;
  call->messages.push_back({"user", "Say ok.", {}, {}});
  if (!call->target.max_tokens) call->target.max_tokens = test_tokens;
  auto stream = start_model(g, ctx, std::move(*call), false);
  if (!stream) co_return problem(stream.error(), ctx);
  const auto outcome = co_await try_model(**stream);
  std::vector<std::string> models;
  if (!outcome.failed || answers_at_all(*outcome.failed)) {
    const auto list = co_await document_of(g, ctx, listing, llm::purpose::model_list);
    models = models_in(list);
    co_await learn_window(g, ctx, std::move(listing), list);
  }
  response answer;
  json_writer w(answer.body);
  w.begin_object().field_bool("ok", !outcome.failed).field("profile", target.name);
  w.field("provider", target.provider).field("model", target.model);
  w.field("base_url", target.base_url).field("latency_ms", outcome.latency_ms);
  if (outcome.failed) {
    w.field("code", outcome.failed->code).field("diagnosis", diagnosis(*outcome.failed));
  } else {
    w.field("first_token_ms", outcome.first_token_ms);
  }
  if (!models.empty()) {
    w.key("models").begin_array();
    for (const auto& id : models) w.string(id);
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
