// The methods of HTTP that this server tells apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::http {

enum class verb : std::uint8_t { get, head, post, put, patch, delete_, options, other };

// "GET" …, "OTHER": static storage.
std::string_view to_string(verb v);

}  // namespace soma::http
