#include "llm/responses_stream.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "llm/provider_limits.hpp"

namespace soma::llm {

namespace json = boost::json;

namespace {

constexpr auto nowhere = static_cast<std::size_t>(-1);

std::optional<std::int64_t> number_member(const json::object& object, std::string_view name) {
  constexpr std::int64_t none = -1;
  const auto number = index_member(object, name, none);
  return number < 0 ? std::nullopt : std::optional(number);
}

// Of a part: of messages its text or refusal.
std::string_view text_of_part(const json::object& part) {
  const auto text = string_member(part, "text");
  return text.empty() ? string_member(part, "refusal") : text;
}

std::string text_of_item(const json::object& item) {
  std::string out;
  for (const char* list : {"summary", "content"})
    if (const auto* parts = array_member(item, list))
      for (const auto& part : *parts)
        if (const auto* object = part.if_object()) out += text_of_part(*object);
  return out;
}

std::string arguments_of(const json::object& from) {
  const auto* value = from.if_contains("arguments");
  if (value && value->is_object()) return json::serialize(*value);
  return std::string(string_member(from, "arguments"));
}

}  // namespace

responses_stream::item_kind responses_stream::kind_of(const json::object& item) {
  const auto type = string_member(item, "type");
  if (type == "message" || type.empty()) return item_kind::message;
  if (type == "reasoning") return item_kind::reasoning;
  return type == "function_call" ? item_kind::call : item_kind::other;
}

// By its id or its call's, else by its number: llama.cpp numbers nothing, some gateways number
// everything 0, and others give an item a new id with every event.
std::size_t responses_stream::known_place(const item& told, bool begins) const {
  const auto newest = [&](auto fits) {
    for (auto n = items_.size(); n > 0; --n)
      if (items_[n - 1].kind == told.kind && fits(items_[n - 1])) return n - 1;
    return nowhere;
  };
  const auto named = newest([&](const item& known) {
    return (!told.call_id.empty() && told.call_id == known.call_id) ||
           (!told.id.empty() && (told.id == known.id || told.id == known.call_id));
  });
  if (named != nowhere) return named;
  const bool has_name = !told.id.empty() || !told.call_id.empty();
  if (begins && has_name) return nowhere;
  const auto could_be = [&](const item& known) {
    return told.call_id.empty() || known.call_id.empty();
  };
  const auto numbered = newest([&](const item& known) {
    return told.index && known.index == told.index && could_be(known);
  });
  if (numbered != nowhere) return numbered;
  return newest([&](const item& known) {
    const bool nearest = !told.index && (!has_name || known.in_pieces);
    return could_be(known) && (nearest || (!known.index && known.id.empty()));
  });
}

std::size_t responses_stream::place_of(const json::object& event, item_kind kind, bool begins) {
  item told{kind, number_member(event, "output_index"), {}, {}, {}, {}};
  const auto id_in = [](const json::object& o, std::string_view name) {
    return string_member(o, name).substr(0, limits::item_id_bytes_max);
  };
  told.id = id_in(event, "item_id");
  told.call_id = id_in(event, "call_id");
  if (const auto* inside = object_member(event, "item")) {
    if (told.id.empty()) told.id = id_in(*inside, "id");
    if (told.call_id.empty()) told.call_id = id_in(*inside, "call_id");
  }
  const auto at = known_place(told, begins);
  if (at == nowhere) {
    if (items_.size() >= limits::items_max) return items_.size() - 1;
    items_.push_back(std::move(told));
    return items_.size() - 1;
  }
  auto& known = items_[at];
  if (!known.index) known.index = told.index;
  if (known.id.empty()) known.id = std::move(told.id);
  if (known.call_id.empty()) known.call_id = std::move(told.call_id);
  return at;
}

void responses_stream::say(std::size_t place, std::optional<std::int64_t> part,
                           std::string_view text) {
  if (text.empty()) return;
  auto& of = items_[place];
  of.said.add(text);
  if (!part) of.unnumbered = true;
  if (of.parts.size() < limits::items_max || of.parts.contains(part.value_or(0)))
    of.parts[part.value_or(0)].add(text);
  if (of.kind != item_kind::reasoning) text_.add(text);
  give(text, of.kind == item_kind::reasoning);
}

// The end of a part: its whole text.
void responses_stream::on_part_end(const json::object& event, item_kind kind,
                                   std::string_view text) {
  const auto place = place_of(event, kind);
  const auto& of = items_[place];
  if (of.unnumbered && !of.said.nothing()) return;  // the end of the item has it, too
  auto part = number_member(event, "content_index");
  if (!part) part = number_member(event, "summary_index");
  const auto at = of.parts.find(part.value_or(0));
  say(place, part.value_or(0), at == of.parts.end() ? text : at->second.missing_of(text));
}

bool responses_stream::on_piece_of_text(std::string_view type, const json::object& event) {
  const auto is = [&](std::string_view name) { return type == name; };
  auto kind = item_kind::message;
  if (type.starts_with("response.reasoning")) kind = item_kind::reasoning;
  if (is("response.output_text.delta") || is("response.refusal.delta") ||
      is("response.reasoning_summary_text.delta") || is("response.reasoning_text.delta") ||
      is("response.reasoning.delta")) {
    auto part = number_member(event, "content_index");
    if (!part) part = number_member(event, "summary_index");
    const auto place = place_of(event, kind);
    items_[place].in_pieces = true;
    say(place, part, string_member(event, "delta"));
  } else if (is("response.output_text.done") || is("response.refusal.done") ||
             is("response.reasoning_summary_text.done") || is("response.reasoning_text.done")) {
    on_part_end(event, kind, text_of_part(event));
  } else if (is("response.content_part.done") || is("response.reasoning_summary_part.done")) {
    const auto* part = object_member(event, "part");
    if (part && string_member(*part, "type").starts_with("reasoning")) kind = item_kind::reasoning;
    if (part) on_part_end(event, kind, text_of_part(*part));
  } else {
    return false;
  }
  return true;
}

void responses_stream::on_object(const json::object& event) {
  const auto type = string_member(event, "type");
  if (on_piece_of_text(type, event)) return;
  const auto* item = object_member(event, "item");
  if (type == "response.function_call_arguments.delta") {
    const auto place = place_of(event, item_kind::call);
    grow({static_cast<std::int64_t>(place), {}, {}, string_member(event, "delta")});
  } else if (type == "response.function_call_arguments.done") {
    on_arguments_end(place_of(event, item_kind::call), event);
  } else if (type == "response.output_item.added") {
    if (item) on_item_begin(event, *item);
  } else if (type == "response.output_item.done") {
    if (item) on_item_end(place_of(event, kind_of(*item)), *item);
  } else if (type == "response.completed" || type == "response.incomplete" ||
             type == "response.failed" || type == "response.done") {
    if (const auto* response = object_member(event, "response")) on_response(*response);
  } else if (type == "error") {
    const auto* inside = object_member(event, "error");  // as some servers put it
    on_error(inside ? *inside : event);
  } else if (const auto* error = object_member(event, "error")) {
    on_error(*error);
  } else if (string_member(event, "object") == "response") {
    on_response(event);
  } else if (string_member(event, "object") == "error" || event.contains("detail")) {
    on_error(event);  // of a proxy
  }
}

void responses_stream::on_item_begin(const json::object& event, const json::object& item) {
  const auto kind = kind_of(item);
  const auto place = place_of(event, kind, true);
  if (kind == item_kind::call)
    grow({static_cast<std::int64_t>(place),
          string_member(item, "call_id"),
          string_member(item, "name"),
          {}});
}

void responses_stream::on_arguments_end(std::size_t place, const json::object& from) {
  const auto index = static_cast<std::int64_t>(place);
  const auto whole = arguments_of(from);
  const auto* call = find_call(index);
  const auto known = call ? std::string_view(call->arguments) : std::string_view();
  const auto rest =
      whole.starts_with(known) ? std::string_view(whole).substr(known.size()) : std::string_view();
  if (!rest.empty()) grow({index, {}, {}, std::string(rest)});
}

void responses_stream::on_item_end(std::size_t place, const json::object& item) {
  const auto kind = kind_of(item);
  if (kind == item_kind::call) {
    grow({static_cast<std::int64_t>(place),
          string_member(item, "call_id"),
          string_member(item, "name"),
          {}});
    return on_arguments_end(place, item);
  }
  if (kind == item_kind::other) return;
  const auto text = text_of_item(item);
  say(place, std::nullopt, items_[place].said.missing_of(text));
  if (kind == item_kind::reasoning && item.contains("encrypted_content")) {
    keeps_state_ = true;
    keep_state(json::serialize(item));
  }
}

void responses_stream::on_response(const json::object& response) {
  if (const auto* items = array_member(response, "output")) on_items(*items);
  if (const auto* usage = object_member(response, "usage")) on_usage(*usage);
  if (const auto* error = object_member(response, "error")) return on_error(*error);
  finish_reason_ = string_member(response, "status");
  if (const auto* details = object_member(response, "incomplete_details"))
    if (const auto reason = string_member(*details, "reason"); !reason.empty())
      finish_reason_ = reason;
  if (finish_reason_ == "failed") return provider_failed(0, {}, {}, {});
  done_ = true;
}

// All at the end: of a document, or of a server that told nothing, or not all, before.
void responses_stream::on_items(const json::array& items) {
  if (!spoke()) {
    std::int64_t index = 0;
    for (const auto& value : items)
      if (const auto* item = value.if_object()) {
        json::object event{{"output_index", index++}, {"item", *item}};
        const auto place = place_of(event, kind_of(*item));
        on_item_end(place, *item);
      }
    return;
  }
  std::string text;
  for (const auto& value : items) {
    const auto* item = value.if_object();
    if (item && kind_of(*item) == item_kind::message) text += text_of_item(*item);
    // What was thought comes too late to be told, but is wanted back.
    if (item && !keeps_state_ && kind_of(*item) == item_kind::reasoning &&
        item->contains("encrypted_content"))
      keep_state(json::serialize(*item));
  }
  if (const auto missing = std::string(text_.missing_of(text)); !missing.empty())
    say(place_of({}, item_kind::message), std::nullopt, missing);
  on_calls(items);
}

// Calls that no event before told of. None where the ids of those that were told are not the same
// here: they may be the same calls.
void responses_stream::on_calls(const json::array& items) {
  const auto knows = [&](std::string_view id) {
    return std::any_of(calls().begin(), calls().end(),
                       [&](const growing_call& call) { return call.id == id; });
  };
  std::size_t known = 0;
  for (const auto& value : items)
    if (const auto* item = value.if_object(); item && kind_of(*item) == item_kind::call)
      known += knows(string_member(*item, "call_id"));
  if (known != calls().size()) return;
  for (const auto& value : items)
    if (const auto* item = value.if_object(); item && kind_of(*item) == item_kind::call) {
      const json::object event{{"item", *item}};
      on_item_end(place_of(event, item_kind::call, true), *item);
    }
}

void responses_stream::on_usage(const json::object& usage) {
  usage_.prompt_tokens = count_member(usage, "input_tokens");
  usage_.completion_tokens = count_member(usage, "output_tokens");
  if (const auto* details = object_member(usage, "input_tokens_details"))
    usage_.cached_tokens = count_member(*details, "cached_tokens");
  if (const auto* details = object_member(usage, "output_tokens_details"))
    usage_.reasoning_tokens = count_member(*details, "reasoning_tokens");
}

void responses_stream::on_error(const json::object& error) {
  const auto code = string_member(error, "code");
  provider_failed(0, string_member(error, "message"), string_member(error, "type"), code);
}

}  // namespace soma::llm
