// A provider's document that is no answer of a model: embeddings, the list of its models. Only its
// usage and whether it is one are looked at; callers take it raw.
#pragma once

#include <boost/json.hpp>

#include "llm/answer_parser.hpp"

namespace soma::llm {

class document_parser final : public answer_parser {
 public:
  using answer_parser::answer_parser;

  bool has_data = true;  // it is none without

 private:
  void on_object(const boost::json::object& document) override {
    if (const auto* error = object_member(document, "error"))
      return provider_failed(0, string_member(*error, "message"), string_member(*error, "type"),
                             string_member(*error, "code"));
    if (has_data && !array_member(document, "data"))
      return fail({"llm.bad_stream", "the provider's document has no data", true});
    if (const auto* usage = object_member(document, "usage"))
      usage_.prompt_tokens = count_member(*usage, "prompt_tokens");
    finish_reason_ = "stop";
    done_ = true;
  }
};

}  // namespace soma::llm
