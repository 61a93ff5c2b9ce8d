#include "tools/builtin/http_fetch.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <chrono>
#include <utility>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "tools/builtin/call.hpp"
#include "tools/builtin/page_text.hpp"
#include "tools/builtin/text_stream.hpp"
#include "tools/egress/web_request.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;
using clock = std::chrono::steady_clock;

constexpr int redirects_max = 5;
constexpr std::size_t told_headers_max = 32, told_header_bytes_max = 1024;
// Of the output, for all but the body.
constexpr std::size_t around_body_bytes = 8192;

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Those that say how the message is framed or to whom it goes are ours to set.
bool may_be_set(const std::string& name) {
  for (const char* ours : {"host", "content-length", "transfer-encoding", "connection", "upgrade",
                           "te", "trailer", "expect", "keep-alive", "accept-encoding"})
    if (name == ours) return false;
  return !name.starts_with("proxy-") && !name.empty() &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

result<header_list> headers_of(const json::object& inputs) {
  header_list out{{"User-Agent", "SomaAgent"}, {"Accept", "*/*"}};
  const auto* given = inputs.if_contains("headers");
  if (!given || !given->is_object()) return out;
  for (const auto& [key, value] : given->get_object()) {
    const auto name = lower(std::string(key));
    if (!may_be_set(name) || !value.is_string())
      return error{codes::tool_invalid_inputs, "the header " + name + " cannot be set"};
    const std::string text(value.get_string());
    if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; }))
      return error{codes::tool_invalid_inputs, "the header " + name + " has a control character"};
    std::erase_if(out, [&](const auto& known) { return lower(known.first) == name; });
    out.emplace_back(std::string(key), text);
  }
  return out;
}

bool is_redirect(const web_answer& answer) {
  const int s = answer.status;
  return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) &&
         !answer.header("location").empty();
}

// Another host gets nothing that was meant for the first.
void adapt(web_request& request, int status, bool other_host) {
  if (status == 303 || (status <= 302 && request.method == "POST")) {
    if (request.method != "HEAD") request.method = "GET";
    request.body.clear();
    std::erase_if(request.headers, [](const auto& h) { return lower(h.first) == "content-type"; });
  }
  if (other_host)
    std::erase_if(request.headers, [](const auto& h) {
      const auto name = lower(h.first);
      return name != "user-agent" && name != "accept" && name != "accept-language";
    });
}

struct fetched {
  judged_url where;
  web_answer answer;
};

result<fetched> fetch(const std::string& url, web_request request, const url_rules& rules) {
  auto where = judge_url(url, nullptr, rules);
  if (!where) return where.error();
  const auto allowed = rules.allowed ? rules.allowed : is_public_host;
  for (int hops = 0;; ++hops) {
    auto answer = ask_web(*where, request, allowed);
    if (!answer) return answer.error();
    if (!is_redirect(*answer)) return fetched{std::move(*where), std::move(*answer)};
    if (hops == redirects_max) return error{codes::tool_failed, "there are too many redirects"};
    auto next = judge_url(answer->header("location"), &*where, rules);
    if (!next)
      return error{next.error().code, "a redirect was not followed: " + next.error().detail};
    adapt(request, answer->status, next->host != where->host || next->port != where->port);
    where = std::move(*next);
  }
}

std::string bare_type(const web_answer& answer) {
  const auto type = answer.header("content-type");
  auto bare = lower(type.substr(0, type.find(';')));
  while (!bare.empty() && bare.back() == ' ') bare.pop_back();
  return bare;
}

// Where a label of an encoding means something; nothing said may be a page, too.
bool is_written(std::string_view type) {
  return type.empty() || type.starts_with("text/") || type.ends_with("xml") ||
         type.ends_with("json");
}

json::object head_of(const fetched& got) {
  json::object headers;
  for (const auto& [name, value] : got.answer.headers)
    if (headers.size() < told_headers_max && name != "set-cookie")
      headers[valid_utf8(name)] =
          valid_utf8(std::string_view(value).substr(0, told_header_bytes_max));
  const std::string_view long_headers = "the headers are too long to be shown";
  if (json::serialize(headers).size() > around_body_bytes / 2) headers = {{"note", long_headers}};
  return {{"status", got.answer.status},
          {"url", got.where.text},
          {"content_type", valid_utf8(bare_type(got.answer))},
          {"headers", std::move(headers)},
          {"size_bytes", got.answer.body.size()}};
}

tool_outcome told(json::object head, std::string_view body, bool truncated, bool extracted,
                  std::size_t output_bytes) {
  const auto kept = json_fitting(body, output_bytes - std::min(output_bytes, around_body_bytes));
  head["body"] = kept;
  head["truncated"] = truncated || kept.size() < body.size();
  head["extracted"] = extracted;
  return success(head);
}

tool_outcome refused(const error& why) {
  return why.code == codes::policy_denied ? denied(why.detail) : failed(why);
}

class http_fetch : public tool {
 public:
  explicit http_fetch(http_fetch_parts parts) : parts_(std::move(parts)) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
  }

  bool reaches_out() const override { return true; }
  bool idempotent(const json::object& inputs) const override {
    return text_of(inputs, "method", "GET") != "POST";
  }

  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    auto call = std::make_shared<call_state>(std::move(sink));
    auto shared = std::make_shared<tool_request>(std::move(request));
    const auto deadline = clock::now() + std::chrono::milliseconds(shared->limits.timeout_ms);
    if (!parts_.workers.post([this, call, shared, deadline] { run(call, *shared, deadline); }))
      call->done(failed(codes::tool_busy, "too many requests wait to be sent", true));
    return handle_of(call);
  }

 private:
  void run(const std::shared_ptr<call_state>& call, const tool_request& request,
           clock::time_point deadline) {
    if (call->over()) return;
    web_request web;
    web.method = text_of(request.inputs, "method", "GET");
    web.body = text_of(request.inputs, "body");
    web.deadline = deadline;
    web.given_up = [&call] { return call->over(); };
    auto headers = headers_of(request.inputs);
    if (!headers) return call->done(failed(headers.error()));
    web.headers = std::move(*headers);
    auto rules = parts_.rules;
    rules.hosts = request.egress;
    auto got = fetch(text_of(request.inputs, "url"), std::move(web), rules);
    if (!got) return call->done(refused(got.error()));
    if (text_of(request.inputs, "extract") == "text" && parts_.reader &&
        parts_.reader->unavailable().empty() && !got->answer.body.empty())
      return take_text_out(call, request, std::move(*got));
    const auto body = page_text(got->answer.body, got->answer.header("content-type"));
    // Bytes that are no text are of no use to a model; their kind and size are told.
    const bool text = body.find('\0') == std::string::npos;
    call->done(told(head_of(*got), text ? valid_utf8(body) : std::string(), got->answer.truncated,
                    false, static_cast<std::size_t>(request.limits.output_bytes)));
  }

  void take_text_out(const std::shared_ptr<call_state>& call, const tool_request& request,
                     fetched got) {
    extraction what;
    what.owner = request.session.tenant.value;
    what.declared = bare_type(got.answer);
    what.limits = request.limits;
    auto head = head_of(got);
    what.input = is_written(what.declared)
                     ? page_text(std::move(got.answer.body), got.answer.header("content-type"))
                     : std::move(got.answer.body);
    const bool cut = got.answer.truncated;
    const auto output_bytes = static_cast<std::size_t>(request.limits.output_bytes);
    auto run = parts_.reader->start(
        std::move(what), [call, head, cut, output_bytes](result<extracted> page) {
          if (!page) return call->done(failed(page.error()));
          call->done(told(head, page->text, cut || page->truncated, true, output_bytes));
        });
    call->keep(std::move(run));
  }

  const http_fetch_parts parts_;
};

}  // namespace

std::unique_ptr<tool> make_http_fetch(http_fetch_parts parts) {
  return std::make_unique<http_fetch>(std::move(parts));
}

}  // namespace soma::tools
