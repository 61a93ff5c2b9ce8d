// Answers of chat completions, and of the completions of before them, made from the pieces of a
// provider that speaks another way. Pure; owned by one answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_writer.hpp"
#include "llm/llm_client.hpp"

namespace soma::http {

struct chat_asked {
  std::string id, model;  // the model as the caller named it
  std::uint64_t created_s = 0;
  bool wants_usage = false;  // at the end of a stream
  bool legacy = false;       // completions: text in place of messages
};

class chat_answer {
 public:
  explicit chat_answer(chat_asked asked) : asked_(std::move(asked)) {}

  // ---- a stream's events, each with its frame ----
  std::string piece(std::string_view text, bool thinking);
  std::string end(const llm::stream_end& how);

  // ---- or the whole ----
  std::string whole(std::string_view text, std::string_view thinking, const llm::stream_end& how);

 private:
  json_writer& head(json_writer& w, std::string_view kind);
  std::string begin();
  template <class Delta>
  std::string chunk(Delta delta, std::string_view reason = {});

  const chat_asked asked_;
  bool begun_ = false;
};

}  // namespace soma::http
