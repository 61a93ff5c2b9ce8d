// Conversations as callers give them, as the messages of a model call. Pure.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "llm/llm_client.hpp"

namespace soma::http {

// The body of an invoke request, checked against its schema, into `c`. Overrides count; a base_url
// does not. Errors: request.invalid.
result<void> read_invoke_body(const boost::json::object& body, llm::call& c);
// A body of OpenAI's chat completions for OpenAI-compatible providers: its members go as they came,
// with usage asked for.
void relay_chat_body(const boost::json::object& body, llm::call& c);
// A body of the Responses API for providers that speak it, to be stored nowhere. Errors:
// request.unsupported for what names something stored.
result<void> relay_responses_body(const boost::json::object& body, llm::call& c);

}  // namespace soma::http
