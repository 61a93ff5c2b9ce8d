#include "llm/model_profile.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/ip_address.hpp"
#include "core/json_writer.hpp"
#include "core/loopback.hpp"
#include "llm/base_url.hpp"
#include "llm/wire.hpp"

namespace soma::llm {
namespace {

namespace json = boost::json;

constexpr std::size_t name_bytes_max = 64, model_bytes_max = 256, stop_max = 16,
                      stop_bytes_max = 256, fallbacks_max = 8, extra_bytes_max = 16 * 1024;
constexpr std::uint64_t context_window_max = 10'000'000, context_window_min = 512;
constexpr std::uint64_t max_tokens_max = 1'000'000;
constexpr double price_max = 1e6;

struct known_provider {
  std::string_view host_ending, name;
};
constexpr std::array<known_provider, 9> providers = {{
    {"api.openai.com", "openai"},
    {"api.anthropic.com", "anthropic"},
    {"generativelanguage.googleapis.com", "google"},
    {"api.mistral.ai", "mistral"},
    {"api.groq.com", "groq"},
    {"openrouter.ai", "openrouter"},
    {"api.deepseek.com", "deepseek"},
    {"api.together.xyz", "together"},
    {"openai.azure.com", "azure"},
}};

bool is_word(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= bytes_max && text.front() != '.' && text.front() != '-' &&
         text.find_first_not_of(allowed) == text.npos;
}

// Takes the members of an object one by one; the first that is wrong is the error.
class members {
 public:
  members(const json::object& from, std::string where) : from_(from), where_(std::move(where)) {}

  bool good() const { return !error_; }
  error why() const { return *error_; }

  void refuse(std::string_view name, std::string_view why) {
    if (!error_)
      error_ = error(codes::profile_invalid, where_ + std::string(name) + ": " + std::string(why));
  }

  void text(std::string_view name, std::string& into, std::size_t bytes_max) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_string()) return refuse(name, "must be a string");
    if (value->get_string().size() > bytes_max) return refuse(name, "is too long");
    into = value->get_string();
  }

  void word(std::string_view name, std::string& into) {
    text(name, into, name_bytes_max);
    if (good() && !into.empty() && !is_word(into, name_bytes_max))
      refuse(name, "must be of a-z, 0-9, dots, dashes and underscores");
  }

  template <class Number>
  void number(std::string_view name, std::optional<Number>& into, double low, double high) {
    const auto* value = take(name);
    if (!value || value->is_null()) return;
    boost::system::error_code ec;
    const auto given = value->is_number() ? value->to_number<double>(ec) : low - 1;
    if (ec || !(given >= low && given <= high) ||
        (std::is_integral_v<Number> && given != static_cast<double>(static_cast<Number>(given))))
      return refuse(name, "must be a number from " + short_text(low) + " to " + short_text(high));
    into = static_cast<Number>(given);
  }

  void flag(std::string_view name, bool& into) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_bool()) return refuse(name, "must be true or false");
    into = value->get_bool();
  }

  void texts(std::string_view name, std::vector<std::string>& into, std::size_t count_max,
             std::size_t bytes_max) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_array() || value->get_array().size() > count_max)
      return refuse(name, "must be an array of at most " + std::to_string(count_max) + " strings");
    into.clear();
    for (const auto& item : value->get_array()) {
      if (!item.is_string() || item.get_string().empty() || item.get_string().size() > bytes_max)
        return refuse(name, "must hold strings of 1 to " + std::to_string(bytes_max) + " bytes");
      into.emplace_back(item.get_string());
    }
  }

  const json::object* object(std::string_view name) {
    const auto* value = take(name);
    if (!value) return nullptr;
    if (!value->is_object()) refuse(name, "must be an object");
    return value->if_object();
  }

  void ignore(std::string_view name) { take(name); }

  // What nobody took is not known.
  void rest() {
    for (const auto& member : from_)
      if (std::find(taken_.begin(), taken_.end(), member.key()) == taken_.end())
        return refuse(std::string(member.key()), "is not known");
  }

 private:
  static std::string short_text(double value) {
    std::string text;
    json_writer(text).real(value);
    return text;
  }
  const json::value* take(std::string_view name) {
    taken_.push_back(name);
    return error_ ? nullptr : from_.if_contains(name);
  }

  const json::object& from_;
  const std::string where_;
  std::vector<std::string_view> taken_;
  std::optional<error> error_;
};

std::optional<error> read_parameters(const json::object& from, model_profile& p) {
  members m(from, "parameters.");
  m.number("temperature", p.temperature, 0, 2);
  m.number("top_p", p.top_p, 0, 1);
  m.number("max_tokens", p.max_tokens, 1, max_tokens_max);
  m.texts("stop", p.stop, stop_max, stop_bytes_max);
  m.text("reasoning_effort", p.reasoning_effort, name_bytes_max);
  if (const auto* extra = m.object("extra")) {
    p.extra_json = extra->empty() ? std::string() : json::serialize(*extra);
    if (p.extra_json.size() > extra_bytes_max) m.refuse("extra", "is too long");
  }
  m.rest();
  return m.good() ? std::nullopt : std::optional(m.why());
}

std::optional<error> read_prices(const json::object& from, model_profile& p) {
  members m(from, "prices.");
  std::optional<double> input, cached, output;
  m.number("input", input, 0, price_max);
  m.number("cached_input", cached, 0, price_max);
  m.number("output", output, 0, price_max);
  m.rest();
  if (!m.good()) return m.why();
  p.prices =
      token_prices{input.value_or(0), cached.value_or(input.value_or(0)), output.value_or(0)};
  return std::nullopt;
}

void read_kind(members& m, model_profile& p) {
  std::string kind;
  m.text("kind", kind, name_bytes_max);
  if (kind.empty() || !m.good()) return;
  p.kind = parse_wire_kind(kind);
  if (!p.kind) m.refuse("kind", "must be openai_chat, openai_responses or anthropic");
}

void read_resume(members& m, model_profile& p) {
  std::string resume = "restart";
  m.text("resume", resume, name_bytes_max);
  if (resume != "restart" && resume != "prefill") m.refuse("resume", "must be restart or prefill");
  p.prefill = resume == "prefill";
}

}  // namespace

result<model_profile> parse_profile(std::string_view text, std::string_view name) {
  boost::system::error_code ec;
  const auto document = json::parse({text.data(), text.size()}, ec);
  if (ec || !document.is_object())
    return error(codes::profile_invalid, "a profile must be a JSON object");
  model_profile p;
  members m(document.get_object(), "");
  m.word("name", p.name);
  if (!name.empty()) p.name = name;
  if (m.good() && !is_word(p.name, name_bytes_max))
    m.refuse("name", "must be 1 to 64 of a-z, 0-9, dots, dashes and underscores");
  m.word("role", p.role);
  m.word("provider", p.provider);
  read_kind(m, p);
  m.text("model", p.model, model_bytes_max);
  if (m.good() && p.model.empty()) m.refuse("model", "must name a model");
  if (m.good() && std::any_of(p.model.begin(), p.model.end(),
                              [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    m.refuse("model", "must not hold control characters");
  m.text("base_url", p.base_url, 2048);
  if (m.good()) {
    auto normal = normalize_base_url(p.base_url);
    if (normal)
      p.base_url = std::move(*normal);
    else
      m.refuse("base_url", normal.error().detail);
  }
  read_resume(m, p);
  std::optional<std::uint64_t> window;
  m.number("context_window", window, context_window_min, context_window_max);
  p.context_window = window.value_or(p.context_window);
  p.says_window = window.has_value();
  m.texts("fallbacks", p.fallbacks, fallbacks_max, name_bytes_max);
  m.flag("enabled", p.enabled);
  m.flag("preferred", p.preferred);
  const bool says_pictures = document.get_object().contains("images");
  m.flag("images", p.pictures);
  const auto* parameters = m.object("parameters");
  const auto* prices = m.object("prices");
  for (const auto* shown : {"source", "updated_at"}) m.ignore(shown);  // as GET gives them
  m.rest();
  if (!m.good()) return m.why();
  if (parameters)
    if (auto bad = read_parameters(*parameters, p)) return *bad;
  if (prices)
    if (auto bad = read_prices(*prices, p)) return *bad;
  if (p.provider.empty()) p.provider = detect_provider(p.base_url);
  if (!p.kind) p.kind = default_wire(p.provider);
  if (!says_pictures) p.pictures = takes_pictures(p.provider, p.model);
  // What was said so far cannot be given there as the beginning of the answer.
  if (p.prefill && p.kind == wire_kind::openai_responses)
    return error(codes::profile_invalid, "resume: this kind cannot continue a text, only restart");
  return p;
}

std::string to_json(const model_profile& p) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("name", p.name).field("role", p.role).field("provider", p.provider);
  w.field("kind", to_string(p.kind.value_or(wire_kind::openai_chat)));
  w.field("model", p.model).field("base_url", p.base_url);
  w.key("parameters").begin_object();
  if (p.temperature) w.key("temperature").real(*p.temperature);
  if (p.top_p) w.key("top_p").real(*p.top_p);
  if (p.max_tokens) w.field("max_tokens", std::uint64_t{*p.max_tokens});
  const auto texts = [&w](std::string_view name, const std::vector<std::string>& list) {
    w.key(name).begin_array();
    for (const auto& text : list) w.string(text);
    w.end_array();
  };
  if (!p.stop.empty()) texts("stop", p.stop);
  w.field_if("reasoning_effort", p.reasoning_effort);
  if (!p.extra_json.empty()) w.key("extra").raw(p.extra_json);
  w.end_object().field("resume", p.prefill ? "prefill" : "restart");
  if (p.says_window) w.field("context_window", p.context_window);
  w.field_bool("images", p.pictures);
  if (p.prices) {
    w.key("prices").begin_object().key("input").real(p.prices->input);
    w.key("cached_input").real(p.prices->cached_input);
    w.key("output").real(p.prices->output).end_object();
  }
  texts("fallbacks", p.fallbacks);
  w.field_bool("enabled", p.enabled);
  if (p.preferred) w.field_bool("preferred", true);
  w.end_object();
  return out;
}

std::string_view detect_provider(std::string_view normalized_base_url) {
  const auto parts = split_base_url(normalized_base_url);
  for (const auto& known : providers)
    if (parts.host == known.host_ending ||
        parts.host.ends_with("." + std::string(known.host_ending)))
      return known.name;
  const auto address = parse_ip(parts.host);
  if (is_loopback(parts.host) || (address && !is_public(*address))) return "local";
  return "openai_compatible";
}

std::string_view provider_label(std::string_view provider) {
  for (const std::string_view name : {"local", "openai_compatible"})
    if (provider == name) return name;
  for (const auto& known : providers)
    if (provider == known.name) return known.name;
  return "other";
}

wire_kind default_wire(std::string_view provider) {
  return provider == "anthropic" ? wire_kind::anthropic : wire_kind::openai_chat;
}

bool takes_pictures(std::string_view provider, std::string_view model) {
  if (provider == "anthropic") return model.starts_with("claude-");
  if (provider != "openai") return false;
  for (const std::string_view family : {"gpt-4o", "gpt-4.1", "gpt-5"})
    if (model.starts_with(family)) return true;
  return false;
}

profile to_target(const model_profile& p) {
  profile target;
  target.name = p.name;
  target.provider = p.provider;
  target.wire = p.kind.value_or(wire_kind::openai_chat);
  target.base_url = p.base_url;
  target.model = p.model;
  target.prefill = p.prefill;
  target.pictures = p.pictures;
  target.temperature = p.temperature;
  target.top_p = p.top_p;
  target.max_tokens = p.max_tokens;
  target.stop = p.stop;
  target.reasoning_effort = p.reasoning_effort;
  target.extra_json = p.extra_json;
  target.context_window = p.context_window;
  target.prices = p.prices;
  return target;
}

}  // namespace soma::llm
