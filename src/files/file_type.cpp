#include "files/file_type.hpp"

#include <magic.h>

#include <algorithm>
#include <memory>

#include "core/shown_text.hpp"
#include "core/utf8.hpp"

namespace soma::files {
namespace {

constexpr std::string_view unknown_type = "application/octet-stream";
constexpr std::size_t name_bytes_max = 200, ending_bytes_max = 16;

// Only the patterns of the database: the parsers for archives, ELF and OLE have no work to do here,
// and what they read is hostile.
constexpr int flags = MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF |
                      MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_TOKENS;

struct closes {
  void operator()(magic_t m) const { magic_close(m); }
};
using handle = std::unique_ptr<std::remove_pointer_t<magic_t>, closes>;

handle open_database() {
  handle made(magic_open(flags));
  if (made && magic_load(made.get(), nullptr) != 0) made.reset();
  return made;
}

bool is_media_type(std::string_view text) {
  const auto slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() &&
         text.size() <= 100 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.+-_/") ==
             std::string_view::npos &&
         text.find('/', slash + 1) == std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// Kinds of text that are told by their name rather than their bytes, and that no browser runs.
bool may_be_claimed(std::string_view type) {
  constexpr std::string_view known[] = {"text/csv",
                                        "text/markdown",
                                        "text/plain",
                                        "application/json",
                                        "text/calendar",
                                        "text/x-python",
                                        "text/tab-separated-values",
                                        "application/yaml"};
  return std::find(std::begin(known), std::end(known), type) != std::end(known);
}

}  // namespace

std::string file_type_of(std::string_view beginning, std::string_view claimed) {
  thread_local const handle database = open_database();
  std::string type;
  if (database) {
    const char* found =
        magic_buffer(database.get(), beginning.data(), std::min(beginning.size(), type_bytes_max));
    if (found) type = found;
  }
  if (beginning.empty()) type = "text/plain";
  if (!is_media_type(type)) return std::string(unknown_type);
  if (type == "text/plain") {
    const auto said = lower(claimed.substr(0, claimed.find(';')));
    if (may_be_claimed(said)) return said;
  }
  return type;
}

bool type_matches(const std::vector<std::string>& patterns, std::string_view media_type) {
  return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
    if (!pattern.ends_with("/*")) return pattern == media_type;
    if (pattern == "*/*") return true;
    pattern.remove_suffix(1);
    return media_type.starts_with(pattern);
  });
}

std::string safe_filename(std::string_view given) {
  if (const auto slash = given.find_last_of("/\\"); slash != std::string_view::npos)
    given.remove_prefix(slash + 1);
  std::string name;
  while (!given.empty()) {
    const auto length = utf8_sequence_length(given);
    const auto one = given.substr(0, std::max<std::size_t>(length, 1));
    given.remove_prefix(one.size());
    // "exe.pdf" that is shown as "fdp.exe", and what has no width.
    if (steers(one)) continue;
    if (one.starts_with("\xe2\x80") && one[2] >= '\x8b' && one[2] <= '\x8d') continue;
    if (one.starts_with("\xe2\x81") && one[2] >= '\xa0' && one[2] <= '\xaf') continue;
    name += length == 0 ? std::string_view("_") : one;
  }
  const auto begin = name.find_first_not_of(" .");
  if (begin == std::string::npos) return "file";
  name.erase(0, begin);
  name.erase(name.find_last_not_of(" .") + 1);
  if (name.size() <= name_bytes_max) return name;
  const auto dot = name.rfind('.');
  const bool ends = dot != std::string::npos && name.size() - dot <= ending_bytes_max;
  const auto ending = ends ? name.substr(dot) : std::string();
  name.resize(name_bytes_max - ending.size());
  name.resize(utf8_complete_prefix(name));
  return name + ending;
}

}  // namespace soma::files
