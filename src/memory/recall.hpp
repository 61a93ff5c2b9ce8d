// What a session asks before a turn's first model call: what is remembered that fits these words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::memory {

struct recall_question {
  session_key key;  // who asks; its session may be empty
  user_id user;     // on whose behalf: nothing that he may not see is found
  std::string query;
  std::vector<std::string> held_message_ids;  // in the context already: left out
  std::size_t bytes_max = 0, items_max = 0;   // of the texts, and how many
};

struct recalled_item {
  std::string memory_id, text, kind, session_id, message_id, place_json;
  double score = 0;
  std::int64_t created_at_ms = 0;
};

struct recall_answer {
  std::vector<recalled_item> items;  // the best first
  bool degraded = false;             // there may be more that was not found
  bool by_words_alone = false;       // degraded in nothing but that vectors were not looked at
  std::string why;                   // of degraded, in a sentence
  std::int64_t as_of = 0;            // number of the last change that was looked at
};

class recaller {
 public:
  virtual ~recaller() = default;
  // On any thread; never blocks. `done` is called once, on any thread, and must not block.
  // Errors: server.busy, those of the store. Deadlines are the caller's: a late answer is his to
  // drop.
  virtual void recall(recall_question question,
                      std::function<void(result<recall_answer>)> done) = 0;
};

}  // namespace soma::memory
