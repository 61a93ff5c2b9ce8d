// Parts an answer that begins with its thinking in tags (<think>…</think> and the like, as models
// write them whose server does not take them apart) into thinking and text, however it was cut into
// pieces. Tags further on are text: a model may well write about them. Pure; one for each answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace soma::llm {

class thought_splitter {
 public:
  using on_part = std::function<void(std::string_view text, bool thinking)>;

  // `bytes` may end inside a tag or a character: what could still become a tag is held back.
  void push(std::string_view bytes, const on_part& part);
  // No more will come: what was held back is what it looks like.
  void flush(const on_part& part);
  // The answer goes on from a given beginning, or has thought elsewhere: nothing is looked for.
  void pass_all() { where_ = place::text; }

 private:
  enum class place { before, inside, behind, text };
  void take(const on_part& part, bool last);

  place where_ = place::before;
  std::string held_;
  std::string_view closing_;
};

}  // namespace soma::llm
