// Models are set in profiles. What a caller names beside them is judged here, by llm.model_lock.
#pragma once

#include <string_view>

#include "http/gateway.hpp"

namespace soma::http {

// `what` the caller named although it does not count (base_url, model); empty: nothing. It is
// logged; under `warn` and `enforce` audited too. True: the answer carries a warning.
// Errors: model_lock.violation, under `enforce`.
result<bool> judge_lock(gateway& g, const request_context& ctx, std::string_view what);

void warn_if(response& answer, bool warn);

}  // namespace soma::http
