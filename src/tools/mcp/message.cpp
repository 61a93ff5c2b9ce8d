#include "tools/mcp/message.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_member.hpp"
#include "core/json_text.hpp"
#include "core/utf8.hpp"
#include "tools/builtin/text_stream.hpp"
#include "tools/mcp/lenient_json.hpp"
#include "tools/mcp/limits.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;

constexpr std::string_view meta_prefix = "io.modelcontextprotocol/";
constexpr std::size_t id_bytes_max = 256;

error malformed(std::string why) {
  return {codes::request_malformed_json, std::move(why)};
}

json::object object_in(json::object& from, std::string_view name) {
  auto* value = from.if_contains(name);
  return value && value->is_object() ? std::move(value->get_object()) : json::object();
}

void read_failure(incoming& out, json::object failure) {
  out.what = incoming::kind::failure;
  boost::system::error_code ec;
  if (const auto* code = failure.if_contains("code"); code && code->is_number())
    out.code = code->to_number<int>(ec);
  out.message = shown(text_of(failure, "message"), limits::detail_bytes_max);
  out.body = object_in(failure, "data");
}

result<incoming> read_one(json::value& value) {
  auto* from = value.if_object();
  if (!from) return malformed("it is no object");
  if (from->contains("jsonrpc") && text_of(*from, "jsonrpc") != "2.0")
    return malformed("it is no JSON-RPC 2.0");
  incoming out;
  for (const auto* name : {"method", "error"})  // some write each member of their own message type
    if (const auto* value = from->if_contains(name); value && value->is_null()) from->erase(name);
  const auto* id = from->if_contains("id");
  if (const auto* method = from->if_contains("method")) {
    if (!method->is_string()) return malformed("its method is no text");
    out.method = method->get_string();
    out.body = object_in(*from, "params");
    if (!id) return out;
    out.what = incoming::kind::request;
    if (!id->is_string() && !id->is_number()) return malformed("its id is no text or number");
    out.id_json = json::serialize(*id);
    if (out.id_json.size() > id_bytes_max) return malformed("its id is too long");
    return out;
  }
  if (id) out.id = own_id(*id);
  if (auto* failure = from->if_contains("error")) {
    if (!failure->is_object()) return malformed("its error is no object");
    read_failure(out, std::move(failure->get_object()));
    return out;
  }
  const auto* answer = from->if_contains("result");
  if (!answer || !id) return malformed("it is neither a request nor an answer");
  out.what = incoming::kind::response;
  out.result_is_object = answer->is_object();
  if (answer->is_string() || answer->is_array())
    out.body["content"] = std::move(from->at("result"));
  else
    out.body = object_in(*from, "result");
  return out;
}

outgoing written(std::uint64_t id, std::string_view method, const json::object& message) {
  outgoing out;
  out.id = id;
  out.method = method;
  out.json = json::serialize(message);
  return out;
}

}  // namespace

std::optional<std::uint64_t> own_id(const json::value& id) {
  if (const auto* text = id.if_string()) {
    std::uint64_t number = 0;
    const auto* end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, number);
    return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
  }
  boost::system::error_code ec;
  if (!id.is_number()) return std::nullopt;
  const auto number = id.to_number<std::uint64_t>(ec);
  return ec ? std::nullopt : std::optional(number);
}

std::string shown(std::string_view text, std::size_t bytes_max) {
  std::string out = valid_utf8(text.substr(0, bytes_max));
  if (out.size() > bytes_max) out.resize(bytes_max);
  out.resize(utf8_complete_prefix(out));
  for (auto& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return out;
}

result<std::vector<incoming>> read_messages(std::string_view text) {
  if (text.size() > limits::message_bytes_max) return malformed("it is too long");
  json::parse_options options;
  options.max_depth = limits::message_depth_max;
  boost::system::error_code ec;
  auto value = parse_foreign_json(text, ec, options);
  std::string mended;
  if (ec && looks_like_json(text)) {
    const auto first = ec;
    mended = mended_json(text);  // longer, by a bounded factor
    ec = {};
    value = parse_foreign_json(mended, ec, options);
    if (ec) ec = first;
    text = mended;
  }
  if (ec) return malformed("it is no JSON: " + ec.message());
  std::vector<incoming> out;
  if (auto* batch = value.if_array()) {
    if (batch->empty() || batch->size() > limits::batch_max)
      return malformed("it is a batch of none or too many");
    for (auto& one : *batch) {
      auto read = read_one(one);
      if (!read) return read.error();
      out.push_back(std::move(*read));
    }
    return out;
  }
  auto read = read_one(value);
  if (!read) return read.error();
  if (read->body.contains("structuredContent"))
    read->structured_json = json_member(json_member(text, "result"), "structuredContent");
  out.push_back(std::move(*read));
  return out;
}

json::object message_writer::client_info() const {
  return {{"name", "SomaAgent01"}, {"version", version_}};
}

outgoing message_writer::request(std::uint64_t id, std::string_view method, json::object params,
                                 bool progress) const {
  json::object meta;
  if (modern()) {
    const auto named = [](std::string_view name) { return std::string(meta_prefix).append(name); };
    meta[named("protocolVersion")] = revision_;
    meta[named("clientInfo")] = client_info();
    meta[named("clientCapabilities")] = json::object();
  }
  if (progress) meta["progressToken"] = id;
  if (!meta.empty()) params["_meta"] = std::move(meta);
  json::object message{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
  auto name = method == "tools/call" ? text_of(params, "name") : std::string();
  if (!params.empty()) message["params"] = std::move(params);
  auto out = written(id, method, message);
  out.name = std::move(name);
  return out;
}

outgoing message_writer::initialize(std::uint64_t id) const {
  return written(id, "initialize",
                 {{"jsonrpc", "2.0"},
                  {"id", id},
                  {"method", "initialize"},
                  {"params",
                   {{"protocolVersion", revision_},
                    {"capabilities", json::object()},
                    {"clientInfo", client_info()}}}});
}

outgoing message_writer::notification(std::string_view method, json::object params) const {
  json::object message{{"jsonrpc", "2.0"}, {"method", method}};
  if (!params.empty()) message["params"] = std::move(params);
  return written(0, method, message);
}

outgoing message_writer::answer(std::string_view id_json) {
  outgoing out;
  out.json = R"({"jsonrpc":"2.0","id":)" + std::string(id_json) + R"(,"result":{}})";
  return out;
}

outgoing message_writer::not_found(std::string_view id_json) {
  outgoing out;
  out.json = R"({"jsonrpc":"2.0","id":)" + std::string(id_json) +
             R"(,"error":{"code":-32601,"message":"this client has no such method"}})";
  return out;
}

}  // namespace soma::tools::mcp
