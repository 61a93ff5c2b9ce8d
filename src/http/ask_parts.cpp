// Parts of a message's content: read from both of OpenAI's APIs, written for each wire.
#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/model_ask.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;
using llm::wire_kind;

constexpr std::string_view picture_types[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};

struct data_url {
  std::string_view type, base64;
};

bool is_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  });
}

// data:TYPE;base64,DATA, and nothing looser: what a provider would not read is refused here.
std::optional<data_url> split_data_url(std::string_view url) {
  constexpr std::string_view scheme = "data:", mark = ";base64,";
  if (!url.starts_with(scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  const auto at = url.find(mark);
  if (at == url.npos) return std::nullopt;
  return data_url{url.substr(0, at), url.substr(at + mark.size())};
}

bool is_web_url(std::string_view url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

result<ask_part> picture(std::string url, std::string detail, std::string_view parameter) {
  if (const auto data = split_data_url(url)) {
    if (std::find(std::begin(picture_types), std::end(picture_types), data->type) ==
        std::end(picture_types))
      return ask_invalid(parameter, "a picture must be PNG, JPEG, GIF or WebP");
    if (!is_base64(data->base64)) return ask_invalid(parameter, "the picture is not base64");
  } else if (!is_web_url(url)) {
    return ask_invalid(parameter, "must be a data: URL with base64, or an http(s) URL");
  }
  ask_part part;
  part.is = ask_part::kind::picture;
  part.text = std::move(url);
  part.detail = std::move(detail);
  return part;
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
    if (!data || !is_base64(data->base64))
      return ask_invalid(parameter, "file_data must be a data: URL with base64");
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
  const auto* inner = o->if_contains(type);
  if (media && type == "image_url") {
    const auto* image = inner ? inner->if_object() : nullptr;
    if (!image) return ask_invalid(parameter, "image_url must be an object with url");
    return picture(text_of(*image, "url"), text_of(*image, "detail"), parameter);
  }
  if (media && type == "input_image") {
    if (o->contains("file_id") && !o->at("file_id").is_null())
      return ask_unsupported(std::string(parameter) + ".file_id",
                             "names what is stored at a provider; send the picture itself");
    return picture(text_of(*o, "image_url"), text_of(*o, "detail"), parameter);
  }
  if (media && type == "file") {
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
