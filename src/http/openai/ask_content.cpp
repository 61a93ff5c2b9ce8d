// Parts of a message's content: read from both of OpenAI's APIs, written for each wire.
#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/openai/model_ask.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;
using llm::wire_kind;

constexpr std::string_view picture_types[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};

struct data_url {
  std::string type, base64;
};

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool begins_with(std::string_view text, std::string_view lower) {
  return lower_case(text.substr(0, lower.size())) == lower;
}

// Base64 as providers read it: without line breaks, in its common letters, padded. Empty where it
// is none.
std::string plain_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    out += c == '-' ? '+' : c == '_' ? '/' : c;
  }
  while (!out.empty() && out.back() == '=') out.pop_back();
  const bool good = out.size() % 4 != 1 && std::all_of(out.begin(), out.end(), [](char c) {
                      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                             (c >= '0' && c <= '9') || c == '+' || c == '/';
                    });
  if (!good) return {};
  while (out.size() % 4 != 0) out += '=';
  return out;
}

// data:TYPE;…;base64,DATA in any case, with parameters that say nothing of bytes (charset). None:
// it is no such URL; `base64` is empty where what it holds is not.
std::optional<data_url> split_data_url(std::string_view url) {
  constexpr std::string_view scheme = "data:", mark = ";base64";
  if (!begins_with(url, scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  const auto comma = url.find(',');
  if (comma == url.npos) return std::nullopt;
  const auto head = lower_case(url.substr(0, comma));
  if (!head.ends_with(mark)) return std::nullopt;
  return data_url{head.substr(0, head.find(';')), plain_base64(url.substr(comma + 1))};
}

std::string written(const data_url& data) {
  return "data:" + data.type + ";base64," + data.base64;
}

// What a picture is by its first bytes, as they are in base64; else what it is called. Providers
// compare the two, and clients take one from the name of a file.
std::string picture_type(const data_url& data) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {{"iVBORw0KGgo", "image/png"},
                                                                     {"/9j/", "image/jpeg"},
                                                                     {"R0lGOD", "image/gif"},
                                                                     {"UklGR", "image/webp"}};
  for (const auto& [first, type] : known)
    if (data.base64.starts_with(first)) return std::string(type);
  return data.type == "image/jpg" || data.type == "image/pjpeg" ? "image/jpeg" : data.type;
}

bool is_web_url(std::string_view url) {
  return begins_with(url, "https://") || begins_with(url, "http://");
}

result<ask_part> picture(std::string url, std::string detail, std::string_view parameter) {
  if (auto data = split_data_url(url)) {
    if (data->base64.empty()) return ask_invalid(parameter, "the picture is not base64");
    data->type = picture_type(*data);
    if (std::find(std::begin(picture_types), std::end(picture_types), data->type) ==
        std::end(picture_types))
      return ask_invalid(parameter, "a picture must be PNG, JPEG, GIF or WebP");
    url = written(*data);
  } else if (!is_web_url(url)) {
    return ask_invalid(parameter, "must be a data: URL with base64, or an http(s) URL");
  }
  ask_part part;
  part.is = ask_part::kind::picture;
  part.text = std::move(url);
  part.detail = std::move(detail);
  return part;
}

// An object with `url` in one API, the URL itself in the other; clients know no difference.
result<ask_part> picture_of_url(const json::object& o, std::string_view parameter) {
  const auto* value = o.if_contains("image_url");
  const auto* image = value ? value->if_object() : nullptr;
  if (!image) return picture(text_of(o, "image_url"), text_of(o, "detail"), parameter);
  return picture(text_of(*image, "url"), text_of(*image, "detail"), parameter);
}

// Anthropic's.
result<ask_part> picture_of_source(const json::object& o, std::string_view parameter) {
  const auto* value = o.if_contains("source");
  const auto* source = value ? value->if_object() : nullptr;
  if (!source) return ask_invalid(parameter, "source must be an object");
  const auto type = text_of(*source, "type");
  if (type == "base64")
    return picture(written({text_of(*source, "media_type"), text_of(*source, "data")}), {},
                   parameter);
  if (type == "url") return picture(text_of(*source, "url"), {}, parameter);
  return ask_unsupported(std::string(parameter) + ".source",
                         "names what is stored at a provider; send the picture itself");
}

result<ask_part> file(const json::object& o, std::string_view parameter) {
  if (o.contains("file_id") && !o.at("file_id").is_null())
    return ask_unsupported(std::string(parameter) + ".file_id",
                           "names what is stored at a provider; send the file itself");
  ask_part part;
  part.is = ask_part::kind::file;
  part.text = text_of(o, "file_data");
  part.filename = text_of(o, "filename");
  if (part.text.empty()) part.text = text_of(o, "file_url");
  if (!is_web_url(part.text)) {
    const auto data = split_data_url(part.text);
    if (!data || data->base64.empty())
      return ask_invalid(parameter, "file_data must be a data: URL with base64");
    part.text = written(*data);
  }
  return part;
}

result<ask_part> text(const json::object& o, const char* member, ask_part::kind kind,
                      std::string_view parameter) {
  const auto* value = o.if_contains(member);
  if (!value || !value->is_string())
    return ask_invalid(parameter, std::string(member) + " must be a string");
  ask_part part;
  part.is = kind;
  part.text = value->get_string();
  return part;
}

// ---- writing ----

void write_source(json_writer& w, const ask_part& part) {
  w.key("source").begin_object();
  if (const auto data = split_data_url(part.text))
    w.field("type", "base64").field("media_type", data->type).field("data", data->base64);
  else
    w.field("type", "url").field("url", part.text);
  w.end_object();
}

result<void> write_anthropic(json_writer& w, const ask_part& part) {
  w.begin_object();
  switch (part.is) {
    case ask_part::kind::text:
    case ask_part::kind::refusal: w.field("type", "text").field("text", part.text); break;
    case ask_part::kind::picture:
      w.field("type", "image");
      write_source(w, part);
      break;
    case ask_part::kind::file: {
      const auto data = split_data_url(part.text);
      if (data && data->type != "application/pdf")
        return ask_unsupported("file", "of this type cannot be given to this model; a PDF can");
      w.field("type", "document");
      write_source(w, part);
      w.field_if("title", part.filename);
      break;
    }
  }
  w.end_object();
  return {};
}

result<void> write_responses(json_writer& w, const ask_part& part, std::string_view role) {
  w.begin_object();
  switch (part.is) {
    case ask_part::kind::text:
      w.field("type", role == "assistant" ? "output_text" : "input_text").field("text", part.text);
      break;
    case ask_part::kind::refusal: w.field("type", "refusal").field("refusal", part.text); break;
    case ask_part::kind::picture:
      w.field("type", "input_image").field("image_url", part.text);
      w.field_if("detail", part.detail);
      break;
    case ask_part::kind::file:
      w.field("type", "input_file");
      if (is_web_url(part.text))
        w.field("file_url", part.text);
      else
        w.field("file_data", part.text)
            .field("filename", part.filename.empty() ? "file" : part.filename);
      break;
  }
  w.end_object();
  return {};
}

result<void> write_chat(json_writer& w, const ask_part& part, std::string_view role) {
  if (role == "tool" && part.is != ask_part::kind::text)
    return ask_unsupported("output", "of a tool can be text alone for this model's provider");
  w.begin_object();
  switch (part.is) {
    case ask_part::kind::text: w.field("type", "text").field("text", part.text); break;
    case ask_part::kind::refusal: w.field("type", "refusal").field("refusal", part.text); break;
    case ask_part::kind::picture:
      w.field("type", "image_url").key("image_url").begin_object().field("url", part.text);
      w.field_if("detail", part.detail).end_object();
      break;
    case ask_part::kind::file:
      if (is_web_url(part.text))
        return ask_unsupported("file_url", "cannot be said to this model's provider");
      w.field("type", "file").key("file").begin_object().field("file_data", part.text);
      w.field("filename", part.filename.empty() ? "file" : part.filename).end_object();
      break;
  }
  w.end_object();
  return {};
}

}  // namespace

result<ask_part> read_part(const json::value& value, std::string_view role,
                           std::string_view parameter) {
  const auto* o = value.if_object();
  if (!o) return ask_invalid(parameter, "must be an object");
  const auto type = text_of(*o, "type");
  if (type == "text" || type == "input_text" || type == "output_text")
    return text(*o, "text", ask_part::kind::text, parameter);
  if (type == "refusal") return text(*o, "refusal", ask_part::kind::refusal, parameter);
  const bool media = role == "user" || role == "tool";
  if (media && (type == "image_url" || type == "input_image")) {
    if (o->contains("file_id") && !o->at("file_id").is_null())
      return ask_unsupported(std::string(parameter) + ".file_id",
                             "names what is stored at a provider; send the picture itself");
    return picture_of_url(*o, parameter);
  }
  if (media && type == "image") return picture_of_source(*o, parameter);
  if (media && type == "file") {
    const auto* inner = o->if_contains("file");
    const auto* object = inner ? inner->if_object() : nullptr;
    if (!object) return ask_invalid(parameter, "file must be an object");
    return file(*object, parameter);
  }
  if (media && type == "input_file") return file(*o, parameter);
  if (type.empty()) return ask_invalid(parameter, "type must be a string");
  return ask_unsupported(parameter,
                         "is of a type that cannot be given here: " + type.substr(0, 40));
}

result<written_parts> write_parts(const std::vector<ask_part>& parts, std::string_view role,
                                  wire_kind wire) {
  written_parts out;
  bool only_text = true;
  for (const auto& part : parts) {
    const bool is_text = part.is == ask_part::kind::text ||
                         (part.is == ask_part::kind::refusal && wire == wire_kind::anthropic);
    if (is_text) out.text += part.text;
    only_text = only_text && is_text;
  }
  if (only_text) return out;
  json_writer w(out.json);
  for (const auto& part : parts) {
    // Empty texts are refused by providers.
    if (part.is == ask_part::kind::text && part.text.empty()) continue;
    const auto written = wire == wire_kind::anthropic          ? write_anthropic(w, part)
                         : wire == wire_kind::openai_responses ? write_responses(w, part, role)
                                                               : write_chat(w, part, role);
    if (!written) return written.error();
  }
  return out;
}

}  // namespace soma::http
