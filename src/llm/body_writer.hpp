// What the request bodies of all providers share. Private to llm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json_writer.hpp"
#include "llm/llm_client.hpp"

namespace soma::llm {

// Writes the members of `object_json` but those that `ours` names: a profile's or caller's extra
// parameters never replace what the gateway decides.
void extra_fields(json_writer& w, std::string_view object_json,
                  const std::vector<std::string_view>& ours);

// What a call and then its profile add to a body, each but what stands there already.
void further_fields(json_writer& w, const call& c, std::vector<std::string_view> ours);

// The items of a provider's state (an array) whose `type` is one of `types`, separated by commas:
// what another provider left there is not for this one.
std::string state_items(std::string_view state_json, const std::vector<std::string_view>& types);

inline constexpr std::string_view empty_schema = R"({"type":"object","properties":{}})";

// Calls `write` for each picture, where the target takes them.
template <class Write>
void each_picture(const profile& target, const chat_message& m, Write write) {
  if (!target.pictures) return;
  for (const auto& p : m.pictures) write(p, *p.base64);
}

// The system messages, in one text.
std::string system_text(const std::vector<chat_message>& messages);

// What the caller chose; or `none`, in the provider's own form, where no tool may be called.
void write_tool_choice(json_writer& w, const call& c, std::string_view none);

}  // namespace soma::llm
