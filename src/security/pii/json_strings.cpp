#include "security/pii/json_strings.hpp"

#include <boost/json.hpp>

#include "core/json_writer.hpp"

namespace soma::security::pii {
namespace {

// Past the quote that ends the string which begins at `at`; npos: there is none.
std::size_t end_of_string(std::string_view json, std::size_t at) {
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\')
      ++at;
    else if (json[at] == '"')
      return at + 1;
  }
  return std::string_view::npos;
}

// `quoted` with its quotes.
std::optional<std::string> without_escapes(std::string_view quoted) {
  boost::system::error_code ec;
  const auto value = boost::json::parse({quoted.data(), quoted.size()}, ec);
  if (ec || !value.is_string()) return std::nullopt;
  return std::string(value.get_string());
}

}  // namespace

bool change_strings(std::string& json, const text_change& change, const text_change& between) {
  const std::string_view text = json;
  std::string out;
  std::size_t kept = 0, last = 0;  // up to here it is in `out`; where the last string ended
  bool changed = false;
  const auto look_between = [&](std::size_t end) {
    if (!between || last == end) return;
    auto other = between(text.substr(last, end - last));
    if (!other) return;
    out.append(text.substr(kept, last - kept)).append(*other);
    kept = end;
    changed = true;
  };
  for (auto at = text.find('"'); at != text.npos; at = text.find('"', at)) {
    look_between(at);
    const auto end = end_of_string(text, at);
    if (end == text.npos) return false;
    const auto quoted = text.substr(at, end - at);
    const auto inside = quoted.substr(1, quoted.size() - 2);
    std::optional<std::string> plain;
    if (inside.find('\\') != inside.npos) {
      plain = without_escapes(quoted);
      if (!plain) return false;
    }
    if (auto other = change(plain ? std::string_view(*plain) : inside)) {
      out.append(text.substr(kept, at - kept)).push_back('"');
      append_json_escaped(out, *other);
      out.push_back('"');
      kept = end;
      changed = true;
    }
    at = last = end;
  }
  look_between(text.size());
  if (!changed) return true;
  out.append(text.substr(kept));
  json = std::move(out);
  return true;
}

}  // namespace soma::security::pii
