// The strings of a JSON text, to be looked at and written anew one by one; what stands between them
// stays as it is, to the byte. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace soma::security::pii {

using text_change = std::function<std::optional<std::string>(std::string_view)>;

// Calls `change` with each string, names of members among them, without its escapes; what it gives
// stands there instead, none: it stays. `between`: the same with what stands between them, numbers
// among it, as it is; may be empty. Several values one after another are as good. An escape that is
// none, or half a pair of one, is seen as U+FFFD. False, with `json` as it was: a string has no
// end.
bool change_strings(std::string& json, const text_change& change, const text_change& between = {});

}  // namespace soma::security::pii
