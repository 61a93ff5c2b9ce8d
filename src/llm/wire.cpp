#include "llm/wire.hpp"

#include "core/json_writer.hpp"
#include "llm/anthropic_stream.hpp"
#include "llm/chat_stream.hpp"
#include "llm/document_parser.hpp"
#include "llm/responses_stream.hpp"

namespace soma::llm {
namespace {

// The version of the Messages API that anthropic_body and anthropic_stream speak.
constexpr std::string_view anthropic_version = "anthropic-version: 2023-06-01\r\n";

}  // namespace

provider_request make_request(const call& c) {
  const bool anthropic = c.target.wire == wire_kind::anthropic;
  provider_request request;
  if (anthropic) request.version_header = anthropic_version;
  if (!c.target.api_key.empty())
    request.key_before = anthropic ? "x-api-key: " : "Authorization: Bearer ";
  if (c.purpose == purpose::model_list) {
    request.method = "GET";
    request.path = "/models";
  } else if (c.purpose == purpose::properties) {
    request.method = "GET";
    request.path = "/props";
    request.at_root = true;
  } else if (c.purpose == purpose::description) {
    request.path = "/api/show";
    request.at_root = true;
    json_writer(request.body).begin_object().field("model", c.target.model).end_object();
  } else if (c.purpose == purpose::embeddings) {
    request.path = "/embeddings";
    request.body = relayed_body(c);
  } else if (anthropic) {
    request.path = "/messages";
    request.body = anthropic_body(c);
  } else if (c.target.wire == wire_kind::openai_responses) {
    request.path = "/responses";
    request.body = c.raw_body.empty() ? responses_body(c) : relayed_body(c);
  } else {
    request.path = "/chat/completions";
    request.body = c.raw_body.empty() ? chat_body(c) : relayed_body(c);
  }
  return request;
}

std::unique_ptr<answer_parser> make_parser(const call& c, answer_parser::on_piece piece,
                                           answer_parser::clean_text clean) {
  if (c.purpose != purpose::answer) {
    const bool embeddings = c.purpose == purpose::embeddings;
    const bool has_data = embeddings || c.purpose == purpose::model_list;
    return std::make_unique<document_parser>(std::move(piece), std::move(clean), has_data,
                                             embeddings);
  }
  std::unique_ptr<answer_parser> parser;
  if (c.target.wire == wire_kind::anthropic)
    parser = std::make_unique<anthropic_stream>(std::move(piece), std::move(clean));
  else if (c.target.wire == wire_kind::openai_responses)
    parser = std::make_unique<responses_stream>(std::move(piece), std::move(clean));
  else
    parser = std::make_unique<chat_stream>(std::move(piece), std::move(clean));
  if (c.form.begins_in_thought) parser->begins_in_thought();
  return parser;
}

std::string_view to_string(wire_kind wire) {
  switch (wire) {
    case wire_kind::anthropic: return "anthropic";
    case wire_kind::openai_responses: return "openai_responses";
    case wire_kind::openai_chat: break;
  }
  return "openai_chat";
}

std::optional<wire_kind> parse_wire_kind(std::string_view name) {
  for (const auto wire :
       {wire_kind::openai_chat, wire_kind::openai_responses, wire_kind::anthropic})
    if (name == to_string(wire)) return wire;
  return std::nullopt;
}

}  // namespace soma::llm
