// The face that OpenAI's clients know: chat completions, completions, models, embeddings; the
// Responses API is in routes_responses.cpp. An OpenAI-compatible provider's events go through as
// they came, scanned and not made anew; for another provider they are made from its pieces.
#include <algorithm>
#include <boost/json.hpp>

#include "core/byte_budget.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/problem.hpp"
#include "http/openai/chat_answer.hpp"
#include "http/openai/model_ask.hpp"
#include "http/openai/model_messages.hpp"
#include "http/openai/openai_face.hpp"
#include "http/routes/door.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// As many answers to one request as OpenAI gives.
constexpr std::uint64_t answers_max = 128;

std::string error_frame(const llm::stream_end& how) {
  return raw_frame(openai_error_json(openai_error_of(how)));
}

// Whether a raw event is the one that tells usage, which the caller did not ask for. Only looked
// at, not parsed: inside a string the quotes of a name are escaped.
bool tells_usage_alone(std::string_view data) {
  if (data.find("\"usage\"") == data.npos) return false;
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

std::shared_ptr<openai_writer> raw_chat_writer(bool wants_usage) {
  auto writer = std::make_shared<openai_writer>();
  auto done = std::make_shared<bool>(false);
  writer->piece = [wants_usage, done](const models::model_stream::item& item) {
    if (!wants_usage && tells_usage_alone(item.text)) return std::string();
    *done = *done || item.text.starts_with("[DONE]");
    return raw_frame(item.text);
  };
  writer->end = [done](llm::stream_end& how) {
    if (how.error) return error_frame(how);
    return *done ? std::string() : raw_frame("[DONE]");
  };
  writer->whole = [](models::model_stream::whole& got) { return std::move(got.text); };
  return writer;
}

std::shared_ptr<openai_writer> made_chat_writer(const openai_asked& asked, bool legacy) {
  auto writer = std::make_shared<openai_writer>();
  auto made = std::make_shared<chat_answer>(
      chat_asked{asked.id, asked.model, asked.created_s, asked.wants_usage, legacy});
  writer->piece = [made](const models::model_stream::item& item) {
    return made->piece(item.text, item.thinking);
  };
  writer->end = [made](llm::stream_end& how) {
    if (how.error) return error_frame(how);
    const auto said = format_as_text(how);
    auto bytes = said.empty() ? said : made->piece(said, false);
    return bytes += made->end(how);
  };
  writer->whole = [made](models::model_stream::whole& got) {
    got.text += format_as_text(got.end);
    return made->whole(got.text, got.thinking, got.end);
  };
  return writer;
}

result<void> check_relayed(const json::object& body) {
  const auto* messages = body.if_contains("messages");
  if (!messages || !messages->is_array() || messages->get_array().empty())
    return ask_invalid("messages", "must be an array of messages");
  std::size_t at = 0;
  for (const auto& message : messages->get_array()) {
    const auto where = "messages[" + std::to_string(at++) + "]";
    const auto* o = message.if_object();
    if (!o) return ask_invalid(where, "must be an object");
    if (text_of(*o, "role").empty()) return ask_invalid(where + ".role", "must be a string");
  }
  if (const auto* n = body.if_contains("n"); n && !n->is_null()) {
    boost::system::error_code ec;
    const auto count = n->is_number() ? n->to_number<std::uint64_t>(ec) : 0;
    if (ec || count == 0 || count > answers_max) return ask_invalid("n", "must be from 1 to 128");
  }
  return {};
}

result<llm::call> chat_call(const json::object& body, llm::call c, bool raw, bool legacy) {
  if (raw) {
    if (auto fine = check_relayed(body); !fine) return fine.error();
    std::erase_if(c.fallbacks, [&](const auto& p) { return p.wire != c.target.wire; });
    relay_chat_body(body, c);
    return c;
  }
  auto ask = legacy ? read_completions_ask(body) : read_chat_ask(body);
  if (!ask) return ask.error();
  if (auto put = put_ask(std::move(*ask), c); !put) return put.error();
  return c;
}

asio::awaitable<response> complete(gateway& g, request_context& ctx, bool legacy) {
  auto body = co_await take_openai_body(g, ctx);
  if (!body) co_return problem(body.error(), ctx);
  auto asked = read_openai_asked(*body, legacy ? "cmpl-" : "chatcmpl-");
  if (!asked) co_return problem(asked.error(), ctx);
  auto begun = begin_openai_call(g, ctx, *body);
  if (!begun) co_return problem(begun.error(), ctx);
  const bool raw = !legacy && begun->call.target.wire == llm::wire_kind::openai_chat &&
                   !app::redacts_calls(g.services, ctx.caller);
  auto put = [body = std::move(*body), c = std::move(begun->call), raw, legacy]() mutable {
    return chat_call(body, std::move(c), raw, legacy);
  };
  auto call = co_await for_size(g, ctx, std::move(put));
  if (!call) co_return problem(call.error(), ctx);
  begun->call = std::move(*call);
  auto writer = raw ? raw_chat_writer(asked->wants_usage) : made_chat_writer(*asked, legacy);
  co_return co_await answer_openai(g, ctx, std::move(*begun), raw, asked->streamed,
                                   std::move(writer));
}

asio::awaitable<response> chat(gateway& g, request_context& ctx) {
  return complete(g, ctx, false);
}

asio::awaitable<response> completions(gateway& g, request_context& ctx) {
  return complete(g, ctx, true);
}

bool is_embeddable(const json::value& input) {
  if (input.is_string()) return true;
  const auto* list = input.if_array();
  return list && !list->empty() &&
         std::all_of(list->begin(), list->end(), [](const json::value& one) {
           return one.is_string() || one.is_int64() || one.is_array();
         });
}

// Each piece goes when it is sent.
asio::awaitable<bool> send_document(std::shared_ptr<llm::kept_document> document,
                                    response_stream& out) {
  for (;;) {
    const auto piece = document->take();
    if (piece.empty()) co_return true;
    if (!co_await out.write(piece)) co_return false;
  }
}

asio::awaitable<response> embeddings_answer(std::shared_ptr<models::model_stream> stream,
                                            request_context& ctx) {
  auto item = co_await stream->next();
  const auto document = item.document;
  response answer;
  if (document) {
    answer.produced_bytes = document->size();
    answer.produce = [document](response_stream& out) { return send_document(document, out); };
    item = co_await stream->next();
  } else if (!item.end) {  // said by a server that streams everything
    stream->unread(std::move(item));
    auto got = co_await stream->rest();
    answer.body = std::move(got.text);
    answer.held = std::make_shared<byte_budget::share>(std::move(got.counted));
    item.end = std::move(got.end);
  }
  if (item.end->error) co_return problem(openai_error_of(*item.end), ctx);
  co_return answer;
}

asio::awaitable<response> embeddings(gateway& g, request_context& ctx) {
  auto body = co_await take_openai_body(g, ctx);
  if (!body) co_return problem(body.error(), ctx);
  auto asked = read_openai_asked(*body, "");
  if (!asked) co_return problem(asked.error(), ctx);
  const auto* input = body->if_contains("input");
  if (!input || !is_embeddable(*input))
    co_return problem(ask_invalid("input", "must be text or an array of texts or tokens"), ctx);
  auto begun = begin_openai_call(g, ctx, *body);
  if (!begun) co_return problem(begun.error(), ctx);
  auto& call = begun->call;
  if (call.target.wire == llm::wire_kind::anthropic)
    co_return problem(ask_unsupported("model", "is of a provider that has no embeddings"), ctx);
  call.fallbacks.clear();  // vectors of another model mean something else
  call.purpose = llm::purpose::embeddings;
  body->erase("model");
  body->erase("base_url");
  auto write = [body = std::move(*body)] { return result<std::string>(json::serialize(body)); };
  auto written = co_await for_size(g, ctx, std::move(write));
  if (!written) co_return problem(written.error(), ctx);
  call.raw_body = std::move(*written);
  const bool warn = begun->warn;
  const auto tie = tie_to_caller(g, ctx);
  auto stream = app::start_call(g.services, admitted_of(ctx), std::move(*begun), true, tie);
  if (!stream) co_return problem(stream.error(), ctx);
  auto answer = co_await embeddings_answer(std::move(*stream), ctx);
  warn_if(answer, warn);
  co_return answer;
}

// ---- models ----

void write_model(json_writer& w, const llm::model_profile& profile) {
  w.begin_object().field("id", profile.name).field("object", "model");
  w.field("created", std::uint64_t{0}).field("owned_by", profile.provider).end_object();
}

asio::awaitable<response> models(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("object", "list").key("data").begin_array();
  for (const auto& profile : app::list_models(g.services, ctx.caller)) write_model(w, profile);
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> model(gateway& g, request_context& ctx) {
  const auto profile = app::find_model(g.services, ctx.caller, ctx.path_parameter("model"));
  if (!profile) co_return problem(profile.error(), ctx);
  response answer;
  json_writer w(answer.body);
  write_model(w, *profile);
  co_return answer;
}

}  // namespace

void add_openai_routes(router& routes, gateway& g) {
  add_operation(routes, g, "openai_chat", chat);
  add_operation(routes, g, "openai_completions", completions);
  add_operation(routes, g, "openai_embeddings", embeddings);
  add_operation(routes, g, "openai_models", models);
  add_operation(routes, g, "openai_model", model);
  add_responses_routes(routes, g);
}

}  // namespace soma::http
