// A member of a JSON object as text. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace soma {

// What is given where the member is missing or no text.
inline std::string text_of(const boost::json::object& object, std::string_view name,
                           std::string_view otherwise = {}) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string(otherwise);
}

}  // namespace soma
