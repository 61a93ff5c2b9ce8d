// Parts an answer that begins with its thinking in tags (<think>…</think> and the like, as models
// write them whose server does not take them apart), or that is written in gpt-oss' channels, into
// thinking and text, however it was cut into pieces. Tags further on are text: a model may well
// write about them. Pure; one for each answer.
//
// Many templates begin the thinking themselves, in the prompt, so that only its end is in the
// answer. That cannot be known before the end is there, and what was given cannot be taken back:
// the first such answer is given as text, and then known for one (`thought_begun`), so that the
// next ones of that model are told to begin inside.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "llm/channel_splitter.hpp"

namespace soma::llm {

// Where what a text says begins that has the end of a thought in it, at the end of a line and
// outside of code, and not its beginning; 0: it has none.
std::size_t behind_lone_thought(std::string_view text);

class thought_splitter {
 public:
  using on_part = std::function<void(std::string_view text, bool thinking)>;

  // `bytes` may end inside a tag or a character: what could still become a tag is held back.
  void push(std::string_view bytes, const on_part& part);
  // No more will come: what was held back is what it looks like. `complete`: the model was not cut
  // short. Where it was to begin inside and no thought ended, all of it is given once more, as
  // text.
  void flush(const on_part& part, bool complete = true);
  // The answer goes on from a given beginning, or has thought elsewhere: nothing is looked for.
  void pass_all();
  // The model's template begins its thinking.
  void begin_inside() { where_ = place::given; }
  // After the flush: whether this answer's thinking was begun before it; none: it does not tell.
  std::optional<bool> thought_begun() const { return begun_; }

 private:
  enum class place { before, given, inside, inside_given, behind, text, channels };
  void take(const on_part& part, bool last);
  void take_beginning(bool last);
  void take_thought(const on_part& part, bool last);
  void give(std::size_t bytes, bool thinking, const on_part& part);
  void remember(std::string_view given);

  place where_ = place::before;
  std::string held_;
  std::string_view closing_;
  std::string given_;  // the answer so far, while it may turn out to be another thing
  bool remembers_ = true;
  std::optional<bool> begun_;
  channel_splitter channels_;
};

}  // namespace soma::llm
