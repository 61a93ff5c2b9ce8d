// Turns a provider's chat completion, streamed or whole, into pieces, tool calls and an end. Pure;
// owned by one stream.
//
// Format: https://platform.openai.com/docs/api-reference/chat-streaming, with the deviations seen
// in vLLM, llama.cpp, Ollama and LiteLLM: `reasoning` beside `reasoning_content`, tool calls
// without index or with a repeated one, arguments as an object, errors inside the stream.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/llm_client.hpp"
#include "llm/utf8_joiner.hpp"

namespace soma::llm {

class chat_stream {
 public:
  using on_piece = std::function<void(std::string text, bool thinking)>;
  // Makes a provider's message fit to be shown.
  using clean_text = std::function<std::string(std::string_view)>;

  chat_stream(on_piece piece, clean_text clean);

  // The data of one event, or a whole completion document.
  void on_data(std::string_view data);

  // Nothing more is wanted: [DONE], an error or rubbish has come.
  bool over() const { return done_ || error_.has_value(); }
  // Why the model stopped is known, so an end of the stream is a good one.
  bool finished() const { return done_ || !finish_reason_.empty(); }
  // Text, thinking or a tool call has come.
  bool spoke() const { return spoke_; }

  void fail(failure why);

  // The stream is over or has ended; call once.
  stream_end finish();

 private:
  struct growing_call {
    std::int64_t index = -1;
    std::string id, name, arguments;
  };

  void on_object(const boost::json::object& event);
  void on_delta(const boost::json::object& delta);
  void on_calls(const boost::json::array& calls);
  void on_call(const boost::json::object& call, std::int64_t position);
  void on_usage(const boost::json::value& usage);
  void on_error(const boost::json::value& error);
  growing_call& call_for(std::int64_t index, std::string_view id);
  void give(std::string_view bytes, bool thinking);
  void give_held_back();
  bool room_for(std::size_t bytes);

  on_piece piece_;
  clean_text clean_;
  utf8_joiner joiner_;
  bool thinking_ = false, spoke_ = false, done_ = false;
  std::string finish_reason_;
  std::vector<growing_call> calls_;
  std::size_t call_bytes_ = 0;
  soma::usage usage_;
  std::optional<failure> error_;
};

}  // namespace soma::llm
