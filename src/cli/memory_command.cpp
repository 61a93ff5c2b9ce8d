// `soma memory ls|search|add|forget|documents|sync|status|export`: what is remembered, over the
// public API alone.
#include <boost/json.hpp>
#include <cstdio>

#include "cli/api_client.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "core/json_text.hpp"
#include "core/uuid.hpp"

namespace soma {
namespace {

namespace json = boost::json;

int refuse(const http_client& client, const answer& got) {
  complain(reason_of(client, got));
  return 1;
}

std::string percent_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u == '-') {
      out += c;
      continue;
    }
    out += '%';
    out += digits[u >> 4];
    out += digits[u & 15];
  }
  return out;
}

std::string filters_of(const memory_options& options) {
  std::string out;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) out += std::string("&") + name + "=" + percent_encoded(value);
  };
  add("kind", options.kind);
  add("tag", options.tag);
  add("session_id", options.session);
  return out;
}

// On one line, as much as fits a terminal.
std::string line_of(const json::object& item) {
  constexpr std::size_t shown_max = 160;
  auto text = text_of(item, "text");
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  if (text.size() > shown_max) {
    std::size_t end = shown_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  const auto* pinned = item.if_contains("pinned");
  const bool is_pinned = pinned && pinned->is_bool() && pinned->get_bool();
  return text_of(item, "memory_id") + "  " + text_of(item, "created_at").substr(0, 10) + "  " +
         text_of(item, "kind") + (is_pinned ? "* " : "  ") + text + "\n";
}

// Whatever else answers at that address gives none.
const json::array* rows_in(const json::value& document, std::string_view name) {
  const auto* object = document.if_object();
  const auto* all = object ? object->if_contains(name) : nullptr;
  return all ? all->if_array() : nullptr;
}

int no_server(const http_client& client) {
  complain("what answers at " + client.base() + " is no SomaAgent01");
  return 1;
}

// All pages of a list, each row of it given to `take`.
template <class Take>
int each_row(http_client& client, const std::string& path, std::string_view name, Take take) {
  std::string cursor;
  do {
    const auto behind = cursor.empty() ? std::string() : "&cursor=" + percent_encoded(cursor);
    const auto got = client.get(path + behind);
    if (got.status != 200) return refuse(client, got);
    boost::system::error_code ec;
    const auto document = json::parse(got.body, ec);
    const auto* all = ec ? nullptr : rows_in(document, name);
    if (!all) return no_server(client);
    for (const auto& one : *all)
      if (one.is_object()) take(one.get_object());
    cursor = text_of(document.get_object(), "next_cursor");
  } while (!cursor.empty());
  return 0;
}

template <class Take>
int each_memory(http_client& client, const std::string& filters, Take take) {
  return each_row(client, "/v1/memories?limit=200" + filters, "memories", std::move(take));
}

std::string line_of_document(const json::object& one) {
  const auto* count = one.if_contains("passages");
  auto name = text_of(one, "filename");
  for (auto& c : name)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text_of(one, "attachment_id") + "  " + text_of(one, "imported_at").substr(0, 10) + "  " +
         (count ? json::serialize(*count) : "?") + " passages  " + name + "\n";
}

}  // namespace

int list_memories(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  return each_memory(client, filters_of(options),
                     [](const json::object& item) { show(line_of(item)); });
}

int export_memories(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  return each_memory(client, filters_of(options),
                     [](const json::object& item) { show(json::serialize(item) + "\n"); });
}

int search_memories(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  const auto got =
      client.get("/v1/memories/search?q=" + percent_encoded(options.text) + filters_of(options));
  if (got.status != 200) return refuse(client, got);
  boost::system::error_code ec;
  const auto document = json::parse(got.body, ec);
  const auto* all = ec ? nullptr : rows_in(document, "memories");
  if (!all) return no_server(client);
  for (const auto& one : *all)
    if (one.is_object()) show(line_of(one.get_object()));
  if (const auto why = text_of(document.get_object(), "why"); !why.empty()) complain(why);
  return 0;
}

int add_memory(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  json::object body{{"text", options.text}};
  if (!options.tag.empty()) body["tags"] = json::array{json::value(options.tag)};
  const auto got = client.post("/v1/memories", json::serialize(body), new_uuid());
  if (got.status != 201 && got.status != 200) return refuse(client, got);
  show(text_of(got.body, "memory_id") + "\n");
  return 0;
}

int forget_memory(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  const auto got = client.remove("/v1/memories/" + percent_encoded(options.text));
  return got.status == 204 ? 0 : refuse(client, got);
}

int list_documents(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  return each_row(client, "/v1/memory/documents?limit=200", "documents",
                  [](const json::object& one) { show(line_of_document(one)); });
}

int forget_document(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  const auto got = client.remove("/v1/memory/documents/" + percent_encoded(options.text));
  if (got.status != 200) return refuse(client, got);
  show(got.body + "\n");
  return 0;
}

int sync_memories(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  const auto got = client.post("/v1/memory/sync", "", new_uuid());
  if (got.status != 200) return refuse(client, got);
  show(got.body + "\n");
  return 0;
}

int memory_status(const memory_options& options) {
  http_client client(server_of(options.url), options.key);
  const auto got = client.get("/v1/memory/status");
  if (got.status != 200) return refuse(client, got);
  show(got.body + "\n");
  return 0;
}

}  // namespace soma
