// A command's answer as text, as an idempotency record keeps it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/session_core.hpp"

namespace soma {

std::string encode(const command_reply& reply);
result<command_reply> decode_command_reply(std::string_view json);  // storage.corrupt

}  // namespace soma
