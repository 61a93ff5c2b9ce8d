// POST /v1/responses, without a memory of its own: each request brings its conversation. A provider
// that speaks the Responses API is asked as the caller asked; for another the events are made.
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/problem.hpp"
#include "http/openai/model_ask.hpp"
#include "http/openai/model_messages.hpp"
#include "http/openai/openai_face.hpp"
#include "http/openai/responses_answer.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// The name of an event is the type that its data says.
std::string type_of(std::string_view data) {
  boost::system::error_code ec;
  const auto value = json::parse({data.data(), data.size()}, ec);
  const auto* o = ec ? nullptr : value.if_object();
  auto type = o ? text_of(*o, "type") : std::string();
  return type.find_first_of("\r\n") == type.npos ? type : std::string();
}

std::shared_ptr<openai_writer> raw_writer() {
  auto writer = std::make_shared<openai_writer>();
  writer->piece = [](const models::model_stream::item& item) {
    return raw_frame(item.text, type_of(item.text));
  };
  writer->end = [](llm::stream_end& how) {
    if (!how.error) return std::string();
    const auto why = openai_error_of(how);
    std::string data;
    json_writer w(data);
    w.begin_object().field("type", "error").field("code", openai_code_of(why.code));
    w.field("message", why.detail).key("param").null().end_object();
    return raw_frame(data, "error");
  };
  writer->whole = [](models::model_stream::whole& got) { return std::move(got.text); };
  return writer;
}

std::shared_ptr<openai_writer> made_writer(const openai_asked& asked, const json::object& body) {
  auto writer = std::make_shared<openai_writer>();
  auto made = std::make_shared<responses_answer>(asked.id, asked.model, asked.created_s, body);
  writer->begin = [made] { return made->begin(); };
  writer->piece = [made](const models::model_stream::item& item) {
    return made->piece(item.text, item.thinking);
  };
  writer->end = [made](llm::stream_end& how) {
    const auto said = how.error ? std::string() : format_as_text(how);
    auto bytes = said.empty() ? said : made->piece(said, false);
    return bytes += made->end(how);
  };
  writer->whole = [made](models::model_stream::whole& got) {
    got.text += format_as_text(got.end);
    return made->whole(got.text, got.thinking, got.end);
  };
  return writer;
}

result<llm::call> response_call(const json::object& body, llm::call c, bool raw) {
  if (raw) {
    const auto* input = body.if_contains("input");
    if (!input || (!input->is_string() && !input->is_array()))
      return ask_invalid("input", "must be text or an array of items");
    std::erase_if(c.fallbacks, [&](const auto& p) { return p.wire != c.target.wire; });
    if (auto put = relay_responses_body(body, c); !put) return put.error();
    return c;
  }
  auto ask = read_responses_ask(body);
  if (!ask) return ask.error();
  if (auto put = put_ask(std::move(*ask), c); !put) return put.error();
  return c;
}

asio::awaitable<response> respond(gateway& g, request_context& ctx) {
  auto read = co_await take_openai_body(g, ctx);
  if (!read) co_return problem(read.error(), ctx);
  auto asked = read_openai_asked(*read, "resp_");
  if (!asked) co_return problem(asked.error(), ctx);
  auto begun = begin_openai_call(g, ctx, *read);
  if (!begun) co_return problem(begun.error(), ctx);
  const bool raw = begun->call.target.wire == llm::wire_kind::openai_responses &&
                   !app::redacts_calls(g.services, ctx.caller);
  auto body = std::make_shared<json::object>(std::move(*read));
  auto put = [body, raw, c = std::move(begun->call)]() mutable {
    return response_call(*body, std::move(c), raw);
  };
  auto call = co_await for_size(g, ctx, std::move(put));
  if (!call) co_return problem(call.error(), ctx);
  begun->call = std::move(*call);
  auto writer = raw ? raw_writer() : made_writer(*asked, *body);
  body.reset();
  co_return co_await answer_openai(g, ctx, std::move(*begun), raw, asked->streamed,
                                   std::move(writer));
}

}  // namespace

void add_responses_routes(router& routes, gateway& g) {
  add_operation(routes, g, "openai_responses", respond);
}

}  // namespace soma::http
