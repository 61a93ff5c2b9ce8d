#include "memory/item.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"

namespace soma::memory {
namespace {

error unreadable(const char* what) {
  return {codes::storage_corrupt, std::string(what) + " cannot be read"};
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) key += '\n';
    key += parts.begin()[i];
  }
  return key;
}

std::int64_t number_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return 0;
  if (value->is_int64()) return value->get_int64();
  return value->is_uint64() ? static_cast<std::int64_t>(value->get_uint64()) : 0;
}

bool flag_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

struct named_kind {
  change::kind what;
  std::string_view name;
};
constexpr named_kind kinds[] = {{change::kind::item, "item"},
                                {change::kind::session, "session"},
                                {change::kind::gone, "gone"},
                                {change::kind::used, "used"},
                                {change::kind::unused, "unused"}};

std::string_view name_of(change::kind what) {
  for (const auto& one : kinds)
    if (one.what == what) return one.name;
  return "item";
}

bool names_an_item(change::kind what) {
  return what != change::kind::session && what != change::kind::unused;
}

// The message that a memory.write names, as an item that lacks where it is.
bool take_message(item& out, const event& said, std::string_view message_id) {
  if (const auto* user = std::get_if<body::message_user>(&said.body)) {
    if (user->message_id != message_id) return false;
    out.role = "user";
    out.text = user->text;
  } else if (const auto* answer = std::get_if<body::message_assistant>(&said.body)) {
    if (answer->message_id != message_id || !answer->final) return false;
    out.role = "assistant";
    out.text = answer->text;
  } else {
    return false;
  }
  out.created_at_ms = out.updated_at_ms = said.meta.created_at_ms;
  return true;
}

}  // namespace

void bound_text(item& it) {
  if (it.text.size() <= limits::memory_text_bytes_max) return;
  it.text.resize(
      utf8_complete_prefix(std::string_view(it.text).substr(0, limits::memory_text_bytes_max)));
  it.cut = true;
}

std::string encode(const item& it) {
  std::string out;
  out.reserve(it.text.size() + 400);
  json_writer w(out);
  w.begin_object().field("memory_id", it.memory_id).field("kind", it.kind).field("text", it.text);
  if (it.cut) w.field_bool("cut", true);
  w.field_if("role", it.role).key("tags").begin_array();
  for (const auto& tag : it.tags) w.string(tag);
  w.end_array().key("importance").real(it.importance).field_bool("pinned", it.pinned);
  w.field_if("session_id", it.session_id).field_if("message_id", it.message_id);
  w.field_if("tool_call_id", it.tool_call_id).field_if("attachment_id", it.attachment_id);
  if (!it.place_json.empty()) w.key("place").raw(it.place_json);
  w.field("owner", it.owner);
  w.field("created_at", static_cast<std::uint64_t>(it.created_at_ms));
  w.field("updated_at", static_cast<std::uint64_t>(it.updated_at_ms));
  if (it.expires_at_ms > 0) w.field("expires_at", static_cast<std::uint64_t>(it.expires_at_ms));
  w.field("state", it.state).end_object();
  return out;
}

result<item> decode_item(std::string_view json) {
  boost::json::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec || !value.is_object()) return unreadable("a memory");
  const auto& o = value.get_object();
  item it;
  it.memory_id = text_of(o, "memory_id");
  it.kind = text_of(o, "kind");
  if (it.memory_id.empty() || it.kind.empty()) return unreadable("a memory");
  it.text = text_of(o, "text");
  it.cut = flag_of(o, "cut");
  it.role = text_of(o, "role");
  if (const auto* tags = o.if_contains("tags"); tags && tags->is_array())
    for (const auto& tag : tags->get_array())
      if (tag.is_string()) it.tags.emplace_back(tag.get_string());
  if (const auto* importance = o.if_contains("importance"); importance && importance->is_number())
    it.importance = importance->to_number<double>();
  it.pinned = flag_of(o, "pinned");
  it.session_id = text_of(o, "session_id");
  it.message_id = text_of(o, "message_id");
  it.tool_call_id = text_of(o, "tool_call_id");
  it.attachment_id = text_of(o, "attachment_id");
  if (const auto* place = o.if_contains("place")) it.place_json = boost::json::serialize(*place);
  it.owner = text_of(o, "owner");
  it.created_at_ms = number_of(o, "created_at");
  it.updated_at_ms = number_of(o, "updated_at");
  it.expires_at_ms = number_of(o, "expires_at");
  it.state = text_of(o, "state", "stored");
  return it;
}

std::string item_key(const tenant_id& tenant, std::string_view session, std::string_view id) {
  return joined({tenant.value, session.empty() ? no_session : session, id});
}

std::string id_key(const tenant_id& tenant, std::string_view id) {
  return joined({tenant.value, id});
}

storage::outbox_row to_outbox(const change& what, std::string_view sink) {
  const auto& [tenant, session] = what.key;
  const std::string_view of = session.empty() ? no_session : std::string_view(session.value);
  const auto kind = name_of(what.what);
  auto payload = names_an_item(what.what) ? joined({kind, tenant.value, of, what.id})
                                          : joined({kind, tenant.value, of});
  return {std::string(sink), std::move(payload)};
}

result<change> read_change(std::string_view payload) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    const auto end = payload.find('\n', at);
    parts.push_back(payload.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  change out;
  const auto known = std::find_if(std::begin(kinds), std::end(kinds),
                                  [&](const auto& one) { return one.name == parts[0]; });
  if (known == std::end(kinds)) return unreadable("a change of memories");
  out.what = known->what;
  if (parts.size() != (names_an_item(out.what) ? 4u : 3u))
    return unreadable("a change of memories");
  if (parts.size() == 4) out.id = parts[3];
  out.key = {tenant_id(std::string(parts[1])), session_id(std::string(parts[2]))};
  return out;
}

bool remembers(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

void add_item(std::vector<storage::document_row>& out, const tenant_id& tenant, const item& it) {
  const std::string session = it.session_id.empty() ? std::string(no_session) : it.session_id;
  out.push_back(
      {std::string(item_collection), item_key(tenant, session, it.memory_id), encode(it)});
  out.push_back({std::string(id_collection), id_key(tenant, it.memory_id), session});
}

void add_remembered(storage::append_op& op, const session_key& key, std::string_view owner,
                    std::span<const event> appended, const remembering& how) {
  add_uses(op, key, appended);
  for (const auto& e : appended) {
    const auto* written = std::get_if<body::memory_write>(&e.body);
    if (!written || written->state != "stored" || written->message_id.empty()) continue;
    item it;
    const bool found = std::any_of(appended.begin(), appended.end(), [&](const event& said) {
      return take_message(it, said, written->message_id);
    });
    if (!found) continue;
    it.memory_id = written->memory_id;
    it.kind = "message";
    it.session_id = key.session.value;
    it.message_id = written->message_id;
    it.owner = owner;
    if (how.ttl_ms > 0) it.expires_at_ms = it.created_at_ms + how.ttl_ms;
    bound_text(it);
    add_item(op.documents, key.tenant, it);
    const change written_now{change::kind::item, key, it.memory_id};
    op.outbox.push_back(to_outbox(written_now));
    if (how.replicated) op.outbox.push_back(to_outbox(written_now, brain_sink));
  }
}

std::string use_number(std::uint64_t seq) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%020llu", static_cast<unsigned long long>(seq));
  return digits;
}

std::string use_key(const session_key& key, std::string_view number) {
  return joined({key.tenant.value, key.session.value, number});
}

void add_uses(storage::append_op& op, const session_key& key, std::span<const event> appended) {
  for (const auto& e : appended) {
    const auto* told = std::get_if<body::memory_recall>(&e.body);
    if (!told || told->items_json.size() <= std::string_view("[]").size()) continue;
    auto number = use_number(e.meta.id.seq);
    op.documents.push_back({std::string(use_collection), use_key(key, number), {}});
    op.outbox.push_back(to_outbox({change::kind::used, key, std::move(number)}));
  }
}

void add_forgotten(storage::append_op& op, const session_key& key, bool items) {
  op.gone.push_back({std::string(use_collection), use_key(key, "")});
  const auto what = items ? change::kind::session : change::kind::unused;
  op.outbox.push_back(to_outbox({what, key, {}}));
  if (items)
    op.gone.push_back({std::string(item_collection), item_key(key.tenant, key.session.value, "")});
}

}  // namespace soma::memory
