// The audit: its records, one of them, all of them, and the signed head.
#include "app/audit.hpp"

#include <charconv>

#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t list_usual = 50, list_max = 200, value_bytes_max = 256;
constexpr std::size_t time_size = 24;

// As records have it; "2026-11-30T12:00:00Z" is a whole second. Empty where it cannot be read.
std::string time_of(std::string_view text) {
  std::string whole(text);
  if (whole.size() == time_size - 4 && whole.ends_with('Z')) whole.insert(whole.size() - 1, ".000");
  const auto ms = parse_rfc3339(whole);
  return ms < 0 ? std::string() : format_rfc3339(ms);
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || value == 0) return std::nullopt;
  return value;
}

result<app::audit_filter> filter_in(query_reader& query) {
  app::audit_filter wanted;
  struct {
    std::string_view name;
    std::string& to;
    bool is_time;
  } const all[] = {{"from", wanted.from, true},
                   {"to", wanted.to, true},
                   {"who", wanted.who, false},
                   {"what", wanted.what, false},
                   {"session_id", wanted.session_id, false},
                   {"request_id", wanted.request_id, false}};
  for (const auto& one : all) {
    const auto given = query.take(one.name);
    if (!given) continue;
    one.to = one.is_time ? time_of(*given) : std::string(*given);
    if (one.to.empty() || one.to.size() > value_bytes_max) return unreadable_parameter(one.name);
  }
  return wanted;
}

asio::awaitable<response> list_audit(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  auto wanted = filter_in(query);
  const auto limit = query.take("limit"), cursor = query.take("cursor");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (!wanted) co_return problem(wanted.error(), ctx);
  auto rows = number_in(limit, "limit", list_usual, list_max);
  if (!rows) co_return problem(rows.error(), ctx);
  const auto before = cursor ? number_of(*cursor) : std::optional<std::uint64_t>(0);
  if (!before) co_return problem(unreadable_parameter("cursor"), ctx);
  auto page = co_await app::list_audit(g.services, ctx.caller, std::move(*wanted), *before, *rows);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("records").begin_array();
  for (const auto& line : page->lines) w.raw(line);
  w.end_array().key("next_cursor");
  if (page->next_before == 0)
    w.null();
  else
    w.string(std::to_string(page->next_before));
  w.end_object();
  co_return answer;
}

asio::awaitable<response> get_audit_record(gateway& g, request_context& ctx) {
  const auto seq = number_of(ctx.path_parameter("seq"));
  auto found = co_await app::find_audit_record(g.services, ctx.caller, seq.value_or(0));
  if (!found) co_return problem(found.error(), ctx);
  co_return response(200, std::move(*found));
}

asio::awaitable<response> get_audit_head(gateway& g, request_context& ctx) {
  auto head = co_await app::audit_head_now(g.services, ctx.caller);
  if (!head) co_return problem(head.error(), ctx);
  co_return response(200, std::move(*head));
}

asio::awaitable<response> export_audit(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  auto wanted = filter_in(query);
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (!wanted) co_return problem(wanted.error(), ctx);
  auto lines = co_await app::export_audit(g.services, ctx.caller, std::move(*wanted));
  if (!lines) co_return problem(lines.error(), ctx);
  response answer;
  answer.content_type = "application/x-ndjson";
  answer.headers.emplace_back("Content-Disposition", "attachment; filename=\"audit.ndjson\"");
  answer.produce = [lines = *lines](response_stream& out) { return send_pieces(lines, out); };
  co_return answer;
}

}  // namespace

void add_audit_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_audit", list_audit);
  add_operation(routes, g, "export_audit", export_audit);
  add_operation(routes, g, "get_audit_head", get_audit_head);
  add_operation(routes, g, "get_audit_record", get_audit_record);
}

}  // namespace soma::http
