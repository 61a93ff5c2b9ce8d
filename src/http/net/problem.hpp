// An `error` as an RFC 9457 answer. The one place where a stable code becomes an HTTP status
// (schemas/codes.md). Pure functions; thread-safe.
#pragma once

#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "http/net/request_context.hpp"
#include "http/net/response.hpp"

namespace soma::http {

// 500 for a code that is not in the table: an error that was not meant for a client.
int status_of(std::string_view code);
// The code as static text; server.internal for one that is not in the table.
std::string_view known_code(std::string_view code);

// A member beside the standard ones; `json` is written as it is.
struct problem_member {
  std::string_view name;
  std::string json;
};

// An unknown code becomes server.internal without its detail. The parameter an error is about is
// named. 429 and 503 carry Retry-After, 429 RateLimit too, 401 WWW-Authenticate.
response problem(const error& e, std::string_view request_id,
                 const std::vector<problem_member>& members = {});

// How OpenAI's clients are told: {"error":{"message","type","param","code"}}, with the statuses and
// codes that they know. Below the paths of OpenAI's API every error has that shape.
int openai_status_of(std::string_view code);
std::string_view openai_code_of(std::string_view code);
std::string openai_error_json(const error& e);
bool is_openai_path(std::string_view path);

// In the shape of the route: as above, or as OpenAI's clients read errors.
response problem(const error& e, const request_context& ctx,
                 const std::vector<problem_member>& members = {});

}  // namespace soma::http
