#include "outbox/dead_letters.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"

namespace soma::outbox {
namespace {

constexpr std::size_t id_digits = 20, looked_at_a_row = 8;

error not_found() {
  return {codes::dlq_not_found, "there is no such dead letter"};
}

bool is_id(std::string_view text) {
  return text.size() == id_digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string key_of(const tenant_id& tenant, std::string_view id) {
  return tenant.value + '\n' + std::string(id);
}

std::int64_t number_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_int64() ? value->get_int64() : 0;
}

std::string encode(const dead_letter& one) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", one.id).field("sink", one.sink).field_if("topic", one.topic);
  w.field("attempts", std::uint64_t{one.attempts});
  w.field("first_at", static_cast<std::uint64_t>(one.first_at_ms));
  w.field("last_at", static_cast<std::uint64_t>(one.last_at_ms));
  w.field("last_error", one.last_error).field_if("session_id", one.session_id);
  w.field("payload", one.payload).end_object();
  return out;
}

result<dead_letter> decode(std::string_view json) {
  boost::system::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec || !value.is_object())
    return error(codes::storage_corrupt, "a dead letter cannot be read");
  const auto& o = value.get_object();
  dead_letter one;
  one.id = text_of(o, "id");
  one.sink = text_of(o, "sink");
  one.topic = text_of(o, "topic");
  one.session_id = text_of(o, "session_id");
  one.last_error = text_of(o, "last_error");
  one.payload = text_of(o, "payload");
  one.attempts = static_cast<unsigned>(number_in(o, "attempts"));
  one.first_at_ms = number_in(o, "first_at");
  one.last_at_ms = number_in(o, "last_at");
  return one;
}

}  // namespace

result<void> dead_letters::open() {
  std::uint64_t there = 0;
  auto counted = storage::each_document(log_, dead_letter_collection, {},
                                        [&](const std::string&, const std::string&) {
                                          ++there;
                                          return result<void>();
                                        });
  if (!counted) return counted;
  count_ = there;
  return {};
}

result<void> dead_letters::keep(const tenant_id& tenant, std::uint64_t number, dead_letter what) {
  auto digits = std::to_string(number);
  what.id = std::string(id_digits - digits.size(), '0') + digits;
  const auto key = key_of(tenant, what.id);
  const std::lock_guard one_at_a_time(changing_);
  const auto before = log_.get_document(dead_letter_collection, key);
  if (!before) return before.error();
  if (auto put = log_.put_document(dead_letter_collection, key, encode(what)); !put) return put;
  if (!*before) ++count_;
  return {};
}

result<dead_letter_page> dead_letters::list(const tenant_id& tenant, std::string_view sink,
                                            std::string_view cursor, std::size_t limit) const {
  if (!cursor.empty() && !is_id(cursor))
    return error(codes::request_invalid_parameter, "the cursor is none of this list")
        .about("cursor");
  const auto prefix = tenant.value + '\n';
  auto after = cursor.empty() ? std::string() : key_of(tenant, cursor);
  dead_letter_page page;
  const auto at_once = limit * looked_at_a_row;
  const auto found = log_.list_documents(dead_letter_collection, prefix, at_once, after);
  if (!found) return found.error();
  for (const auto& [key, text] : *found) {
    auto one = decode(text);
    if (!one) return one.error();
    const bool fits = sink.empty() || one->sink == sink;
    if (fits && page.rows.size() == limit) {
      page.next_cursor = after.substr(prefix.size());
      return page;
    }
    after = key;
    if (fits) page.rows.push_back(std::move(*one));
  }
  if (found->size() == at_once) page.next_cursor = after.substr(prefix.size());
  return page;
}

result<dead_letter> dead_letters::find(const tenant_id& tenant, std::string_view id) const {
  if (!is_id(id)) return not_found();
  const auto text = log_.get_document(dead_letter_collection, key_of(tenant, id));
  if (!text) return text.error();
  if (!*text) return not_found();
  return decode(**text);
}

result<void> dead_letters::requeue(const tenant_id& tenant, std::string_view id) {
  const std::lock_guard one_at_a_time(changing_);
  auto one = find(tenant, id);
  if (!one) return one.error();
  storage::row_batch rows;
  rows.expected.push_back({std::string(dead_letter_collection), key_of(tenant, id)});
  rows.deleted.emplace_back(dead_letter_collection, key_of(tenant, id));
  rows.outbox.push_back({std::move(one->sink), std::move(one->payload)});
  const auto written = log_.write_rows(rows);
  if (!written) return written.error();
  if (!*written) return not_found();
  --count_;
  return {};
}

result<void> dead_letters::remove(const tenant_id& tenant, std::string_view id) {
  const std::lock_guard one_at_a_time(changing_);
  if (auto one = find(tenant, id); !one) return one.error();
  if (auto gone = log_.delete_document(dead_letter_collection, key_of(tenant, id)); !gone)
    return gone;
  --count_;
  return {};
}

}  // namespace soma::outbox
