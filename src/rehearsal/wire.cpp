#include "rehearsal/wire.hpp"

#include <array>
#include <cstdio>

#include "core/json_writer.hpp"

namespace soma::rehearsal {
namespace {

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return status < 500 ? "Refused" : "Failed";
  }
}

std::string event(std::string_view json) {
  return "data: " + std::string(json) + "\n\n";
}

std::string quoted_member(std::string_view name, std::string_view value) {
  std::string out;
  json_writer(out).begin_object().field(name, value).end_object();
  return out;
}

void write_usage(json_writer& w, const answer& said) {
  w.key("usage").begin_object().field("prompt_tokens", said.prompt_tokens);
  w.field("completion_tokens", said.completion_tokens);
  w.field("total_tokens", said.prompt_tokens + said.completion_tokens).end_object();
}

}  // namespace

std::string response(unsigned status, std::string_view body, bool keep_alive,
                     std::string_view extra_headers) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " " +
                    std::string(reason_phrase(status)) +
                    "\r\nServer: soma-rehearsal\r\nContent-Type: application/json\r\n";
  out += extra_headers;
  out += keep_alive ? "" : "Connection: close\r\n";
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

std::string error_response(unsigned status, std::string_view message, bool keep_alive,
                           std::uint32_t retry_after_s) {
  const auto retry =
      retry_after_s > 0 ? "Retry-After: " + std::to_string(retry_after_s) + "\r\n" : std::string();
  return response(status, error_json(message, "rehearsal"), keep_alive, retry);
}

std::string stream_head(bool keep_alive) {
  return std::string(
             "HTTP/1.1 200 OK\r\nServer: soma-rehearsal\r\nContent-Type: text/event-stream\r\n"
             "Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n") +
         (keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
}

std::string chunked(std::string_view bytes) {
  std::array<char, 20> size;
  const auto n = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  std::string out(size.data(), static_cast<std::size_t>(n));
  out += bytes;
  out += "\r\n";
  return out;
}

std::string models_json() {
  return R"({"object":"list","data":[{"id":"rehearsal","object":"model","created":0,)"
         R"("owned_by":"soma-rehearsal, a stand-in and not a model"}]})";
}

std::string error_json(std::string_view message, std::string_view type) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("error").begin_object().field("message", message).field("type", type);
  w.key("code").null().end_object().end_object();
  return out;
}

chunk_writer::chunk_writer(const conversation& asked)
    : model_(asked.model.empty() ? "rehearsal" : asked.model) {
  std::array<char, 40> id;
  std::snprintf(id.data(), id.size(), "chatcmpl-rehearsal-%016llx",
                static_cast<unsigned long long>(asked.hash));
  id_ = id.data();
  for (const auto& m : asked.messages) calls_before_ += m.calls.size();
}

// Ids grow over the conversation, as those of real providers never repeat in one.
std::string chunk_writer::call_id(std::size_t index) const {
  return "call_rehearsal_" + std::to_string(calls_before_ + index + 1);
}

std::string chunk_writer::head(std::string_view object) const {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", id_).field("object", object).field("created", std::uint64_t{0});
  w.field("model", model_).field("system_fingerprint", "rehearsal: not a model");
  return out;
}

std::string chunk_writer::delta(std::string_view delta_json, std::string_view finish_reason) const {
  auto out = head("chat.completion.chunk");
  out += R"(,"choices":[{"index":0,"delta":)";
  out += delta_json;
  out += R"(,"finish_reason":)";
  out += finish_reason.empty() ? "null" : '"' + std::string(finish_reason) + '"';
  out += "}]}";
  return event(out);
}

std::string chunk_writer::role() const {
  return delta(R"({"role":"assistant","content":""})");
}

std::string chunk_writer::text(std::string_view piece) const {
  return delta(quoted_member("content", piece));
}

std::string chunk_writer::thinking(std::string_view piece) const {
  return delta(quoted_member("reasoning_content", piece));
}

std::string chunk_writer::call_head(std::size_t index, const scripted_call& call) const {
  std::string out;
  json_writer w(out);
  w.begin_object().key("tool_calls").begin_array().begin_object().field("index", index);
  w.field("id", call_id(index)).field("type", "function").key("function").begin_object();
  w.field("name", call.tool_id).field("arguments", "").end_object().end_object();
  w.end_array().end_object();
  return delta(out);
}

std::string chunk_writer::call_arguments(std::size_t index, std::string_view piece) const {
  std::string out;
  json_writer w(out);
  w.begin_object().key("tool_calls").begin_array().begin_object().field("index", index);
  w.key("function").begin_object().field("arguments", piece).end_object().end_object();
  w.end_array().end_object();
  return delta(out);
}

std::string chunk_writer::finish(std::string_view reason) const {
  return delta("{}", reason);
}

std::string chunk_writer::usage(const answer& said) const {
  std::string tail;
  json_writer w(tail);
  write_usage(w, said);
  return event(head("chat.completion.chunk") + R"(,"choices":[],)" + tail + "}");
}

std::string chunk_writer::completion(const answer& said, std::string_view text) const {
  std::string tail;
  json_writer w(tail);
  w.key("choices").begin_array().begin_object().field("index", std::uint64_t{0});
  w.key("message").begin_object().field("role", "assistant").field("content", text);
  w.field_if("reasoning_content", said.thinking);
  if (!said.calls.empty()) {
    w.key("tool_calls").begin_array();
    for (std::size_t i = 0; i < said.calls.size(); ++i) {
      w.begin_object().field("id", call_id(i)).field("type", "function");
      w.key("function").begin_object().field("name", said.calls[i].tool_id);
      w.field("arguments", said.calls[i].inputs_json).end_object().end_object();
    }
    w.end_array();
  }
  w.end_object().field("finish_reason", said.calls.empty() ? "stop" : "tool_calls");
  w.end_object().end_array();
  write_usage(w, said);
  return head("chat.completion") + "," + tail + "}";
}

}  // namespace soma::rehearsal
