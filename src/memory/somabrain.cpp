#include "memory/somabrain.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <set>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"

namespace soma::memory {
namespace {

namespace json = boost::json;
using outbox::attempt;
using outbox::http_answer;
using outbox::row_outcome;

attempt away(std::string why) {
  attempt out;
  out.how = attempt::kind::away;
  out.why = std::move(why);
  return out;
}

// None: it is no document, or no object.
std::optional<json::object> object_in(const http_answer& got) {
  boost::system::error_code ec;
  json::parse_options depth;
  depth.max_depth = 16;
  auto value = json::parse(got.body, ec, {}, depth);
  if (ec || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

bool flag_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

// Three numbers from -1 to 1 that a key always has.
void write_coordinate(std::string_view key, char (&text)[64]) {
  const auto of = fingerprint(key);
  const auto part = [&](int shift) {
    return static_cast<double>((of >> shift) & 0x1FFFFF) / 0x100000 - 1;
  };
  std::snprintf(text, sizeof text, "%.7f,%.7f,%.7f", part(0), part(21), part(42));
}

void write_value(json_writer& w, const brain_item& it) {
  if (!it.gone)
    w.raw(it.value_json);
  else
    w.begin_object()
        .field("memory_id", it.key)
        .field_bool("deleted", true)
        .field("text", "")
        .end_object();
}

// Where the newer route is not known: an older generation answers in FastAPI's JSON, a proxy or a
// page server in HTML; neither has results.
bool is_unknown_route(const http_answer& got) {
  return got.status == 404 || got.status == 405;
}

}  // namespace

brain_item to_brain(const item& it) {
  brain_item out;
  out.key = it.memory_id;
  out.importance = it.importance;
  out.tags = it.tags;
  json_writer w(out.value_json);
  w.begin_object().field("memory_id", it.memory_id).field("task", it.text).field("text", it.text);
  w.field("kind", it.kind).field_if("role", it.role).field_if("session_id", it.session_id);
  w.field_if("message_id", it.message_id).field_if("tool_call_id", it.tool_call_id);
  w.field_if("attachment_id", it.attachment_id);
  if (!it.place_json.empty()) w.key("place").raw(it.place_json);
  w.field("owner", it.owner).key("importance").real(it.importance).key("tags").begin_array();
  for (const auto& tag : it.tags) w.string(tag);
  w.end_array().field("created_at", format_rfc3339(it.created_at_ms));
  w.field("updated_at", format_rfc3339(it.updated_at_ms)).end_object();
  return out;
}

brain_item stone(std::string_view key) {
  brain_item out;
  out.key = key;
  out.importance = 0;
  out.gone = true;
  return out;
}

std::string batch_body(const tenant_id& tenant, const std::vector<brain_item>& items) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("tenant", tenant.value).field("namespace", tenant.value);
  w.key("items").begin_array();
  for (const auto& it : items) {
    w.begin_object().field("key", it.key).key("value");
    write_value(w, it);
    w.key("tags").begin_array();
    for (const auto& tag : it.tags) w.string(tag);
    w.end_array().key("importance").real(it.importance).end_object();
  }
  w.end_array().end_object();
  return out;
}

std::string single_body(const brain_item& it) {
  char coordinate[64];
  write_coordinate(it.key, coordinate);
  std::string out;
  json_writer w(out);
  w.begin_object().field("coord", coordinate).key("payload");
  write_value(w, it);
  w.end_object();
  return out;
}

std::string deletion_body(std::string_view key) {
  char coordinate[64];
  write_coordinate(key, coordinate);
  return "{\"coordinate\":[" + std::string(coordinate) + "]}";
}

attempt not_taken(const http_answer& got) {
  if (got.status == 0) return away(got.why);
  attempt out = away(got.why.empty() ? "it answered " + std::to_string(got.status) : got.why);
  out.retry_after_ms = got.retry_after_ms;
  switch (got.status) {
    case 400:
    case 413:
    case 422: out.how = attempt::kind::refused; break;
    case 429: out.how = attempt::kind::busy; break;
    case 401:
    case 403: out.why += ": it does not take the token of SOMA_API_TOKEN"; break;
    default: break;
  }
  return out;
}

attempt read_batch(const http_answer& got, const std::vector<brain_item>& items) {
  if (got.status < 200 || got.status > 299) return not_taken(got);
  const auto document = object_in(got);
  const auto* results = document ? document->if_contains("results") : nullptr;
  if (!results || !results->is_array()) return away("it answered what SomaBrain does not");
  attempt out;
  out.rows.assign(items.size(), row_outcome::open);
  for (const auto& one : results->get_array()) {
    if (!one.is_object()) continue;
    const auto key = text_of(one.get_object(), "key");
    const auto at = std::find_if(items.begin(), items.end(),
                                 [&](const brain_item& it) { return it.key == key; });
    if (at == items.end()) continue;
    const bool persisted = flag_of(one.get_object(), "persisted_to_ltm");
    out.rows[static_cast<std::size_t>(at - items.begin())] =
        persisted ? row_outcome::done : row_outcome::refused;
    if (!persisted) out.why = "its result says that it was not persisted";
  }
  return out;
}

result<brain_answer> read_recalled(const http_answer& got) {
  const auto document = object_in(got);
  if (got.status != 200 || !document)
    return error(
        codes::dependency_unavailable,
        "SomaBrain: " + (!got.why.empty()    ? got.why
                         : got.status == 200 ? std::string("it answered what SomaBrain does not")
                                             : "it answered " + std::to_string(got.status)));
  brain_answer out;
  out.degraded = flag_of(*document, "degraded");
  if (out.degraded) out.why = "SomaBrain is degraded";
  std::set<std::string> known;
  // `ltm` alone is ranked: what is in `wm` has score 1.0 whatever is asked. The older one keeps
  // them apart.
  for (const char* list : {"results", "memory"}) {
    const auto* all = document->if_contains(list);
    if (!all || !all->is_array()) continue;
    for (const auto& one : all->get_array()) {
      if (!one.is_object() || text_of(one.get_object(), "layer") == "wm") continue;
      const auto* content = one.get_object().if_contains("content");
      if (!content) content = one.get_object().if_contains("payload");
      const auto id = content && content->is_object() ? text_of(content->get_object(), "memory_id")
                                                      : text_of(one.get_object(), "memory_id");
      if (!id.empty() && known.insert(id).second) out.ids.push_back(id);
    }
  }
  return out;
}

http_answer somabrain::post(const char* path, const tenant_id& tenant, const std::string& body,
                            std::int64_t deadline_ms) {
  auto sent = body;
  if (screen_) {
    http_answer none;
    switch (screen_(tenant, sent)) {
      case outgoing_fate::goes: break;
      case outgoing_fate::refused:
        none.status = 400;
        none.why = "it holds personal data, which may not leave";
        return none;
      case outgoing_fate::away: none.why = "whether it may leave could not be asked"; return none;
    }
  }
  return http_.post(path, sent,
                    {{"X-Tenant-ID", tenant.value},
                     {"X-Request-ID", new_uuid()},
                     {"X-Deadline-MS", std::to_string(deadline_ms)}},
                    deadline_ms, answer_bytes_max);
}

attempt somabrain::remember(const tenant_id& tenant, const std::vector<brain_item>& items) {
  if (!older_) {
    const auto got =
        post("/memory/remember/batch", tenant, batch_body(tenant, items), deadline_ms_);
    if (!is_unknown_route(got)) return read_batch(got, items);
  }
  auto out = remember_one_by_one(tenant, items);
  older_ = out.how == attempt::kind::answered;
  return out;
}

// All within one deadline. What is behind a failure is not tried.
attempt somabrain::remember_one_by_one(const tenant_id& tenant,
                                       const std::vector<brain_item>& items) {
  using clock = std::chrono::steady_clock;
  const auto until = clock::now() + std::chrono::milliseconds(deadline_ms_);
  attempt out;
  out.rows.assign(items.size(), row_outcome::open);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto& it = items[i];
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
    const auto got = it.gone ? post("/delete", tenant, deletion_body(it.key), left)
                             : post("/remember", tenant, single_body(it), left);
    const auto document = object_in(got);
    if (got.status >= 200 && got.status <= 299 && document &&
        (flag_of(*document, "ok") || flag_of(*document, "success"))) {
      out.rows[i] = row_outcome::done;
      continue;
    }
    auto why = got.status >= 200 && got.status <= 299 ? away("it answered what SomaBrain does not")
                                                      : not_taken(got);
    if (why.how != attempt::kind::refused) {
      why.rows = std::move(out.rows);
      return why;
    }
    out.rows[i] = row_outcome::refused;
    out.why = why.why;
  }
  return out;
}

result<brain_answer> somabrain::recall(const tenant_id& tenant, std::string_view query,
                                       std::size_t items_max, std::int64_t deadline_ms) {
  using clock = std::chrono::steady_clock;
  const auto until = clock::now() + std::chrono::milliseconds(deadline_ms);
  const bool older = older_;
  const auto got = ask(older, tenant, query, items_max, deadline_ms);
  auto found = read_recalled(got);
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
  if (!is_unknown_route(got) || left <= 0) return found;
  auto other = read_recalled(ask(!older, tenant, query, items_max, left));
  if (!other) return found;
  older_ = !older;
  return other;
}

http_answer somabrain::ask(bool older, const tenant_id& tenant, std::string_view query,
                           std::size_t items_max, std::int64_t deadline_ms) {
  std::string body;
  json_writer w(body);
  w.begin_object().field("query", query).field("top_k", static_cast<std::uint64_t>(items_max));
  if (!older) w.field("layer", "ltm").field("namespace", tenant.value);
  w.end_object();
  return post(older ? "/recall" : "/memory/recall", tenant, body, deadline_ms);
}

}  // namespace soma::memory
