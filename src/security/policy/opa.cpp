#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/shown_text.hpp"
#include "core/utf8.hpp"
#include "security/policy/decision_source.hpp"
#include "security/policy/question.hpp"

namespace soma::security {
namespace {

namespace json = boost::json;

constexpr std::string_view single = "/decision";
constexpr std::size_t questions_max = 100;

error unreadable(std::string why) {
  return {codes::dependency_unavailable, std::move(why)};
}

std::string line_of(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max)
    text = text.substr(0, utf8_complete_prefix(text.substr(0, bytes_max)));
  return plain_line(text);
}

decision denial(std::string rule, std::string reason) {
  return {false, std::move(rule), std::move(reason), false};
}

// {allow, rule?, reason?} or a boolean.
result<decision> decision_of(const json::value& said, std::string_view action) {
  const auto denied_here = "OPA does not allow " + std::string(action);
  if (said.is_bool())
    return said.get_bool() ? decision{true, "opa", {}, false} : denial("opa", denied_here);
  if (!said.is_object()) return unreadable("OPA's answer is neither a boolean nor an object");
  const auto& members = said.get_object();
  const auto* allow = members.if_contains("allow");
  if (!allow || !allow->is_bool()) return unreadable("OPA's answer has no boolean `allow`");
  const auto text = [&](std::string_view name, std::size_t bytes_max) {
    const auto* member = members.if_contains({name.data(), name.size()});
    if (!member || !member->is_string()) return std::string();
    return line_of(std::string_view(member->get_string()), bytes_max);
  };
  decision out;
  out.allow = allow->get_bool();
  out.rule = text("rule", decision_source::rule_bytes_max);
  if (out.rule.empty()) out.rule = "opa";
  if (out.allow) return out;
  out.reason = text("reason", decision_source::reason_bytes_max);
  if (out.reason.empty()) out.reason = denied_here;
  return out;
}

class opa final : public decision_source {
 public:
  explicit opa(std::string decision_path)
      : path_("/v1/data/" + decision_path), together_(path_.ends_with(single)) {}

  std::string_view name() const override { return "opa"; }
  std::size_t batch_max() const override { return together_ ? questions_max : 1; }
  std::string path(std::size_t questions) const override {
    return questions > 1 ? path_ + "s" : path_;
  }

  std::string body(std::span<const policy_input> asked, std::int64_t now_ms) const override {
    if (asked.size() == 1) return "{\"input\":" + input_json(asked.front(), now_ms) + "}";
    std::string out = "{\"input\":{\"questions\":[";
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (i > 0) out.push_back(',');
      out += input_json(asked[i], now_ms);
    }
    return out + "]}}";
  }

  result<std::vector<decision>> read(std::string_view body,
                                     std::span<const policy_input> asked) const override {
    boost::system::error_code ec;
    const auto whole = json::parse({body.data(), body.size()}, ec);
    if (ec || !whole.is_object()) return unreadable("OPA's answer is not JSON");
    const auto* result = whole.get_object().if_contains("result");
    // Undefined: nothing there says yes.
    if (!result) {
      const auto why = "OPA has no answer at " + path(asked.size()).substr(1);
      return std::vector<decision>(asked.size(), denial("opa", why));
    }
    if (asked.size() > 1 && (!result->is_array() || result->get_array().size() != asked.size()))
      return unreadable("OPA did not answer each question");
    std::vector<decision> out;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      auto one = decision_of(asked.size() > 1 ? result->get_array()[i] : *result, asked[i].action);
      if (!one) return one.error();
      out.push_back(std::move(*one));
    }
    return out;
  }

 private:
  const std::string path_;
  const bool together_;
};

}  // namespace

std::unique_ptr<decision_source> make_opa(std::string decision_path) {
  return std::make_unique<opa>(std::move(decision_path));
}

}  // namespace soma::security
