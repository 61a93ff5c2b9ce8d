// Parts an answer of gpt-oss into thinking and text, where its server does not: it is written in
// channels, <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>….
// What is in `final`, and what `commentary` says to the user, is text; all else is thinking. Pure;
// one for each answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace soma::llm {

class channel_splitter {
 public:
  using on_part = std::function<void(std::string_view text, bool thinking)>;

  // Whether an answer that begins so is in channels; `could_be`: more of it will tell.
  static bool begins(std::string_view text, bool& could_be);

  void push(std::string_view bytes, const on_part& part);
  void flush(const on_part& part);

 private:
  void take(const on_part& part, bool last);
  bool thinking() const;

  bool inside_ = false;  // behind <|message|>
  std::string header_;   // of the channel, as far as it is known
  std::string held_;
};

}  // namespace soma::llm
