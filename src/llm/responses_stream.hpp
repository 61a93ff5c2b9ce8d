// The answer of OpenAI's Responses API, as an event stream or one response document.
//
// Format: https://platform.openai.com/docs/api-reference/responses-streaming. Everything is told up
// to four times: in pieces, then whole with the end of its part, of its item and of the response.
// Servers leave out any of these, so each takes what those before it did not say.
//
// Reasoning items are kept whole, encrypted as they come: nothing is stored at the provider, so the
// next call brings them back.
#pragma once

#include <map>

#include "llm/answer_parser.hpp"
#include "llm/said_so_far.hpp"

namespace soma::llm {

class responses_stream final : public answer_parser {
 public:
  using answer_parser::answer_parser;

 private:
  enum class item_kind { message, reasoning, call, other };
  struct item {
    item_kind kind;
    std::optional<std::int64_t> index;
    std::string id, call_id;
    said_so_far said;
    std::map<std::int64_t, said_so_far> parts;  // by their number
    bool in_pieces = false;
    bool unnumbered = false;  // and some of them told no number
  };

  void on_object(const boost::json::object& event) override;
  bool on_piece_of_text(std::string_view type, const boost::json::object& event);

  static item_kind kind_of(const boost::json::object& item);
  // The place of the item that an event is about; `begins`: the event begins it.
  std::size_t place_of(const boost::json::object& event, item_kind kind, bool begins = false);
  std::size_t known_place(const item& told, bool begins) const;

  void say(std::size_t place, std::optional<std::int64_t> part, std::string_view text);
  void on_part_end(const boost::json::object& event, item_kind kind, std::string_view text);
  void on_arguments_end(std::size_t place, const boost::json::object& from);
  void on_item_begin(const boost::json::object& event, const boost::json::object& item);
  void on_item_end(std::size_t place, const boost::json::object& item);
  void on_response(const boost::json::object& response);
  void on_items(const boost::json::array& items);
  void on_calls(const boost::json::array& items);
  void on_usage(const boost::json::object& usage);
  void on_error(const boost::json::object& error);

  std::vector<item> items_;
  said_so_far text_;  // of all messages
  bool keeps_state_ = false;
};

}  // namespace soma::llm
