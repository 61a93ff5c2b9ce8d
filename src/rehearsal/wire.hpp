// The texts the rehearsal server sends: HTTP heads, chunks, and the OpenAI JSON shapes. Pure.
#pragma once

#include <string>
#include <string_view>

#include "rehearsal/answer.hpp"

namespace soma::rehearsal {

// A whole response with Content-Length. `extra_headers` are complete lines with CRLF.
std::string response(unsigned status, std::string_view body, bool keep_alive,
                     std::string_view extra_headers = {});
std::string error_response(unsigned status, std::string_view message, bool keep_alive,
                           std::uint32_t retry_after_s = 0);

std::string stream_head(bool keep_alive);  // text/event-stream, chunked
std::string chunked(std::string_view bytes);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

std::string models_json();
std::string error_json(std::string_view message, std::string_view type);

// One `chat.completion.chunk` each, as a `data:` event.
class chunk_writer {
 public:
  explicit chunk_writer(const conversation& asked);
  std::string role() const;
  std::string text(std::string_view piece) const;
  std::string thinking(std::string_view piece) const;
  // `head` names the tool and carries no arguments; the pieces after it do.
  std::string call_head(std::size_t index, const scripted_call& call) const;
  std::string call_arguments(std::size_t index, std::string_view piece) const;
  std::string finish(std::string_view reason) const;
  std::string usage(const answer& said) const;
  // The non-streamed form of it all.
  std::string completion(const answer& said, std::string_view text) const;

 private:
  std::string delta(std::string_view delta_json, std::string_view finish_reason = {}) const;
  std::string head(std::string_view object) const;
  std::string call_id(std::size_t index) const;
  std::string id_, model_;
  std::size_t calls_before_ = 0;
};

}  // namespace soma::rehearsal
