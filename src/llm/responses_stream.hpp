// The answer of OpenAI's Responses API, as an event stream or one response document.
//
// Format: https://platform.openai.com/docs/api-reference/responses-streaming. Reasoning items are
// kept whole, encrypted as they come: nothing is stored at the provider, so the next call brings
// them back.
#pragma once

#include "llm/answer_parser.hpp"

namespace soma::llm {

class responses_stream final : public answer_parser {
 public:
  using answer_parser::answer_parser;

 private:
  void on_object(const boost::json::object& event) override;

  std::int64_t index_of(const boost::json::object& event);
  void on_item_begin(std::int64_t index, const boost::json::object& item);
  void on_item_end(std::int64_t index, const boost::json::object& item);
  void on_response(const boost::json::object& response);
  void on_whole(const boost::json::object& response);
  void on_usage(const boost::json::object& usage);
  void on_error(const boost::json::object& error);

  std::vector<std::string> named_;  // items by their id, where they have no number
};

}  // namespace soma::llm
