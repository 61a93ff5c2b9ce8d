#include "core/feedback.hpp"

#include <simdjson.h>

#include "core/json_member.hpp"
#include "core/json_writer.hpp"

namespace soma {

std::string encode(const feedback& said) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("message_id", said.message_id).field("rating", said.rating);
  w.key("tags").begin_array();
  for (const auto& tag : said.tags) w.string(tag);
  w.end_array().field("comment", said.comment).end_object();
  return out;
}

std::string feedback_message(std::string_view data_json) {
  simdjson::dom::parser parser;
  simdjson::dom::element data;
  std::string_view id;
  if (parser.parse(simdjson::padded_string(data_json)).get(data)) return {};
  if (data["message_id"].get_string().get(id)) return {};
  return std::string(id);
}

std::string feedback_of_copy(std::string_view data_json,
                             const std::function<std::string(std::string_view)>& rename) {
  const auto message = feedback_message(data_json);
  if (message.empty()) return std::string(data_json);
  std::string out;
  json_writer w(out);
  w.begin_object().field("message_id", rename(message));
  for (const std::string_view name : {"rating", "tags", "comment"})
    if (const auto member = json_member(data_json, name); !member.empty()) w.key(name).raw(member);
  w.end_object();
  return out;
}

}  // namespace soma
