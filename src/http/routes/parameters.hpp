// Parameters of a query and members of a body, read strictly. Pure. Error of parameters:
// request.invalid_parameter about the name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/error.hpp"

namespace soma::http {

error unreadable_parameter(std::string_view name);

// "true" and "1" are yes, "false", "0" and none no.
result<bool> flag_of(std::optional<std::string_view> text, std::string_view name);

// 1 to `most`; `usual` where none is given.
result<std::size_t> number_in(std::optional<std::string_view> text, std::string_view name,
                              std::size_t usual, std::size_t most);

// "2027-01-01T00:00:00Z", with or without a fraction, to milliseconds; -1 when it is none.
std::int64_t time_in(std::string_view text);

}  // namespace soma::http
