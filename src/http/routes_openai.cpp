// The face that OpenAI's clients know: chat completions, models, embeddings. An OpenAI-compatible
// provider's events go through as they came, scanned and not made anew; for another provider they
// are made from its pieces.
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/gateway.hpp"
#include "http/llm_gateway.hpp"
#include "http/model_lock.hpp"
#include "http/model_messages.hpp"
#include "http/model_stream.hpp"
#include "http/problem.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

bool flag_of(const json::object& o, std::string_view name) {
  const auto* value = o.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

error error_of(const failure& why, const llm::stream_end& how) {
  return {known_code(why.code), why.detail, static_cast<int>((how.retry_after_ms + 999) / 1000)};
}

// What of the request does not count, for the model lock.
std::string_view not_counting(const json::object& body, bool knows_model) {
  return body.contains("base_url") ? "base_url" : knows_model ? "" : "model";
}

// A model that no profile has is played by the role's own.
wanted_model wanted_of(const std::string& model, bool known, const char* role) {
  wanted_model wanted;
  (known ? wanted.model : wanted.role) = known ? model : role;
  return wanted;
}

struct asked_chat {
  json::object body;
  bool streamed = false, wants_usage = false;
  std::string id = "chatcmpl-" + new_uuid(), model;
  std::uint64_t created_s = static_cast<std::uint64_t>(now_ms() / 1000);
};

result<json::object> read_body(const request_context& ctx) {
  json::parse_options options;
  options.max_depth = limits::http_json_depth_max;
  boost::system::error_code ec;
  auto value = json::parse({ctx.body.data(), ctx.body.size()}, ec, {}, options);
  if (ec || !value.is_object())
    return error(codes::request_malformed_json, "the body is not a JSON object");
  return std::move(value.get_object());
}

result<asked_chat> read_chat(const request_context& ctx) {
  auto body = read_body(ctx);
  if (!body) return body.error();
  asked_chat asked;
  asked.body = std::move(*body);
  asked.model = text_of(asked.body, "model");
  if (asked.model.empty()) return error(codes::request_invalid, "model: must be a string");
  const auto* messages = asked.body.if_contains("messages");
  if (!messages || !messages->is_array() || messages->get_array().empty())
    return error(codes::request_invalid, "messages: must be an array of messages");
  if (const auto* n = asked.body.if_contains("n"); n && !n->is_null() && *n != 1)
    return error(codes::request_invalid, "n: only one answer is given");
  asked.streamed = flag_of(asked.body, "stream");
  if (const auto* options = asked.body.if_contains("stream_options");
      options && options->is_object())
    asked.wants_usage = flag_of(options->get_object(), "include_usage");
  return asked;
}

// ---- a provider that is no OpenAI-compatible one ----

class chunk_maker {
 public:
  explicit chunk_maker(const asked_chat& asked) : asked_(asked) {}

  std::string piece(const model_stream::item& item) {
    return chunk([&](json_writer& w) {
      if (first_) w.field("role", "assistant");
      first_ = false;
      w.field(item.thinking ? "reasoning_content" : "content", item.text);
    });
  }
  std::string end(const llm::stream_end& how) {
    std::string out;
    if (!how.tool_calls.empty())
      out += chunk([&](json_writer& w) { write_calls(w, how.tool_calls, true); });
    out += chunk([](json_writer&) {}, how.finish_reason);
    if (asked_.wants_usage) {
      std::string data;
      json_writer w(data);
      head(w, "chat.completion.chunk").key("choices").begin_array().end_array();
      write_usage(w, how.usage);
      w.end_object();
      out += "data: " + data + "\n\n";
    }
    return out + "data: [DONE]\n\n";
  }
  std::string whole(const std::string& text, const std::string& thinking,
                    const llm::stream_end& how) {
    std::string data;
    json_writer w(data);
    head(w, "chat.completion").key("choices").begin_array().begin_object();
    w.field("index", std::uint64_t{0}).key("message").begin_object().field("role", "assistant");
    if (text.empty() && !how.tool_calls.empty())
      w.key("content").null();
    else
      w.field("content", text);
    w.field_if("reasoning_content", thinking);
    if (!how.tool_calls.empty()) write_calls(w, how.tool_calls, false);
    w.end_object().field("finish_reason", how.finish_reason).key("logprobs").null().end_object();
    w.end_array();
    write_usage(w, how.usage);
    w.end_object();
    return data;
  }

 private:
  json_writer& head(json_writer& w, std::string_view kind) {
    return w.begin_object()
        .field("id", asked_.id)
        .field("object", kind)
        .field("created", asked_.created_s)
        .field("model", asked_.model);
  }
  template <class Delta>
  std::string chunk(Delta delta, std::string_view reason = {}) {
    std::string data;
    json_writer w(data);
    head(w, "chat.completion.chunk").key("choices").begin_array().begin_object();
    w.field("index", std::uint64_t{0}).key("delta").begin_object();
    delta(w);
    w.end_object().key("finish_reason");
    if (reason.empty())
      w.null();
    else
      w.string(reason);
    w.end_object().end_array().end_object();
    return "data: " + data + "\n\n";
  }
  static void write_calls(json_writer& w, const std::vector<tool_invocation>& calls,
                          bool numbered) {
    w.key("tool_calls").begin_array();
    std::uint64_t index = 0;
    for (const auto& call : calls) {
      w.begin_object();
      if (numbered) w.field("index", index++);
      w.field("id", call.provider_call_id).field("type", "function");
      w.key("function").begin_object().field("name", call.tool_id);
      w.field("arguments", call.inputs_json).end_object().end_object();
    }
    w.end_array();
  }
  static void write_usage(json_writer& w, const soma::usage& used) {
    w.key("usage").begin_object().field("prompt_tokens", used.prompt_tokens);
    w.field("completion_tokens", used.completion_tokens);
    w.field("total_tokens", used.prompt_tokens + used.completion_tokens);
    w.key("prompt_tokens_details").begin_object();
    w.field("cached_tokens", used.cached_tokens).end_object();
    w.key("completion_tokens_details").begin_object();
    w.field("reasoning_tokens", used.reasoning_tokens).end_object().end_object();
  }

  const asked_chat& asked_;
  bool first_ = true;
};

std::string error_frame(const failure& why) {
  std::string data;
  json_writer w(data);
  w.begin_object().key("error").begin_object().field("message", why.detail);
  w.field("type", "api_error")
      .key("param")
      .null()
      .field("code", why.code)
      .end_object()
      .end_object();
  return "data: " + data + "\n\n";
}

// Whether a raw event is the one that tells usage, which the caller did not ask for. Only looked
// at, not parsed: inside a string the quotes of a name are escaped.
bool is_unwanted_usage(const asked_chat& asked, std::string_view data) {
  if (asked.wants_usage || data.find("\"usage\"") == data.npos) return false;
  constexpr std::string_view name = "\"choices\"", space = " \t\r\n";
  auto at = data.find(name);
  if (at == data.npos) return false;
  at += name.size();
  for (const char expected : {':', '[', ']'}) {
    at = data.find_first_not_of(space, at);
    if (at == data.npos || data[at++] != expected) return false;
  }
  return true;
}

// An event as it came; what was given over several lines stays so.
std::string raw_frame(std::string_view data) {
  std::string frame = "data: ";
  frame.reserve(data.size() + 8);
  for (auto line = data.find('\n'); line != data.npos; line = data.find('\n')) {
    frame.append(data.substr(0, line)).append("\ndata: ");
    data.remove_prefix(line + 1);
  }
  return frame.append(data).append("\n\n");
}

struct chat_relay {
  asked_chat asked;
  bool raw = false;
  std::shared_ptr<model_stream> stream;
  model_stream::item first;
};

asio::awaitable<bool> send_chat(std::shared_ptr<chat_relay> relay, response_stream& out) {
  chunk_maker chunks(relay->asked);
  model_stream::item item = std::move(relay->first);
  bool done = false;
  for (;;) {
    std::string bytes;
    if (item.end) {
      if (item.end->error)
        bytes = error_frame(*item.end->error);
      else if (!relay->raw)
        bytes = chunks.end(*item.end);
      else if (!done)
        bytes = "data: [DONE]\n\n";
      co_return bytes.empty() || co_await out.write(bytes);
    }
    if (!relay->raw) {
      bytes = chunks.piece(item);
    } else if (!is_unwanted_usage(relay->asked, item.text)) {
      done = item.text.starts_with("[DONE]");
      bytes = raw_frame(item.text);
    }
    if (!bytes.empty()) {
      const bool sent = co_await out.write(bytes);
      if (!sent) co_return false;
    }
    item = co_await relay->stream->next();
  }
}

asio::awaitable<response> answer_whole(std::shared_ptr<chat_relay> relay, request_context& ctx) {
  relay->stream->unread(std::move(relay->first));
  auto got = co_await relay->stream->rest();
  const auto& how = got.end;
  if (how.error) co_return problem(error_of(*how.error, how), ctx);
  if (relay->raw) co_return response(200, std::move(got.text));
  chunk_maker chunks(relay->asked);
  co_return response(200, chunks.whole(got.text, got.thinking, how));
}

asio::awaitable<response> chat(gateway& g, request_context& ctx) {
  auto asked = read_chat(ctx);
  if (!asked) co_return problem(asked.error(), ctx);
  const bool known = g.llm.models().knows(ctx.identity.tenant, asked->model);
  auto warn = judge_lock(g, ctx, not_counting(asked->body, known));
  if (!warn) co_return problem(warn.error(), ctx);
  auto call = g.llm.prepare(ctx.identity.tenant, wanted_of(asked->model, known, "dialogue"));
  if (!call) co_return problem(call.error(), ctx);
  auto relay = std::make_shared<chat_relay>();
  relay->asked = std::move(*asked);
  // Fallbacks of another kind would be sent a body they do not understand.
  relay->raw = call->target.wire == llm::wire_kind::openai_chat;
  std::erase_if(call->fallbacks, [&](const llm::profile& p) {
    return (p.wire == llm::wire_kind::openai_chat) != relay->raw;
  });
  if (relay->raw) {
    relay_chat_body(relay->asked.body, *call);
  } else if (auto read = read_chat_body(relay->asked.body, *call); !read) {
    co_return problem(read.error(), ctx);
  }
  auto stream = model_stream::start(g, ctx, std::move(*call), relay->raw);
  if (!stream) co_return problem(stream.error(), ctx);
  relay->stream = std::move(*stream);
  relay->first = co_await relay->stream->next();
  if (relay->first.end && relay->first.end->error)
    co_return problem(error_of(*relay->first.end->error, *relay->first.end), ctx);
  if (!relay->asked.streamed) {
    auto whole = co_await answer_whole(relay, ctx);
    warn_if(whole, *warn);
    co_return whole;
  }
  response answer;
  warn_if(answer, *warn);
  answer.content_type = "text/event-stream";
  answer.headers.emplace_back("X-Accel-Buffering", "no");
  // OpenAI's SDK on Node 18 takes the whole answer of a connection that is kept for a cut one
  // (node-fetch 2 looks for listeners that this Node leaves on it).
  answer.close = ctx.header("x-stainless-runtime-version").starts_with("v18.");
  answer.produce = [relay](response_stream& out) { return send_chat(relay, out); };
  co_return answer;
}

asio::awaitable<response> embeddings(gateway& g, request_context& ctx) {
  auto body = read_body(ctx);
  if (!body) co_return problem(body.error(), ctx);
  const auto model = text_of(*body, "model");
  if (model.empty() || !body->contains("input"))
    co_return problem(error(codes::request_invalid, "model and input must be there"), ctx);
  const bool known = g.llm.models().knows(ctx.identity.tenant, model);
  auto warn = judge_lock(g, ctx, not_counting(*body, known));
  if (!warn) co_return problem(warn.error(), ctx);
  auto call = g.llm.prepare(ctx.identity.tenant, wanted_of(model, known, "embed"));
  if (!call) co_return problem(call.error(), ctx);
  if (call->target.wire == llm::wire_kind::anthropic)
    co_return problem(error(codes::request_invalid, "model: this provider has no embeddings"), ctx);
  call->fallbacks.clear();  // vectors of another model mean something else
  call->purpose = llm::purpose::embeddings;
  body->erase("model");
  body->erase("base_url");
  call->raw_body = json::serialize(*body);
  auto stream = model_stream::start(g, ctx, std::move(*call), true);
  if (!stream) co_return problem(stream.error(), ctx);
  auto got = co_await (*stream)->rest();
  if (got.end.error) co_return problem(error_of(*got.end.error, got.end), ctx);
  response answer(200, std::move(got.text));
  warn_if(answer, *warn);
  co_return answer;
}

asio::awaitable<response> models(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("object", "list").key("data").begin_array();
  for (const auto& listed : g.llm.models().list(ctx.identity.tenant)) {
    if (!listed.profile.enabled) continue;
    w.begin_object().field("id", listed.profile.name).field("object", "model");
    w.field("created", std::uint64_t{0}).field("owned_by", listed.profile.provider).end_object();
  }
  w.end_array().end_object();
  co_return answer;
}

}  // namespace

void add_openai_routes(router& routes, gateway& g) {
  const auto add = [&](http::verb v, std::string pattern, std::string id,
                       asio::awaitable<response> (*run)(gateway&, request_context&)) {
    routes.add({.verb = v,
                .pattern = std::move(pattern),
                .operation_id = std::move(id),
                .handler = [&g, run](request_context& ctx) { return run(g, ctx); },
                .body = v == verb::post ? body_mode::whole : body_mode::none,
                .openai_errors = true});
  };
  add(verb::post, "/v1/chat/completions", "openai_chat", chat);
  add(verb::post, "/v1/embeddings", "openai_embeddings", embeddings);
  add(verb::get, "/v1/models", "openai_models", models);
}

}  // namespace soma::http
