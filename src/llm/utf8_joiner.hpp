// Makes whole code points out of text that a provider cut anywhere: inside a UTF-8 sequence, or
// between the halves of a surrogate pair. Pure; one for each text that grows.
#pragma once

#include <string>
#include <string_view>

namespace soma::llm {

class utf8_joiner {
 public:
  // What is complete after `bytes`; an unfinished end is held back. A surrogate comes as its three
  // bytes (ED A0 80 to ED BF BF). What can never be completed becomes U+FFFD.
  std::string push(std::string_view bytes);

  // No more will come: an unfinished end becomes U+FFFD.
  std::string flush();

 private:
  std::string held_;
};

// JSON text with every lone surrogate escape (\ud83d without its other half) replaced by its three
// bytes, since JSON parsers refuse it. Valid pairs and all else are left as they are.
std::string unescape_lone_surrogates(std::string_view json);

}  // namespace soma::llm
