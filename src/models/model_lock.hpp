// Models are set in profiles. What a caller names beside them is judged here, by llm.model_lock.
#pragma once

#include <string_view>

#include "actors/node.hpp"
#include "core/error.hpp"

namespace soma::models {

class llm_gateway;

// `what` the caller named although it does not count (base_url, model); empty: nothing. It is
// logged; under `warn` and `enforce` audited too. True: the answer carries a warning.
// Errors: model_lock.violation, under `enforce`.
result<bool> judge_lock(llm_gateway& models, const actors::llm_caller& who, std::string_view what);

// The warning's text.
extern const std::string_view model_lock_warning;

}  // namespace soma::models
