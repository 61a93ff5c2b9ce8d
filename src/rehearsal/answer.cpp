#include "rehearsal/answer.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include "core/json_writer.hpp"
#include "core/utf8.hpp"

namespace soma::rehearsal {
namespace {

constexpr std::size_t quote_bytes_max = 160;

constexpr std::array<std::string_view, 16> vocabulary{
    "every", "event", "is",    "kept",  "in",  "order", "and",   "nothing",
    "is",    "said",  "twice", "while", "the", "log",   "grows", "on"};

std::string words(std::uint32_t count) {
  std::string out;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) out += ' ';
    out += vocabulary[i % vocabulary.size()];
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, text.size() > quote_bytes_max
                                     ? utf8_complete_prefix(text.substr(0, quote_bytes_max))
                                     : text.size()));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return c == '\n' || c == '\r' || c == '\t' || c == '`'; }, ' ');
  if (out.size() < text.size()) out += " …";
  const auto first = out.find_first_not_of(' ');
  if (first == out.npos) return {};
  return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

std::size_t count_words(std::string_view text) {
  std::size_t count = 0;
  bool inside = false;
  for (const unsigned char c : text) {
    const bool space = std::isspace(c) != 0;
    if (!space && !inside) ++count;
    inside = !space;
  }
  return count;
}

std::size_t last_user(const conversation& asked) {
  for (std::size_t i = asked.messages.size(); i > 0; --i)
    if (asked.messages[i - 1].role == "user") return i - 1;
  return asked.messages.size();
}

// A message as its writer wrote it; what the runtime puts behind it tells of attached files.
std::string_view written(std::string_view text) {
  return text.substr(0, text.find("\n[attached: "));
}

// What was read of the attached files, each as its text.
std::vector<std::string> attached_texts(std::string_view text) {
  constexpr std::string_view mark = "Of the attached files: ";
  std::vector<std::string> out;
  for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at)) {
    at += mark.size();
    const auto one = text.substr(at, text.find("\n\n" + std::string(mark), at) - at);
    boost::system::error_code wrong;
    const auto read = boost::json::parse({one.data(), one.size()}, wrong);
    const auto* object = wrong ? nullptr : read.if_object();
    const auto* said = object ? object->if_contains("text") : nullptr;
    out.emplace_back(said && said->is_string() ? std::string_view(said->get_string()) : one);
  }
  return out;
}

// "report.pdf, page 12" of what is remembered of a document; empty: of none.
std::string place_of(const boost::json::object& remembered) {
  const auto* given = remembered.if_contains("place");
  const auto* place = given ? given->if_object() : nullptr;
  std::string out;
  if (!place) return out;
  if (const auto* file = place->if_contains("file"); file && file->is_string())
    out = std::string_view(file->get_string());
  if (const auto* page = place->if_contains("page"); page && page->is_number())
    out += (out.empty() ? "page " : ", page ") + boost::json::serialize(*page);
  return out;
}

struct remembered_text {
  std::string text, place;
};

// What the system's message says is remembered, a line of JSON each.
std::vector<remembered_text> remembered_texts(const conversation& asked) {
  constexpr std::string_view mark = "Remembered from earlier conversations";
  constexpr std::size_t texts_max = 3;
  std::vector<remembered_text> out;
  for (const auto& m : asked.messages) {
    if (m.role != "system") continue;
    const auto at = m.text.find(mark);
    if (at == m.text.npos) continue;
    for (auto line = m.text.find('\n', at); line != m.text.npos && out.size() < texts_max;
         line = m.text.find('\n', line + 1)) {
      const std::string one = m.text.substr(line + 1, m.text.find('\n', line + 1) - line - 1);
      boost::system::error_code wrong;
      const auto read = boost::json::parse(one, wrong);
      const auto* object = wrong ? nullptr : read.if_object();
      const auto* text = object ? object->if_contains("text") : nullptr;
      if (text && text->is_string())
        out.push_back({std::string(std::string_view(text->get_string())), place_of(*object)});
    }
  }
  return out;
}

// "19.99 * 3 + 8%" where it says "plus tax of 8 %".
std::string in_signs(std::string_view written) {
  std::string text(written);
  for (const auto& [word, sign] : {std::pair<std::string_view, std::string_view>{" plus ", " + "},
                                   {" minus ", " - "},
                                   {" times ", " * "},
                                   {" tax of ", " "},
                                   {" %", "%"}})
    for (auto at = text.find(word); at != text.npos; at = text.find(word, at))
      text.replace(at, word.size(), sign);
  return text;
}

// "17 * 23" out of "what is 17 * 23?": the longest run of arithmetic with an operator between
// digits.
std::optional<std::string> find_arithmetic(std::string_view said) {
  const auto signs = in_signs(written(said));  // ids are no sums
  std::string_view text = signs;
  std::string_view best;
  for (std::size_t i = 0; i < text.size();) {
    const auto end = std::min(text.find_first_not_of("0123456789.+-*/^%() ", i), text.size());
    auto run = text.substr(i, end - i);
    i = std::max(end, i + 1);
    const auto first = run.find_first_of("0123456789(-");
    const auto last = run.find_last_of("0123456789)%");
    if (first == run.npos || last == run.npos || last <= first) continue;
    run = run.substr(first, last - first + 1);
    const auto digit = run.find_first_of("0123456789");
    const auto sign = run.find_first_of("+-*/^%", digit == run.npos ? run.size() : digit);
    if (sign == run.npos || run.find_first_of("0123456789", sign) == run.npos) continue;
    if (run.size() > best.size()) best = run;
  }
  if (best.empty()) return std::nullopt;
  return std::string(best);
}

std::optional<std::string> find_remember(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const auto at = lower.find("remember ");
  if (at == lower.npos) return std::nullopt;
  auto what = one_line(text.substr(at + 9));
  if (what.starts_with("that ")) what.erase(0, 5);
  if (what.empty()) return std::nullopt;
  return what;
}

const offered_tool* offered(const conversation& asked, std::string_view tool_id) {
  for (const auto& tool : asked.tools)
    if (tool.tool_id == tool_id) return &tool;
  return nullptr;
}

scripted_call call_with(const offered_tool& tool, std::string_view fallback_input,
                        std::string_view text) {
  std::string inputs;
  json_writer(inputs)
      .begin_object()
      .field(tool.first_input.empty() ? fallback_input : tool.first_input, text)
      .end_object();
  return {tool.tool_id, inputs};
}

// A message that says "remember" and names files: each is to be kept.
std::vector<scripted_call> calls_to_remember(const offered_tool& tool, std::string_view text) {
  constexpr std::string_view mark = ", attachment_id ";
  constexpr std::size_t calls_max = 8;
  std::vector<scripted_call> out;
  std::string lower(written(text));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (lower.find("remember") == lower.npos) return out;
  for (auto at = text.find("\n[attached: "); at != text.npos && out.size() < calls_max;
       at = text.find("\n[attached: ", at + 1)) {
    const auto line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    const auto id = line.rfind(mark);
    if (id == line.npos || !line.ends_with(']')) continue;
    const auto named = line.substr(id + mark.size(), line.size() - id - mark.size() - 1);
    std::string inputs;
    json_writer(inputs)
        .begin_object()
        .field("attachment_id", named)
        .field_bool("remember", true)
        .end_object();
    out.push_back({tool.tool_id, std::move(inputs)});
  }
  return out;
}

std::vector<scripted_call> choose_calls(const conversation& asked, std::size_t user) {
  if (asked.tools.empty() || user == asked.messages.size()) return {};
  std::uint32_t rounds = 0;
  for (auto i = user + 1; i < asked.messages.size(); ++i)
    if (!asked.messages[i].calls.empty()) ++rounds;
  if (!asked.how.calls.empty())
    return rounds < asked.how.tools_rounds ? asked.how.calls : std::vector<scripted_call>{};
  if (rounds > 0) return {};
  const auto& text = asked.messages[user].text;
  if (const auto* tool = offered(asked, "document_ingest"))
    if (auto calls = calls_to_remember(*tool, text); !calls.empty()) return calls;
  if (const auto* tool = offered(asked, "memory_save"))
    if (const auto what = find_remember(text)) return {call_with(*tool, "text", *what)};
  if (const auto* tool = offered(asked, "calculator"))
    if (const auto what = find_arithmetic(text)) return {call_with(*tool, "expression", *what)};
  return {};
}

std::string tool_results(const conversation& asked, std::size_t user) {
  std::string out;
  for (auto i = user + 1; i < asked.messages.size(); ++i)
    if (asked.messages[i].role == "tool")
      out += "- a tool answered `" + one_line(asked.messages[i].text) + "`\n";
  return out;
}

std::string default_text(const conversation& asked, std::size_t user) {
  const std::string said = user < asked.messages.size() ? asked.messages[user].text : std::string();
  std::string out =
      "This is the **rehearsal server**, not a language model: it only shows that everything "
      "around a model works.\n\nWhat it understood of your message:\n\n";
  const auto quote = one_line(written(said));
  out += quote.empty() ? "- it holds no words\n" : "- you wrote “" + quote + "”\n";
  const auto end_of_past = asked.messages.begin() + static_cast<std::ptrdiff_t>(user);
  const auto before = std::count_if(asked.messages.begin(), end_of_past,
                                    [](const auto& m) { return m.role != "system"; });
  out += "- words in it: " + std::to_string(count_words(written(said))) +
         "; messages before it: " + std::to_string(before) + "\n";
  for (const auto& [text, place] : remembered_texts(asked))
    out += "- it was told from memory “" + one_line(text) + "”" +
           (place.empty() ? "" : " (" + one_line(place) + ")") + "\n";
  for (const auto& text : attached_texts(said))
    out += "- an attached file says “" + one_line(text) + "”\n";
  out += tool_results(asked, user);
  out +=
      "\nFor answers of a real model, name one and restart:\n\n```sh\n"
      "export SOMA_LLM_BASE_URL=… SOMA_LLM_API_KEY=… SOMA_LLM_MODEL=…\n```\n\nUntil then the same "
      "question always gets *this same* answer.";
  return out;
}

std::string text_for(const conversation& asked, std::size_t user, bool calling) {
  if (asked.how.text) return *asked.how.text;
  if (asked.how.words) return words(*asked.how.words);
  if (calling) return "The rehearsal server asks a tool first.";
  return default_text(asked, user);
}

std::uint64_t tokens(std::string_view text) {
  return (text.size() + 3) / 4;
}

}  // namespace

answer make_answer(const conversation& asked) {
  const auto user = last_user(asked);
  answer out;
  out.calls = choose_calls(asked, user);
  out.thinking = words(asked.how.thinking_words);
  out.text = text_for(asked, user, !out.calls.empty());
  if (asked.how.unicode)
    out.text +=
        " 😀👩‍👩‍👧 漢字かな e\xCC\x81 ñ Ω العربية 𝄞 "
        "\xF0\x9F\x87\xAA\xF0\x9F\x87\xB8 "
        "end";
  for (const auto& m : asked.messages) out.prompt_tokens += tokens(m.text) + 4;
  out.completion_tokens = tokens(out.thinking) + tokens(out.text);
  if (asked.how.usage) std::tie(out.prompt_tokens, out.completion_tokens) = *asked.how.usage;
  return out;
}

std::string_view rest_after(std::string_view text, std::string_view prefix) {
  const auto differ =
      std::mismatch(text.begin(), text.end(), prefix.begin(), prefix.end()).first - text.begin();
  auto from = static_cast<std::size_t>(differ);
  while (from > 0 && from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80)
    --from;
  return text.substr(from);
}

std::string_view next_piece(std::string_view& text, std::size_t bytes_max) {
  std::size_t n = 0;
  if (bytes_max == 0) {
    n = std::min(text.find_first_not_of(" \n", std::min(text.find_first_of(" \n"), text.size())),
                 text.size());
  } else {
    n = utf8_complete_prefix(text.substr(0, bytes_max));
    if (n == 0) n = std::max<std::size_t>(utf8_sequence_length(text), 1);
  }
  const auto piece = text.substr(0, n);
  text.remove_prefix(n);
  return piece;
}

}  // namespace soma::rehearsal
