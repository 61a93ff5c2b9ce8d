#include "memory/replicator.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"

namespace soma::memory {
namespace {

namespace json = boost::json;

constexpr std::size_t id_bytes_max = 128, tags_max = 64, tag_bytes_max = 512;
constexpr std::size_t place_bytes_max = 16 * 1024, sweep_at_once = 500;

error invalid(const char* why, const char* about = "lines") {
  return error(codes::request_invalid, why).about(about);
}

// Parts of keys are joined by a line feed, and "-" is no session.
bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= id_bytes_max && text != no_session &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_line(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) >= ' ';
         });
}

bool is_id_or_none(std::string_view text) {
  return text.empty() || is_id(text);
}

bool is_kind(std::string_view kind) {
  return kind == "message" || kind == "note" || kind == "knowledge" || kind == "summary";
}

bool is_time(std::int64_t ms, std::int64_t now_ms) {
  return ms > 0 && ms <= now_ms + replicator::ahead_ms_max;
}

// An item as this site could have written it.
bool is_well_formed(const item& it, std::int64_t now_ms) {
  return is_id(it.memory_id) && is_kind(it.kind) && remembers(it.text) &&
         it.text.size() <= limits::memory_text_bytes_max &&
         (it.role.empty() || it.role == "user" || it.role == "assistant") &&
         it.tags.size() <= tags_max &&
         std::all_of(
             it.tags.begin(), it.tags.end(),
             [](const std::string& tag) { return !tag.empty() && is_line(tag, tag_bytes_max); }) &&
         it.importance >= 0 && it.importance <= 1 && is_id_or_none(it.session_id) &&
         is_id_or_none(it.message_id) && is_line(it.tool_call_id, id_bytes_max) &&
         is_id_or_none(it.attachment_id) && it.place_json.size() <= place_bytes_max &&
         is_line(it.owner, id_bytes_max) && is_time(it.created_at_ms, now_ms) &&
         is_time(it.updated_at_ms, now_ms);
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

bool flag_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

}  // namespace

result<void> add_line(replica_batch& to, std::string_view line, std::int64_t now_ms) {
  boost::system::error_code ec;
  const auto value = json::parse({line.data(), line.size()}, ec);
  if (ec || !value.is_object()) return invalid("a line is no JSON object");
  const auto& o = value.get_object();
  const auto type = text_of(o, "type"), position = text_of(o, "position");
  if (type == "head") {
    if (!position.empty() && !is_id(position)) return invalid("a head has no position");
    if (!position.empty()) to.position = position;
    to.caught_up = true;
    return {};
  }
  if (!is_id(position)) return invalid("a change has no position");
  foreign_change one;
  if (type == "gone") {
    one.id = text_of(o, "memory_id");
    one.session = text_of(o, "session_id");
    if (!is_id(one.id) || !is_id_or_none(one.session))
      return invalid("a change names no memory that could have gone");
  } else {
    const auto* given = o.if_contains("item");
    if (type != "put" || !given) return invalid("a line is no change, and no head");
    auto it = decode_item(json::serialize(*given));
    if (!it || !is_well_formed(*it, now_ms)) return invalid("a change holds what is no memory");
    one.id = it->memory_id;
    one.session = it->session_id;
    it->state = "stored";  // nobody was told of it by this site
    one.put = std::move(*it);
  }
  to.changes.push_back(std::move(one));
  to.position = position;
  to.caught_up = false;
  return {};
}

std::string replicator::encode(const state& of) {
  std::string out;
  json_writer(out)
      .begin_object()
      .field("log", of.log)
      .field("position", of.position)
      .field("pass", of.pass)
      .field_bool("whole", of.whole)
      .field("begun", static_cast<std::uint64_t>(of.begun_ms))
      .end_object();
  return out;
}

result<replicator::state> replicator::decode(std::string_view text) {
  boost::system::error_code ec;
  const auto value = json::parse({text.data(), text.size()}, ec);
  state out;
  if (!ec && value.is_object()) {
    const auto& o = value.get_object();
    out.log = text_of(o, "log");
    out.position = text_of(o, "position");
    out.pass = number_of(o, "pass");
    out.whole = flag_of(o, "whole");
    out.begun_ms = static_cast<std::int64_t>(number_of(o, "begun"));
  }
  if (out.log.empty()) return error(codes::storage_corrupt, "what is followed cannot be read");
  return out;
}

result<void> replicator::open() {
  return storage::each_document(
      log_, follow_collection, {},
      [&](const std::string& tenant, const std::string& text) -> result<void> {
        auto read = decode(text);
        if (!read) return read.error();
        // Nothing was heard since the start; it is as old as that at least.
        read->caught_up_ms = now_ms_();
        const std::lock_guard lock(mutex_);
        states_[tenant_id(tenant)] = std::move(*read);
        return {};
      });
}

result<void> replicator::read_again(const tenant_id& tenant) {
  const auto text = log_.get_document(follow_collection, tenant.value);
  if (!text) return text.error();
  if (!*text) {
    const std::lock_guard lock(mutex_);
    states_.erase(tenant);
    return {};
  }
  auto kept = decode(**text);
  if (!kept) return kept.error();
  const std::lock_guard lock(mutex_);
  auto& known = states_[tenant];
  if (known.log == kept->log && known.position == kept->position && known.pass == kept->pass &&
      known.whole == kept->whole)
    return {};
  kept->caught_up_ms = now_ms_();
  known = std::move(*kept);
  return {};
}

// What is followed from this batch on, without its changes.
result<replicator::state> replicator::begun(const tenant_id& tenant,
                                            const replica_batch& what) const {
  state now;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = states_.find(tenant); at != states_.end()) now = at->second;
  }
  if (what.anew) {
    if (!what.after.empty()) return invalid("what begins anew begins at the beginning", "after");
    state anew;
    anew.log = what.log;
    anew.pass = std::max(now.pass + 1, static_cast<std::uint64_t>(now_ms_()));
    anew.whole = true;
    anew.begun_ms = anew.caught_up_ms = now_ms_();
    return anew;
  }
  if (now.log.empty()) {
    now.log = what.log;
    now.pass = static_cast<std::uint64_t>(now_ms_());  // later than of what was followed before
    now.begun_ms = now.caught_up_ms = now_ms_();
  }
  if (now.log != what.log)
    return invalid("another log is followed here; following this one has to be begun anew", "log");
  if (now.position != what.after)
    return error(codes::memory_changed, "what is followed here is at another position");
  return now;
}

result<replica_outcome> replicator::apply(const tenant_id& tenant, const replica_batch& what) {
  const std::lock_guard one_at_a_time(applying_);
  if (auto read = read_again(tenant); !read) return read.error();
  auto now = begun(tenant, what);
  if (!now) return now.error();
  if (what.changes.size() > changes_max) return invalid("there are more lines than a batch has");
  if (!what.changes.empty() && what.position == what.after)
    return invalid("what changed has the position of what was before");
  replica_outcome out;
  const bool moves = what.anew || now->position != what.position || !what.changes.empty();
  now->position = out.position = what.position;
  if (moves) {
    const std::vector<storage::document_row> beside{
        {std::string(follow_collection), tenant.value, encode(*now)}};
    const auto applied = kept_.apply(tenant, what.changes, now->pass, beside);
    if (!applied) return applied.error();
    out.applied = *applied;
    out.left_alone = what.changes.size() - *applied;
  }
  if (what.caught_up && now->whole) {
    const auto gone = sweep(tenant, now->pass);
    if (!gone) return gone.error();
    out.gone = *gone;
    now->whole = false;
    if (auto put = log_.put_document(follow_collection, tenant.value, encode(*now)); !put)
      return put.error();
  }
  now->heard_ms = now_ms_();
  now->caught_up = what.caught_up;
  if (what.caught_up) now->caught_up_ms = now->heard_ms;
  const std::lock_guard lock(mutex_);
  states_[tenant] = std::move(*now);
  return out;
}

// What no row of the pass named is there no more. Begun again where it was cut off.
result<std::uint64_t> replicator::sweep(const tenant_id& tenant, std::uint64_t pass) {
  const auto prefix = tenant.value + '\n';
  std::uint64_t gone = 0;
  std::string after;
  for (;;) {
    const auto page = log_.list_documents(replica_collection, prefix, sweep_at_once, after);
    if (!page) return page.error();
    std::vector<foreign_change> changes;
    for (const auto& [key, value] : *page) {
      const auto mark = read_mark(value);
      if (!mark || mark->gone || mark->pass == pass) continue;
      foreign_change one;
      one.id = key.substr(prefix.size());
      if (mark->session != no_session) one.session = mark->session;
      changes.push_back(std::move(one));
    }
    if (!changes.empty()) {
      const auto applied = kept_.apply(tenant, changes, pass, {});
      if (!applied) return applied.error();
      gone += *applied;
    }
    if (page->size() < sweep_at_once) return gone;
    after = page->back().first;
  }
}

result<void> replicator::end(const tenant_id& tenant, std::string_view log) {
  const std::lock_guard one_at_a_time(applying_);
  if (auto read = read_again(tenant); !read) return read.error();
  {
    const std::lock_guard lock(mutex_);
    const auto at = states_.find(tenant);
    if (at == states_.end()) return {};
    if (at->second.log != log) return invalid("another log is followed here", "log");
  }
  if (auto gone = log_.delete_document(follow_collection, tenant.value); !gone) return gone;
  const std::lock_guard lock(mutex_);
  states_.erase(tenant);
  return {};
}

double replicator::lag_of(const state& of) const {
  const auto now = now_ms_();
  if (of.caught_up && now - of.heard_ms <= fresh_ms) return 0;
  return static_cast<double>(std::max<std::int64_t>(0, now - of.caught_up_ms)) / 1000;
}

replica_figures replicator::figures(const tenant_id& tenant) const {
  const std::lock_guard lock(mutex_);
  replica_figures out;
  const auto at = states_.find(tenant);
  if (at == states_.end()) return out;
  out.following = true;
  out.log = at->second.log;
  out.position = at->second.position;
  out.lag_s = lag_of(at->second);
  out.caught_up = at->second.caught_up && now_ms_() - at->second.heard_ms <= fresh_ms;
  return out;
}

double replicator::lag_s_max() const {
  const std::lock_guard lock(mutex_);
  double most = 0;
  for (const auto& [tenant, of] : states_) most = std::max(most, lag_of(of));
  return most;
}

}  // namespace soma::memory
