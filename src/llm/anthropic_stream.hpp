// The answer of Anthropic's Messages API, as an event stream or one message document.
//
// Format: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Thinking blocks and their
// signatures are kept whole: the next call with the same turn's tool results must bring them back.
#pragma once

#include <map>

#include "llm/answer_parser.hpp"

namespace soma::llm {

class anthropic_stream final : public answer_parser {
 public:
  using answer_parser::answer_parser;

 private:
  struct thought {
    std::string text, signature, redacted;
    bool lost = false;  // longer than is kept: it cannot be given back

    void grow(std::string thought::*part, std::string_view more);
  };

  void on_object(const boost::json::object& event) override;

  void on_block(std::int64_t index, const boost::json::object& block);
  void on_delta(std::int64_t index, const boost::json::object& delta);
  void on_block_end(std::int64_t index);
  void on_message(const boost::json::object& message);
  void on_usage(const boost::json::object& usage);
  void on_error(const boost::json::object& error);

  std::map<std::int64_t, thought> thoughts_;  // blocks that are still growing
};

}  // namespace soma::llm
