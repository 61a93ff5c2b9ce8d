// Takes the text out of documents by the program soma-extract in the sandbox. Thread-safe; nothing
// blocks. Lifetime: outlives its runs, and the sandbox outlives it.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "tools/sandbox/sandbox.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

struct extracted {
  std::string content_type, text;
  boost::json::object metadata;
  bool truncated = false;
};

struct extraction {
  std::string owner;     // see sandbox_command
  std::string input;     // the document, or
  int input_fd = -1;     // a file with it; taken over and closed
  std::string declared;  // its type, as somebody said
  execution_profile limits;
  // Whether the text shows pages (a form feed between them) and headings (begun with #), as
  // knowledge is cut along them: more of it is then read than a call gives back.
  bool structure = false;
};
// Of text and pages that are read for knowledge; what is behind them is left out.
inline constexpr std::size_t structured_text_bytes_max = 4u << 20;
inline constexpr int structured_pages_max = 2000;

// The program as it is installed: beside the running one.
std::string installed_extract_program();

class extractor {
 public:
  extractor(sandbox& box, std::string program) : box_(box), program_(std::move(program)) {}

  std::string unavailable() const;
  // Error: tool.failed for a document that cannot be read (the detail says why), tool.timeout,
  // tool.busy, tool.unavailable. `on_end` comes from the sandbox's thread.
  std::unique_ptr<sandbox_run> start(extraction what,
                                     std::function<void(result<extracted>)> on_end);

 private:
  sandbox& box_;
  const std::string program_;
};

}  // namespace soma::tools
