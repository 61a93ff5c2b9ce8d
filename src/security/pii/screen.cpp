#include "security/pii/screen.hpp"

#include <algorithm>

#include "core/json_writer.hpp"
#include "core/uuid.hpp"
#include "security/pii/json_strings.hpp"

namespace soma::security::pii {
namespace {

constexpr std::string_view mode_names[] = {"off", "report", "redact", "deny"};
constexpr kind all_kinds[] = {kind::mail, kind::phone, kind::card, kind::iban, kind::national};
static_assert(std::size(all_kinds) == kinds);

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What stands in the text in the form of a placeholder, such as [[mail-1]].
std::vector<match> placeholders_in(std::string_view text) {
  std::vector<match> out;
  for (auto at = text.find("[["); at != text.npos; at = text.find("[[", at + 1)) {
    const auto rest = text.substr(at, placeholders::bytes_max);
    const auto end = rest.find("]]");
    if (end == rest.npos) continue;
    const auto name = rest.substr(2, end - 2);
    const auto dash = name.rfind('-');
    if (dash == name.npos || dash + 1 == name.size()) continue;
    if (!std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dash) + 1, name.end(), is_digit))
      continue;
    for (const auto k : all_kinds)
      if (to_string(k) == name.substr(0, dash)) out.push_back({k, at, end + 2, {}});
  }
  return out;
}

// Both in the order of the text; those of `literals` that overlap none of `found`.
std::vector<match> in_order(const std::vector<match>& found, const std::vector<match>& literals,
                            std::size_t& steps) {
  std::vector<match> out;
  out.reserve(found.size() + literals.size());
  auto at = found.begin();
  for (const auto& literal : literals) {
    for (; at != found.end() && at->begin + at->bytes <= literal.begin; ++at, ++steps)
      out.push_back(*at);
    if (at == found.end() || at->begin >= literal.begin + literal.bytes) out.push_back(literal);
    ++steps;
  }
  out.insert(out.end(), at, found.end());
  return out;
}

// Bytes have some sixth of digits in base64, and no row of them as long as a card's number.
bool is_of_numbers(std::string_view text) {
  constexpr std::size_t row_min = 13;
  std::size_t digits = 0, row = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      ++digits;
      if (++row == row_min) return true;
    } else if (text[at] != '-' && text[at] != '_') {
      row = 0;
    }
  }
  return digits > text.size() * 2 / 5;
}

bool is_base64(std::string_view text) {
  if (text.size() < screen::base64_bytes_min) return false;
  constexpr std::string_view mark = ";base64,";
  if (text.starts_with("data:"))
    if (const auto at = text.substr(0, 256).find(mark); at != text.npos)
      text.remove_prefix(at + mark.size());
  const bool letters = std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/' || c == '=' || c == '-' || c == '_';
  });
  return letters && !is_of_numbers(text);
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string without_percents(std::string_view url, bool plus_is_blank) {
  std::string out;
  for (std::size_t at = 0; at < url.size(); ++at) {
    const bool is_code = url[at] == '%' && at + 2 < url.size() && hex_digit(url[at + 1]) >= 0 &&
                         hex_digit(url[at + 2]) >= 0;
    if (is_code) {
      out.push_back(static_cast<char>(hex_digit(url[at + 1]) * 16 + hex_digit(url[at + 2])));
      at += 2;
    } else {
      out.push_back(plus_is_blank && url[at] == '+' ? ' ' : url[at]);
    }
  }
  return out;
}

counts found_in_url(std::string_view url) {
  const auto plain = count(find(without_percents(url, false)));
  auto found = count(find(without_percents(url, true)));
  for (std::size_t i = 0; i < kinds; ++i) found[i] = std::max(found[i], plain[i]);
  return found;
}

void add(counts& to, const counts& more) {
  for (std::size_t i = 0; i < kinds; ++i) to[i] += more[i];
}

// [ and ] are none of a URL.
std::string with_percents(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[')
      out += "%5B";
    else if (c == ']')
      out += "%5D";
    else
      out.push_back(c);
  }
  return out;
}

}  // namespace

std::string_view to_string(mode m) {
  return mode_names[static_cast<std::size_t>(m)];
}

std::optional<mode> mode_named(std::string_view name) {
  for (std::size_t i = 0; i < std::size(mode_names); ++i)
    if (mode_names[i] == name) return static_cast<mode>(i);
  return std::nullopt;
}

bool any(const counts& found) {
  return std::any_of(found.begin(), found.end(), [](auto n) { return n > 0; });
}

std::string counts_json(const counts& found) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  for (std::size_t i = 0; i < kinds; ++i)
    if (found[i] > 0) w.field(to_string(all_kinds[i]), std::uint64_t{found[i]});
  w.end_object();
  return out;
}

std::optional<std::string> screen::changed(std::string_view what, bool counted) {
  auto all = find(what);
  if (counted) add(found_, count(all));
  if (!redacts_) return std::nullopt;
  if (const auto literals = placeholders_in(what); !literals.empty())
    all = in_order(all, literals, merged_);
  if (all.empty()) return std::nullopt;
  return words_->redact(what, all);
}

// A number that JSON has as such becomes a string, since no placeholder is a number.
std::optional<std::string> screen::changed_between(std::string_view what, bool counted) {
  const auto all = find(what);
  if (counted) add(found_, count(all));
  if (!redacts_ || all.empty()) return std::nullopt;
  std::string out;
  std::size_t at = 0;
  for (auto one : all) {
    const auto word = what.substr(one.begin, one.bytes);
    out.append(what.substr(at, one.begin - at));
    at = one.begin + one.bytes;
    one.begin = 0;
    const bool number = std::all_of(word.begin(), word.end(),
                                    [](char c) { return is_digit(c) || c == ' ' || c == '\n'; });
    const auto name = words_->redact(word, {one});
    out += number ? '"' + name + '"' : name;
  }
  return out.append(what.substr(at));
}

void screen::text(std::string& what) {
  if (auto other = changed(what, true)) what = std::move(*other);
}

void screen::schema(std::string& what) {
  const auto look = [&](std::string_view text) {
    return is_base64(text) || is_uuid(text) ? std::nullopt : changed(text, true);
  };
  const auto between = [&](std::string_view text) -> std::optional<std::string> {
    add(found_, count(find(text)));
    return std::nullopt;
  };
  const auto before = found_;
  if (change_strings(what, look, between)) return;
  found_ = before;
  text(what);
}

void screen::json(std::string& what, bool counted) {
  const auto before = found_;
  const auto look = [&](std::string_view text) {
    return is_base64(text) || is_uuid(text) ? std::nullopt : changed(text, counted);
  };
  const auto between = [&](std::string_view text) { return changed_between(text, counted); };
  if (change_strings(what, look, between)) return;
  found_ = before;
  if (auto other = changed(what, counted)) what = std::move(*other);
}

void screen::url(std::string& what) {
  add(found_, found_in_url(what));
  if (!redacts_) return;
  const auto all = find(what);
  if (!all.empty()) {
    std::string out;
    std::size_t at = 0;
    for (auto one : all) {
      out += what.substr(at, one.begin - at);
      at = one.begin + one.bytes;
      const auto word = std::string_view(what).substr(one.begin, one.bytes);
      one.begin = 0;
      out += with_percents(words_->redact(word, {one}));
    }
    what = out + what.substr(at);
  }
  if (any(found_in_url(what))) stuck_ = true;
}

bool screen::finds(std::string_view json) {
  screen one(false);
  std::string copy(json);
  one.json(copy);
  return any(one.found());
}

std::string restore_json(const placeholders& words, std::string json) {
  const auto back = [&](std::string_view text) -> std::optional<std::string> {
    if (text.find("[[") == text.npos) return std::nullopt;
    auto now = words.restore(text);
    return now == text ? std::nullopt : std::optional(std::move(now));
  };
  if (!change_strings(json, back)) return words.restore(json);
  return json;
}

}  // namespace soma::security::pii
