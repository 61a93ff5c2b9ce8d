// Looks through all that leaves at once, a call of a model or of a tool: counts what it finds, and
// where that is to be taken out writes each text anew with placeholders (redaction.hpp).
//
// Placeholders are numbered in the order in which texts are shown, so the same texts in the same
// order have the same ones, after a restart too: nothing of them is kept. What a text itself has in
// the form of a placeholder is a word like others, or an answer that repeats it would be given
// somebody's words. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "security/pii/redaction.hpp"
#include "security/pii/scanner.hpp"

namespace soma::security::pii {

enum class mode : std::uint8_t { off, report, redact, deny };
std::string_view to_string(mode m);
std::optional<mode> mode_named(std::string_view name);

using counts = std::array<std::size_t, kinds>;  // in the order of `kind`
bool any(const counts& found);
std::string counts_json(const counts& found);  // {"mail":2}: what there is

class screen {
 public:
  // A string of JSON that is so long, has nothing but letters of base64 and of digits no more than
  // bytes have is a picture or the like: it is not looked into, and never changed.
  static constexpr std::size_t base64_bytes_min = 512;

  // `mark`: as of `placeholders`.
  explicit screen(bool redacts, std::string mark = {})
      : redacts_(redacts), words_(std::make_shared<placeholders>(std::move(mark))) {}

  void text(std::string& what);
  // Each string of it that is no id of ours (a UUID), and each number; what is no JSON is a text.
  // `counted`: not where it is shown a second time.
  void json(std::string& what, bool counted = true);
  // JSON whose numbers are bounds and the like, such as a schema: these are counted and stay, since
  // with a string in their place it would be none.
  void schema(std::string& what);
  // Also as it is once its %XX are read; placeholders are written with them.
  void url(std::string& what);
  // Nothing is counted or changed.
  static bool finds(std::string_view json);

  const counts& found() const { return found_; }
  // Something was found where it cannot be taken out.
  bool is_stuck() const { return stuck_; }
  // What was taken out; empty where nothing was.
  std::shared_ptr<const placeholders> words() const { return words_; }
  // How many matches and literal placeholders were put in one order: what that cost.
  std::size_t merged() const { return merged_; }

 private:
  std::optional<std::string> changed(std::string_view what, bool counted);
  std::optional<std::string> changed_between(std::string_view what, bool counted);

  const bool redacts_;
  const std::shared_ptr<placeholders> words_;
  counts found_{};
  bool stuck_ = false;
  std::size_t merged_ = 0;
};

// The words back in each string; what is no JSON is a text.
std::string restore_json(const placeholders& words, std::string json);

}  // namespace soma::security::pii
