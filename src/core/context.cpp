#include "core/context.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/utf8.hpp"

namespace soma {
namespace {

context_part make_part(std::string kind, std::string role, std::string text) {
  context_part part;
  part.kind = std::move(kind);
  part.role = std::move(role);
  part.text = std::move(text);
  part.tokens = estimate_tokens(part.text);
  return part;
}

// So that the model can ask for what it was not given.
std::string attached(const std::vector<attachment_ref>& files) {
  std::string out;
  for (const auto& file : files) {
    out += "\n[attached: " + (file.filename.empty() ? "a file" : file.filename);
    if (!file.content_type.empty()) out += ", " + file.content_type;
    if (file.size_bytes > 0) out += ", " + std::to_string(file.size_bytes) + " bytes";
    out += ", attachment_id " + file.id + "]";
  }
  return out;
}

bool is_picture(const attachment_ref& file) {
  const auto& type = file.content_type;
  return file.size_bytes <= picture_bytes_max && (type == "image/png" || type == "image/jpeg" ||
                                                  type == "image/gif" || type == "image/webp");
}

struct picture_room {
  std::size_t count = 0;
  std::uint64_t bytes = pictures_bytes_max;
};

bool was_answered(const turn_record& turn) {
  return std::any_of(turn.lines.begin(), turn.lines.end(), [](const transcript_line& line) {
    return !line.runtime && line.tool_call_id.empty();
  });
}

// As many of what was attached as there is room for.
void add_pictures(context_part& to, const turn_record& turn, picture_room& room) {
  for (const auto& file : turn.attachments) {
    if (room.count == 0) return;
    if (!is_picture(file) || file.size_bytes > room.bytes) continue;
    to.pictures.push_back(file);
    to.tokens += picture_tokens;
    room.bytes -= file.size_bytes;
    --room.count;
  }
}

// The ids by which a turn's calls and results find each other: the provider's own, but for what it
// left empty or gave twice.
class call_ids {
 public:
  std::string of_call(const tool_invocation& call) {
    const bool own = !call.provider_call_id.empty() && used_.insert(call.provider_call_id).second;
    return ids_[call.tool_call_id] = own ? call.provider_call_id : call.tool_call_id;
  }
  std::string of_result(const transcript_line& line) const {
    if (const auto at = ids_.find(line.tool_call_id); at != ids_.end()) return at->second;
    return line.provider_call_id.empty() ? line.tool_call_id : line.provider_call_id;
  }

 private:
  std::map<std::string, std::string> ids_;
  std::set<std::string> used_;
};

std::vector<context_part> parts_of(const turn_record& turn) {
  std::vector<context_part> parts;
  call_ids ids;
  parts.push_back(make_part("user", "user", turn.user_text + attached(turn.attachments)));
  parts.back().message_id = turn.turn_id;
  for (const auto& line : turn.lines) {
    if (line.runtime) {
      // Said by nobody: the model meets it as a part of what the user sent.
      parts.push_back(make_part("attachment", "user", "Of the attached files: " + line.text));
      continue;
    }
    const bool tool = !line.tool_call_id.empty();
    auto part = tool ? make_part("tool", "tool", line.text)
                     : make_part("assistant", "assistant", line.text);
    part.message_id = line.message_id;
    part.tool_calls = line.tool_calls;
    part.provider = line.provider;
    part.provider_state_json = line.provider_state_json;
    for (auto& call : part.tool_calls) call.provider_call_id = ids.of_call(call);
    if (tool) part.provider_call_id = ids.of_result(line);
    for (const auto& call : part.tool_calls) part.tokens += estimate_tokens(call.inputs_json);
    parts.push_back(std::move(part));
  }
  for (auto& part : parts) part.turn_id = turn.turn_id;
  return parts;
}

// The newest turn is always sent. What was read of its attachments is cut to what room there is,
// the last first, so that a large file does not make the model refuse everything.
std::uint64_t cut_attachments(std::vector<context_part>& parts, std::uint64_t tokens,
                              std::uint64_t before, std::uint64_t tokens_max) {
  constexpr std::string_view note = " [cut here: document_ingest reads it]";
  for (auto part = parts.rbegin(); part != parts.rend() && before + tokens > tokens_max; ++part) {
    if (part->kind != "attachment") continue;
    const auto over = before + tokens - tokens_max + estimate_tokens(note);
    const auto kept = part->tokens > over ? (part->tokens - over) * 4 : 0;
    part->text.resize(utf8_complete_prefix(std::string_view(part->text).substr(0, kept)));
    part->text += note;
    tokens -= part->tokens;
    part->tokens = estimate_tokens(part->text);
    tokens += part->tokens;
  }
  return tokens;
}

std::uint64_t tokens_of(const std::vector<context_part>& parts) {
  std::uint64_t tokens = 0;
  for (const auto& part : parts) tokens += part.tokens;
  return tokens;
}

// Results of tools, the oldest first, each to its beginning, until `before` and the parts fit.
// How many were cut.
std::uint64_t shorten_results(std::vector<context_part>& parts, std::uint64_t before,
                              std::uint64_t tokens_max) {
  std::uint64_t cut = 0;
  auto tokens = tokens_of(parts);
  for (auto& part : parts) {
    if (before + tokens <= tokens_max) break;
    if (part.kind != "tool" || !shorten_result(part.text)) continue;
    tokens -= part.tokens;
    part.tokens = estimate_tokens(part.text);
    tokens += part.tokens;
    ++cut;
  }
  return cut;
}

std::uint64_t shortened_before(const turn_record& turn) {
  return static_cast<std::uint64_t>(
      std::count_if(turn.lines.begin(), turn.lines.end(),
                    [](const transcript_line& line) { return line.shortened; }));
}

std::string instruction_text(std::string_view instruction) {
  if (instruction == "nudge") return "Please go on.";
  if (instruction == "summarize")
    return "Summarize the conversation so far: what was asked, what was found and decided, "
           "and what is still open.";
  return {};
}

}  // namespace

std::uint64_t estimate_tokens(std::string_view text) {
  return tokens_of_bytes(text.size());
}

std::uint64_t tokens_of_bytes(std::uint64_t bytes) {
  return (bytes + 3) / 4 + 4;
}

model_context build_context(std::span<const turn_record* const> turns,
                            const context_options& options) {
  std::vector<context_part> head, tail;
  if (!options.system_prompt.empty())
    head.push_back(make_part("system", "system", options.system_prompt));
  if (auto text = instruction_text(options.instruction); !text.empty())
    tail.push_back(make_part("instruction", "user", std::move(text)));

  model_context context;
  for (const auto& part : head) context.tokens += part.tokens;
  for (const auto& part : tail) context.tokens += part.tokens;

  // From the newest turn backwards, as long as a whole turn fits.
  std::vector<std::vector<context_part>> chosen;
  picture_room room{options.pictures ? pictures_max : 0};
  auto turn = turns.rbegin();
  for (; turn != turns.rend(); ++turn) {
    auto parts = parts_of(**turn);
    if (chosen.empty() || was_answered(**turn)) add_pictures(parts.front(), **turn, room);
    const auto cut = shorten_results(parts, context.tokens, options.tokens_max);
    auto tokens = tokens_of(parts);
    if (!chosen.empty() && context.tokens + tokens > options.tokens_max) break;
    context.shortened_results += cut + shortened_before(**turn);
    if (chosen.empty()) tokens = cut_attachments(parts, tokens, context.tokens, options.tokens_max);
    context.tokens += tokens;
    context.from_turn = (*turn)->turn_id;
    ++context.turns;
    chosen.push_back(std::move(parts));
    if (chosen.size() > 1) continue;
    const auto room = options.tokens_max - std::min(options.tokens_max, context.tokens);
    auto text = remembered_text(options.remembered, std::min(room, options.remembered_tokens_max));
    if (text.empty()) continue;
    head.push_back(make_part("memory", "system", std::move(text)));
    head.back().turn_id = (*turn)->turn_id;
    context.tokens += head.back().tokens;
  }

  context.left_out_messages = options.messages_before;
  for (; turn != turns.rend(); ++turn) context.left_out_messages += messages_of(**turn);

  context.parts = std::move(head);
  for (auto parts = chosen.rbegin(); parts != chosen.rend(); ++parts)
    for (auto& part : *parts) context.parts.push_back(std::move(part));
  for (auto& part : tail) context.parts.push_back(std::move(part));
  return context;
}

}  // namespace soma
