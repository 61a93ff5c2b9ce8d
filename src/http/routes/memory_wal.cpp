// Between two sites: the log of memories is read by another, and applied here.
#include "app/memory_wal.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t position_bytes_max = 64;

asio::awaitable<response> read_memory_log(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto after = query.take("after"), goes_on = query.take("follow");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (after && (after->empty() || after->size() > position_bytes_max))
    co_return problem(unreadable_parameter("after"), ctx);
  auto follow = goes_on ? flag_of(goes_on, "follow") : result<bool>(true);
  if (!follow) co_return problem(follow.error(), ctx);
  app::wal_question asked;
  if (after && *after != "start") asked.after = *after;
  asked.goes_on = *follow;
  asked.stopping = [&g] { return g.stopping.load(); };
  auto lines = co_await app::read_memory_log(g.services, ctx.caller, std::move(asked));
  if (!lines) co_return problem(lines.error(), ctx);
  response answer;
  answer.content_type = "application/x-ndjson";
  answer.headers.emplace_back("X-Accel-Buffering", "no");
  answer.produce = [lines = *lines](response_stream& out) { return send_pieces(lines, out); };
  co_return answer;
}

bool flag_in(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  return value && value->as_bool();
}

result<app::replica_batch> batch_of(const json::object& body) {
  app::replica_batch out;
  out.log = text_of(body, "log");
  out.after = out.position = text_of(body, "after");
  out.anew = flag_in(body, "anew");
  const auto now = now_ms();
  if (const auto* lines = body.if_contains("lines"))
    for (const auto& line : lines->as_array())
      if (auto ok = memory::add_line(out, line.as_string(), now); !ok) return ok.error();
  return out;
}

asio::awaitable<response> apply_memory_log(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  if (flag_in(body, "end")) {
    auto log = text_of(body, "log");
    auto ended = co_await app::end_memory_log(g.services, admitted_of(ctx), std::move(log));
    if (!ended) co_return problem(ended.error(), ctx);
    co_return response(200, R"({"position":"","applied":0,"left_alone":0,"gone":0})");
  }
  auto batch = batch_of(body);
  if (!batch) co_return problem(batch.error(), ctx);
  auto done = co_await app::apply_memory_log(g.services, admitted_of(ctx), std::move(*batch));
  if (!done) co_return problem(done.error(), ctx);
  response answer;
  json_writer(answer.body)
      .begin_object()
      .field("position", done->position)
      .field("applied", done->applied)
      .field("left_alone", done->left_alone)
      .field("gone", done->gone)
      .end_object();
  co_return answer;
}

}  // namespace

void add_memory_log_routes(router& routes, gateway& g) {
  add_operation(routes, g, "read_memory_log", read_memory_log);
  add_operation(routes, g, "apply_memory_log", apply_memory_log);
}

}  // namespace soma::http
