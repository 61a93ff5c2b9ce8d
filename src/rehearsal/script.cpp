#include "rehearsal/script.hpp"

#include <charconv>
#include <map>

#include "core/codes.hpp"

namespace soma::rehearsal {
namespace {

constexpr std::string_view opening = "[[rehearsal";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view in) {
  std::string out;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '%' && i + 2 < in.size() && hex_digit(in[i + 1]) >= 0 &&
        hex_digit(in[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(in[i + 1]) * 16 + hex_digit(in[i + 2]));
      i += 2;
    } else {
      out += in[i];
    }
  }
  return out;
}

template <class Number>
bool number(std::string_view text, Number& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size();
}

template <class Number>
bool number(std::string_view text, std::optional<Number>& out) {
  return number(text, out.emplace());
}

bool flag(std::string_view text, bool& out) {
  out = text == "1";
  return text == "1" || text == "0";
}

bool fault_name(std::string_view text, fault_kind& out) {
  static const std::map<std::string_view, fault_kind> names{
      {"cut", fault_kind::cut},
      {"reset", fault_kind::reset},
      {"rubbish", fault_kind::rubbish},
      {"hang", fault_kind::hang},
      {"error_event", fault_kind::error_event}};
  const auto found = names.find(text);
  if (found == names.end()) return false;
  out = found->second;
  return true;
}

bool usage_pair(std::string_view text, script& out) {
  const auto comma = text.find(',');
  auto& pair = out.usage.emplace();
  return comma != text.npos && number(text.substr(0, comma), pair.first) &&
         number(text.substr(comma + 1), pair.second);
}

// tool and inputs, or tool<n> and inputs<n>: calls are made in the order of n.
struct numbered_calls {
  std::map<std::uint32_t, scripted_call> by_number;

  bool set(std::string_view key, std::string value) {
    const bool tool = key.starts_with("tool");
    const auto digits = key.substr(tool ? 4 : 6);
    std::uint32_t n = 0;
    if (!digits.empty() && !number(digits, n)) return false;
    auto& call = by_number[n];
    (tool ? call.tool_id : call.inputs_json) = std::move(value);
    return true;
  }
};

bool set(script& s, numbered_calls& calls, std::string_view key, std::string value) {
  if (key == "delay_ms") return number(value, s.delay_ms);
  if (key == "first_delay_ms") return number(value, s.first_delay_ms);
  if (key == "words") return number(value, s.words);
  if (key == "thinking") return number(value, s.thinking_words);
  if (key == "chunk_bytes") return number(value, s.chunk_bytes);
  if (key == "unicode") return flag(value, s.unicode);
  if (key == "fault") return fault_name(value, s.fault);
  if (key == "fault_at") return number(value, s.fault_at);
  if (key == "fault_times") return number(value, s.fault_times);
  if (key == "status") return number(value, s.status) && s.status >= 400 && s.status <= 599;
  if (key == "retry_after") return number(value, s.retry_after_s);
  if (key == "hang_before") return flag(value, s.hang_before);
  if (key == "refuse_prefix") return flag(value, s.refuse_prefix);
  if (key == "tools_rounds") return number(value, s.tools_rounds);
  if (key == "usage") return usage_pair(value, s);
  if (key == "text") {
    s.text = std::move(value);
    return true;
  }
  if (key.starts_with("tool") || key.starts_with("inputs")) return calls.set(key, std::move(value));
  return false;
}

result<script> read_script(std::string_view inside) {
  script out;
  numbered_calls calls;
  bool fault_at_given = false;
  while (true) {
    const auto start = inside.find_first_not_of(" \t\r\n");
    if (start == inside.npos) break;
    const auto end = std::min(inside.find_first_of(" \t\r\n", start), inside.size());
    const auto pair = inside.substr(start, end - start);
    inside.remove_prefix(end);
    const auto equals = pair.find('=');
    const auto key = pair.substr(0, equals);
    if (equals == pair.npos || !set(out, calls, key, percent_decode(pair.substr(equals + 1))))
      return error(codes::llm_bad_request,
                   "rehearsal directive: cannot read " + std::string(key.substr(0, 40)));
    fault_at_given = fault_at_given || key == "fault_at";
  }
  if (fault_at_given && out.fault == fault_kind::none) out.fault = fault_kind::cut;
  for (auto& [n, call] : calls.by_number) {
    if (call.inputs_json.empty()) call.inputs_json = "{}";
    if (!call.tool_id.empty()) out.calls.push_back(std::move(call));
  }
  return out;
}

}  // namespace

// A runtime joins messages that got no answer with the one that follows, as a paragraph of its own:
// what an earlier one asked for is done with. What was read of attachments follows its message.
bool is_stale(std::string_view behind) {
  const auto paragraph = behind.find("\n\n");
  if (paragraph == behind.npos) return false;
  behind.remove_prefix(paragraph);
  return behind.find_first_not_of(" \t\r\n") != behind.npos &&
         !behind.starts_with("\n\nOf the attached files");
}

result<script> take_script(std::string& text) {
  script last;
  for (auto start = text.find(opening); start != text.npos; start = text.find(opening, start)) {
    const auto inside = start + opening.size();
    const auto end = text.find("]]", inside);
    if (end == text.npos) return error(codes::llm_bad_request, "rehearsal directive: no ]] found");
    auto read = read_script(std::string_view(text).substr(inside, end - inside));
    if (!read) return read.error();
    last = is_stale(std::string_view(text).substr(end + 2)) ? script() : std::move(*read);
    text.erase(start, end + 2 - start);
  }
  return last;
}

}  // namespace soma::rehearsal
