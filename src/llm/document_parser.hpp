// A provider's document that is no answer of a model: embeddings, the list of its models. Only its
// usage and whether it is one are looked at; callers take it raw. Embeddings are long: they are
// looked at while they come, a piece at a time, and nothing is made of them.
#pragma once

#include <boost/json/fwd.hpp>
#include <memory>

#include "llm/answer_parser.hpp"

namespace soma::llm {

class document_scan;

class document_parser final : public answer_parser {
 public:
  document_parser(on_piece piece, clean_text clean, bool has_data, bool in_pieces);
  ~document_parser() override;

  bool reads_pieces() const override { return scan_ != nullptr; }
  void on_document_piece(std::string_view bytes) override;
  void on_document_end() override;

 private:
  void on_object(const boost::json::object& document) override;
  void succeed();

  const bool has_data_;  // it is none without
  std::unique_ptr<document_scan> scan_;
};

}  // namespace soma::llm
