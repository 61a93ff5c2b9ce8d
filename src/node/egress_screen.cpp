#include "node/egress_screen.hpp"

#include <boost/json.hpp>
#include <map>
#include <memory>
#include <utility>

#include "core/json_writer.hpp"
#include "security/digest.hpp"

namespace soma {
namespace {

namespace json = boost::json;
namespace pii = security::pii;

// Of whom policy is asked where nobody waits for it, as of calls for vectors.
constexpr std::string_view nobody = "memory";

bool is_url(std::string_view text) {
  return (text.starts_with("http://") || text.starts_with("https://")) &&
         text.find_first_of(" \t\r\n") == text.npos;
}

json::string looked_through(std::string_view text, pii::screen& s) {
  std::string now(text);
  is_url(now) ? s.url(now) : s.text(now);
  return json::string(now);
}

json::value looked_through(const json::value& what, pii::screen& s);

json::object looked_through(const json::object& what, pii::screen& s) {
  json::object out;
  for (const auto& [name, value] : what)
    out.insert_or_assign(looked_through(std::string_view(name), s), looked_through(value, s));
  return out;
}

json::value looked_through(const json::value& what, pii::screen& s) {
  if (what.is_string()) return looked_through(std::string_view(what.get_string()), s);
  if (what.is_object()) return looked_through(what.get_object(), s);
  if (what.is_number()) {  // a placeholder is none
    auto now = json::serialize(what);
    const auto was = now;
    s.text(now);
    return now == was ? what : json::value(now);
  }
  if (!what.is_array()) return what;
  json::array out;
  for (const auto& one : what.get_array()) out.push_back(looked_through(one, s));
  return out;
}

std::string random_mark() {
  std::string out;
  for (const char c : security::random_bytes(pii::placeholders::mark_bytes_max))
    out.push_back(static_cast<char>('a' + (static_cast<unsigned char>(c) & 15)));
  return out;
}

std::string found_json(pii::mode m, const pii::counts& found) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("mode", to_string(m)).key("found").raw(pii::counts_json(found));
  w.end_object();
  return out;
}

}  // namespace

void screen_tool_call(pii::egress_guard& guard, const tools::tool_caller& who,
                      const tools::tool_request& call,
                      std::function<void(tools::screened_call)> then) {
  const auto mode = guard.mode_of(who.session.tenant);
  if (mode == pii::mode::off) return then({{true, {}, {}, false}});
  // What comes back may be by somebody who was not sent these inputs: he guesses no mark.
  pii::screen s(mode == pii::mode::redact, random_mark());
  auto inputs = looked_through(call.inputs, s);
  if (!pii::any(s.found())) return then({{true, {}, {}, false}});
  auto out = std::make_shared<tools::screened_call>();
  out->found_json = found_json(mode, s.found());
  if (const auto words = s.words(); words->size() > 0) {
    out->inputs = std::move(inputs);
    out->words_back = [words](std::string text) {
      return pii::restore_json(*words, std::move(text));
    };
    const auto streams = std::make_shared<std::map<std::string, pii::restorer>>();
    out->piece_back = [words, streams](const std::string& stream, std::string_view piece,
                                       bool last) {
      auto& back = streams->try_emplace(stream, *words).first->second;
      auto text = back.feed(piece);
      return last ? text + back.end() : text;
    };
  }
  pii::leaving what;
  what.tenant = who.session.tenant.value;
  what.user = who.user_id;
  what.session = who.session.session.value;
  what.request_id = who.request_id;
  what.actor_json = who.actor_json;
  what.to = {"tool:" + call.call.tool_id};
  what.found = s.found();
  // What cannot be taken out does not go.
  const auto judged_as = s.is_stuck() ? pii::mode::deny : mode;
  guard.judge(judged_as, std::move(what),
              [out, then = std::move(then)](const std::vector<security::decision>& said) {
                const auto& one = said.front();
                out->said = {one.allow, one.rule, one.reason, one.unavailable};
                then(std::move(*out));
              });
}

memory::outgoing_screen screen_of_memory(pii::egress_guard& guard) {
  return [&guard](const tenant_id& tenant, std::string& body) {
    const auto mode = guard.mode_of(tenant);
    if (mode == pii::mode::off) return memory::outgoing_fate::goes;
    pii::screen s(mode == pii::mode::redact);
    s.json(body);
    if (!pii::any(s.found())) return memory::outgoing_fate::goes;
    pii::leaving what;
    what.tenant = tenant.value;
    what.user = nobody;
    what.to = {"memory:somabrain"};
    what.found = s.found();
    const auto said = guard.judge_waiting(mode, std::move(what));
    if (said.allow) return memory::outgoing_fate::goes;
    return said.unavailable ? memory::outgoing_fate::away : memory::outgoing_fate::refused;
  };
}

}  // namespace soma
