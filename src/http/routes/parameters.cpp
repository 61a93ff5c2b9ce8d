#include "http/routes/parameters.hpp"

#include <charconv>

#include "core/codes.hpp"

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

}  // namespace soma::http
