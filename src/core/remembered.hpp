// What a turn is told of earlier conversations: the items of its memory.recall, and the part of the
// model's context that is made of them. Texts in it are data, whoever wrote them: each is a string
// in a line of JSON, which no text can leave. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma {

struct remembered_item {
  std::string memory_id, text;
  std::string kind{};                      // message, note, knowledge, summary
  std::string session_id{}, message_id{};  // where it was said; empty: not in a session
  std::string place_json{};                // of a passage: page, heading; empty: none
  double score = 0;
  std::int64_t created_at_ms = 0;
  bool operator==(const remembered_item&) const = default;
};

// The list as the event holds it.
std::string encode_remembered(const std::vector<remembered_item>& items);
// Reads what encode_remembered wrote; what is no item is left out.
std::vector<remembered_item> parse_remembered(std::string_view items_json);

// As many as there is room for, in their order; the texts cut to `bytes_max` in all, ids that are
// none and places that are no JSON left out.
std::vector<remembered_item> fitting_items(std::vector<remembered_item> items,
                                           std::size_t items_max, std::size_t bytes_max);

// Of a part's heading, and of what stands around the texts.
inline constexpr std::uint64_t remembered_frame_tokens = 512;

// The part of the context. Empty where there are no items, or not one has room.
std::string remembered_text(const std::vector<remembered_item>& items, std::uint64_t tokens_max);

}  // namespace soma
