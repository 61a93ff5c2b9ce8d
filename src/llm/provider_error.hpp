// What a provider's refusal means, and what of its words may be shown. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "llm/llm_client.hpp"

namespace soma::llm {

// At most 200 bytes of the provider's message on one line. Empty where it repeats the key, or a
// stretch of what the caller sent.
std::string presentable(std::string_view message, const call& asked);

// An HTTP status other than 2xx. `retry_after` and `retry_after_ms` are the headers' values.
struct refusal {
  unsigned status = 0;
  std::string body, retry_after, retry_after_ms;
  std::int64_t now_ms = 0;
};
stream_end refused(const refusal& what, const call& asked);

// An error object inside a 200 stream. `status` is its code where that is a number, else 0.
failure failure_in_stream(std::int64_t status, std::string_view message, std::string_view type,
                          std::string_view code, std::string shown);

// Retry-After as seconds or as an HTTP date (RFC 9110, 10.2.3); 0 when it is neither or past.
std::uint32_t parse_retry_after_ms(std::string_view value, std::int64_t now_ms);

}  // namespace soma::llm
