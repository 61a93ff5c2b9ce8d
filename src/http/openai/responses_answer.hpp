// An answer of the Responses API, made from the pieces of a provider that speaks another way: the
// events of its stream in their order, or the whole object. Pure; owned by one answer.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_writer.hpp"
#include "llm/llm_client.hpp"

namespace soma::http {

class responses_answer {
 public:
  // `body` is the request, whose parameters the answer repeats.
  responses_answer(std::string id, std::string model, std::uint64_t created_s,
                   const boost::json::object& body);

  // ---- a stream's events, each with its frame, in this order ----
  std::string begin();
  std::string piece(std::string_view text, bool thinking);
  std::string end(const llm::stream_end& how);  // also where `how` is an error

  // ---- or the whole ----
  std::string whole(std::string_view text, std::string_view thinking, const llm::stream_end& how);

 private:
  enum class open : std::uint8_t { none, message, reasoning };

  template <class Members>
  void event(std::string& out, std::string_view type, Members members);
  void item_event(std::string& out, std::string_view type, std::string_view item);
  void open_item(std::string& out, open kind);
  void close_item(std::string& out, bool cut);
  void add_item(std::string& out, const std::string& begun, const std::string& done);
  void add_call(std::string& out, const tool_invocation& call);
  void add_state(std::string& out, std::string_view state_json);
  std::string message_item(std::string_view status, bool with_text) const;
  std::string reasoning_item(bool with_text, std::string_view state_json = {}) const;
  std::string response(std::string_view status, const llm::stream_end* how) const;

  const std::string id_, model_;
  const std::uint64_t created_s_;
  std::string echo_;  // members that repeat the request, with a comma before each
  std::uint64_t sequence_ = 0;
  std::vector<std::string> items_;  // done, as JSON
  open open_ = open::none;
  std::string item_id_, text_;  // of the open one
};

}  // namespace soma::http
