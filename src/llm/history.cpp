#include "llm/history.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

#include "core/fingerprint.hpp"
#include "llm/thought_splitter.hpp"

namespace soma::llm {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view blank_user = "(an empty message)";
constexpr std::string_view went_before = "(The conversation goes on from here.)";
constexpr std::string_view no_answer = "(no answer)";
constexpr std::string_view no_result =
    R"({"status":"interrupted","detail":"the call has no result"})";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(white_space) == text.npos;
}
bool is_blank(const chat_message& m) {
  return m.content_json.empty() && is_blank(m.text);
}
bool is_system(const chat_message& m) {
  return m.role == "system" || m.role == "developer";
}

// Mistral's templates: nine letters and digits, and an answer between a result and the user.
bool is_mistral(const profile& target) {
  if (target.provider == "mistral") return true;
  std::string model = target.model;
  for (char& c : model)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const std::string_view family :
       {"mistral", "mixtral", "ministral", "magistral", "codestral", "devstral", "pixtral"})
    if (model.find(family) != model.npos) return true;
  return false;
}

enum class letters { printable, word, alphanumeric };
struct id_rules {
  letters of = letters::printable;
  std::size_t bytes_min = 1, bytes_max = 4096;  // LiteLLM puts Gemini's signatures into ids
};

id_rules rules_of(const profile& target) {
  if (target.wire == wire_kind::anthropic) return {letters::word, 1, 128};
  if (target.wire == wire_kind::openai_responses) return {letters::printable, 1, 64};
  if (is_mistral(target)) return {letters::alphanumeric, 9, 9};
  if (target.provider == "openai" || target.provider == "azure") return {letters::printable, 1, 40};
  return {};
}

bool fits(std::string_view id, const id_rules& rules) {
  if (id.size() < rules.bytes_min || id.size() > rules.bytes_max) return false;
  return std::all_of(id.begin(), id.end(), [&](char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    if (rules.of == letters::word) return c == '_' || c == '-';
    return rules.of == letters::printable && c > 0x20 && c < 0x7f;
  });
}

// Ids that were given are kept where they may be; others are made of them, always the same.
class id_giver {
 public:
  explicit id_giver(const profile& target) : rules_(rules_of(target)) {}

  std::string give(const std::string& wanted) {
    auto id = wanted;
    for (std::uint64_t n = 0; !fits(id, rules_) || used_.contains(id); ++n) id = made(wanted, n);
    used_.insert(id);
    return id;
  }

 private:
  static std::string made(std::string_view of, std::uint64_t n) {
    constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    auto hash = fingerprint(of, fingerprint_of_nothing + n);
    hash ^= hash >> 29;
    std::string id;
    for (int i = 0; i < 9; ++i, hash /= alphabet.size()) id += alphabet[hash % alphabet.size()];
    return id;
  }

  const id_rules rules_;
  std::set<std::string> used_;
};

// Puts each result behind its call. Results stand among the messages up to the next answer.
class pairing {
 public:
  explicit pairing(const profile& target) : ids_(target) {}

  std::vector<chat_message> run(const std::vector<chat_message>& all) {
    for (const auto& m : all) {
      if (m.role == "tool") {
        take_result(m);
        continue;
      }
      close_calls();
      out_.push_back(m);
      if (m.role == "assistant" && !m.tool_calls.empty()) open_calls();
    }
    close_calls();
    return std::move(out_);
  }

 private:
  struct open_call {
    std::string wanted, id;
    std::optional<chat_message> result;
  };

  void open_calls() {
    for (auto& call : out_.back().tool_calls) {
      open_.push_back({call.provider_call_id, ids_.give(call.provider_call_id), {}});
      call.provider_call_id = open_.back().id;
    }
  }

  void take_result(const chat_message& m) {
    for (auto& call : open_) {
      if (call.result || call.wanted != m.provider_call_id) continue;
      call.result = m;
      call.result->provider_call_id = call.id;
      return;
    }
    orphans_.push_back({"user", "The result of a tool: " + m.text, {}, {}});
  }

  void close_calls() {
    for (auto& call : open_) {
      if (call.result)
        out_.push_back(std::move(*call.result));
      else
        out_.push_back({"tool", std::string(no_result), {}, call.id});
    }
    open_.clear();
    for (auto& orphan : orphans_) out_.push_back(std::move(orphan));
    orphans_.clear();
  }

  id_giver ids_;
  std::vector<chat_message> out_, orphans_;
  std::vector<open_call> open_;
};

void join_text(std::string& into, std::string_view more) {
  if (!into.empty() && !more.empty()) into += "\n\n";
  into += more;
}

void join_state(std::string& into, const std::string& more) {
  if (more.size() <= 2) return;
  if (into.size() <= 2)
    into = more;
  else
    into = into.substr(0, into.size() - 1) + "," + more.substr(1);
}

void add(std::vector<chat_message>& out, chat_message m) {
  const bool follows = !out.empty() && out.back().role == m.role && m.role != "tool" &&
                       !is_system(m) && out.back().tool_calls.empty() && m.content_json.empty() &&
                       out.back().content_json.empty();
  if (!follows) return out.push_back(std::move(m));
  auto& last = out.back();
  join_text(last.text, m.text);
  last.tool_calls = std::move(m.tool_calls);
  join_state(last.provider_state_json, m.provider_state_json);
  last.pictures.insert(last.pictures.end(), m.pictures.begin(), m.pictures.end());
}

}  // namespace

std::vector<chat_message> sendable(const call& c) {
  std::vector<chat_message> out;
  const bool mistral = is_mistral(c.target);
  std::string system;
  for (auto& m : pairing(c.target).run(c.messages)) {
    if (is_system(m)) {
      if (is_blank(m)) continue;
      if (!c.form.no_system)
        out.push_back(std::move(m));
      else
        join_text(system, m.text);
      continue;
    }
    const bool first = out.empty() || is_system(out.back());
    if (m.role == "assistant") {
      // Thinking that was taken for text until its end came (llm/thought_splitter.hpp).
      m.text.erase(0, behind_lone_thought(m.text));
      if (is_blank(m)) m.text.clear();
      if (is_blank(m) && m.tool_calls.empty()) continue;
      if (first) out.push_back({"user", std::string(went_before), {}, {}});
    } else if (m.role == "user") {
      if (is_blank(m)) m.text = m.pictures.empty() ? blank_user : std::string_view();
      if (mistral && !first && out.back().role == "tool")
        out.push_back({"assistant", std::string(no_answer), {}, {}});
    }
    add(out, std::move(m));
  }
  if (system.empty()) return out;
  for (auto& m : out)
    if (m.role == "user" && m.content_json.empty()) {
      join_text(system, m.text);
      m.text = std::move(system);
      return out;
    }
  out.insert(out.begin(), chat_message{"user", std::move(system), {}, {}});
  return out;
}

std::size_t since_user(const std::vector<chat_message>& messages) {
  for (std::size_t n = messages.size(); n > 0; --n)
    if (messages[n - 1].role == "user") return n;
  return 0;
}

}  // namespace soma::llm
