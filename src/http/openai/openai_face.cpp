#include "http/openai/openai_face.hpp"

#include <boost/json.hpp>

#include "core/byte_budget.hpp"
#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_text.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/openai/model_ask.hpp"
#include "http/routes/door.hpp"
#include "models/egress_denial.hpp"

namespace soma::http {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

result<json::object> parse_body(std::string_view text) {
  if (!utf8_valid(text)) return error(codes::request_malformed_json, "the body is not UTF-8");
  json::parse_options options;
  options.max_depth = limits::http_json_depth_max;
  boost::system::error_code ec;
  auto value = parse_foreign_json(text, ec, options);
  if (ec) return error(codes::request_malformed_json, "the body is not JSON: " + ec.message());
  if (!value.is_object()) return error(codes::request_invalid, "the body is not a JSON object");
  return std::move(value.get_object());
}

}  // namespace

asio::awaitable<result<json::object>> take_openai_body(gateway& g, request_context& ctx) {
  const auto type = ctx.header("Content-Type");
  if (!iequals(trim(type.substr(0, type.find(';'))), "application/json"))
    co_return error(codes::request_unsupported_media_type, "This route takes application/json");
  if (ctx.body.size() <= openai_inline_bytes_max) co_return parse_body(ctx.body);
  // A copy: the request may be gone before the work is done.
  auto parse = [text = std::string(ctx.body)] { return parse_body(text); };
  co_return co_await for_size(g, ctx, std::move(parse));
}

result<openai_asked> read_openai_asked(const json::object& body, std::string_view id_prefix) {
  openai_asked asked;
  asked.model = text_of(body, "model");
  if (asked.model.empty()) return ask_invalid("model", "must be the name of a model");
  auto streamed = bool_member(body, "stream", "stream");
  if (!streamed) return streamed.error();
  asked.streamed = streamed->value_or(false);
  const auto* value = body.if_contains("stream_options");
  if (value && !value->is_null()) {
    const auto* options = value->if_object();
    if (!options) return ask_invalid("stream_options", "must be an object");
    auto usage = bool_member(*options, "include_usage", "stream_options.include_usage");
    if (!usage) return usage.error();
    asked.wants_usage = usage->value_or(false);
  }
  auto id = new_uuid();
  std::erase(id, '-');
  asked.id = std::string(id_prefix) + id;
  asked.created_s = static_cast<std::uint64_t>(now_ms() / 1000);
  return asked;
}

result<app::prepared_call> begin_openai_call(gateway& g, request_context& ctx,
                                             const json::object& body) {
  return app::prepare_call_to(g.services, admitted_of(ctx), text_of(body, "model"),
                              body.contains("base_url"));
}

error openai_error_of(const llm::stream_end& how) {
  const auto& why = *how.error;
  const auto seconds = static_cast<int>((how.retry_after_ms + 999) / 1000);
  if (why.code == codes::llm_bad_request && how.refused_status == 404)
    return error(codes::profile_not_found, why.detail).about("model");
  return models::with_rule({known_code(why.code), why.detail, seconds});
}

std::string raw_frame(std::string_view data, std::string_view event) {
  std::string frame;
  frame.reserve(data.size() + event.size() + 20);
  if (!event.empty()) frame.append("event: ").append(event).append("\n");
  frame += "data: ";
  for (auto line = data.find('\n'); line != data.npos; line = data.find('\n')) {
    frame.append(data.substr(0, line)).append("\ndata: ");
    data.remove_prefix(line + 1);
  }
  return frame.append(data).append("\n\n");
}

namespace {

struct relay {
  std::shared_ptr<models::model_stream> stream;
  std::shared_ptr<openai_writer> writer;
  models::model_stream::item first;
};

asio::awaitable<bool> send(std::shared_ptr<relay> r, response_stream& out) {
  models::model_stream::item item = std::move(r->first);
  std::string bytes = r->writer->begin ? r->writer->begin() : std::string();
  for (;;) {
    bytes += item.end ? r->writer->end(*item.end) : r->writer->piece(item);
    if (!bytes.empty()) {
      const bool sent = co_await out.write(bytes);
      if (!sent) co_return false;
    }
    if (item.end) co_return true;
    bytes.clear();
    item = co_await r->stream->next();
  }
}

asio::awaitable<response> whole(std::shared_ptr<relay> r, request_context& ctx) {
  r->stream->unread(std::move(r->first));
  auto got = co_await r->stream->rest();
  if (got.end.error) co_return problem(openai_error_of(got.end), ctx);
  response answer(200, r->writer->whole(got));
  answer.held = std::make_shared<byte_budget::share>(std::move(got.counted));
  co_return answer;
}

}  // namespace

asio::awaitable<response> answer_openai(gateway& g, request_context& ctx, app::prepared_call begun,
                                        bool raw, bool streamed,
                                        std::shared_ptr<openai_writer> writer) {
  const bool warn = begun.warn;
  auto stream =
      app::start_call(g.services, admitted_of(ctx), std::move(begun), raw, tie_to_caller(g, ctx));
  if (!stream) co_return problem(stream.error(), ctx);
  auto r = std::make_shared<relay>();
  r->stream = std::move(*stream);
  r->writer = std::move(writer);
  r->first = co_await r->stream->next();
  // What fails before anything was said is an answer like any other.
  if (r->first.end && r->first.end->error) co_return problem(openai_error_of(*r->first.end), ctx);
  if (!streamed) {
    auto answer = co_await whole(r, ctx);
    warn_if(answer, warn);
    co_return answer;
  }
  response answer;
  warn_if(answer, warn);
  answer.content_type = "text/event-stream";
  answer.headers.emplace_back("X-Accel-Buffering", "no");
  // OpenAI's SDK on Node 18 takes the whole answer of a connection that is kept for a cut one
  // (node-fetch 2 looks for listeners that this Node leaves on it).
  answer.close = ctx.header("x-stainless-runtime-version").starts_with("v18.");
  answer.produce = [r](response_stream& out) { return send(r, out); };
  co_return answer;
}

}  // namespace soma::http
