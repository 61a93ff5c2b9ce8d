#include "http/routes/parameters.hpp"

#include <charconv>
#include <string>

#include "core/codes.hpp"
#include "core/time.hpp"

namespace soma::http {

error unreadable_parameter(std::string_view name) {
  return error(codes::request_invalid_parameter,
               "the parameter cannot be read: " + std::string(name))
      .about(name);
}

result<bool> flag_of(std::optional<std::string_view> text, std::string_view name) {
  if (!text || *text == "false" || *text == "0") return false;
  if (*text == "true" || *text == "1") return true;
  return unreadable_parameter(name);
}

result<std::size_t> number_in(std::optional<std::string_view> text, std::string_view name,
                              std::size_t usual, std::size_t most) {
  if (!text) return usual;
  std::size_t n = 0;
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), n);
  if (ec != std::errc{} || end != text->data() + text->size() || n < 1 || n > most)
    return unreadable_parameter(name);
  return n;
}

std::int64_t time_in(std::string_view text) {
  if (text.size() < 20) return -1;
  const std::string whole(text.substr(0, 19));
  std::string fraction = text.size() > 21 ? std::string(text.substr(20, text.size() - 21)) : "";
  fraction.resize(3, '0');
  return parse_rfc3339(whole + "." + fraction + "Z");
}

}  // namespace soma::http
