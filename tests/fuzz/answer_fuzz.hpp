// Feeds any bytes to the parser of a provider's stream, cut as the first byte says and in one
// piece: both must read the same, every piece must be whole code points, inputs JSON objects, and
// what the provider wants back an array. One target a wire format.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/sse_parser.hpp"
#include "core/utf8.hpp"
#include "llm/answer_parser.hpp"

namespace soma::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

struct outcome {
  std::string text, thinking;
  llm::stream_end end;
};

template <class Parser>
outcome read(std::string_view bytes, std::size_t step) {
  outcome out;
  Parser answer(
      [&](std::string text, bool thinking) {
        require(!text.empty() && utf8_valid(text));
        (thinking ? out.thinking : out.text) += text;
      },
      [](std::string_view message) { return std::string(message); });
  sse_parser events(64 * 1024);
  const auto on_data = [&](std::string_view data) { answer.on_data(data); };
  bool room = true;
  for (std::size_t at = 0; at < bytes.size() && room; at += step)
    room = events.feed(bytes.substr(at, step), on_data);
  if (room) events.finish(on_data);
  out.end = answer.finish();
  for (const auto& call : out.end.tool_calls)
    require(boost::json::parse(call.inputs_json).is_object());
  if (const auto& state = out.end.provider_state_json; !state.empty())
    require(utf8_valid(state) && boost::json::parse(state).is_array());
  return out;
}

template <class Parser>
int run(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read<Parser>(bytes, bytes.size() + 1);
  const auto cut = read<Parser>(bytes, data[0] % 32 + 1u);
  require(whole.text == cut.text && whole.thinking == cut.thinking);
  require(whole.end.finish_reason == cut.end.finish_reason && whole.end.cut == cut.end.cut);
  require(whole.end.tool_calls == cut.end.tool_calls && whole.end.error == cut.end.error);
  require(whole.end.provider_state_json == cut.end.provider_state_json);
  require(whole.end.usage == cut.end.usage);
  return 0;
}

}  // namespace soma::fuzz
