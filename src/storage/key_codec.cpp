#include "storage/key_codec.hpp"

namespace soma::storage {
namespace {

constexpr char event_version = 1, head_version = 1, record_version = 1;
// Of a session that is shared: a program that does not know of sharing reads none of it.
constexpr char shared_head_version = 2;

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size(), 4);
  out += text;
}

// Takes values off the front; `good` turns false where there is not enough.
struct taker {
  std::string_view left;
  bool good = true;

  std::uint64_t number(std::size_t bytes) {
    if (left.size() < bytes) {
      good = false;
      return 0;
    }
    const auto value = get_number(left.substr(0, bytes));
    left.remove_prefix(bytes);
    return value;
  }
  std::string text() {
    const auto size = number(4);
    if (!good || left.size() < size) {
      good = false;
      return {};
    }
    std::string value(left.substr(0, size));
    left.remove_prefix(size);
    return value;
  }
};

}  // namespace

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
}

std::uint64_t get_number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string tenant_prefix(const tenant_id& tenant) {
  return tenant.value + '\0';
}

std::string session_prefix(const session_key& key) {
  return tenant_prefix(key.tenant) + key.session.value + '\0';
}

std::string event_key(const session_key& key, std::uint64_t seq) {
  auto bytes = session_prefix(key);
  put_number(bytes, seq, 8);
  return bytes;
}

std::uint64_t seq_of(std::string_view event_key) {
  return get_number(event_key.substr(event_key.size() - 8));
}

std::string_view prefix_of_event(std::string_view bytes) {
  const auto tenant_end = bytes.find('\0');
  if (tenant_end == bytes.npos) return {};
  const auto session_end = bytes.find('\0', tenant_end + 1);
  if (session_end == bytes.npos || bytes.size() != session_end + 9) return {};
  return bytes.substr(0, session_end + 1);
}

std::string recency_key(const session_key& key, std::int64_t updated_at_ms) {
  auto bytes = tenant_prefix(key.tenant);
  put_number(bytes, ~static_cast<std::uint64_t>(updated_at_ms), 8);
  return bytes + key.session.value;
}

std::string age_key(std::int64_t created_at_ms, std::string_view record_key) {
  std::string bytes;
  put_number(bytes, static_cast<std::uint64_t>(created_at_ms), 8);
  return bytes.append(record_key);
}

std::optional<age_key_view> parse_age_key(std::string_view bytes) {
  if (bytes.size() < 8) return std::nullopt;
  return age_key_view{static_cast<std::int64_t>(get_number(bytes.substr(0, 8))), bytes.substr(8)};
}

std::string document_key(std::string_view collection, std::string_view key) {
  return std::string(collection) + '\0' + std::string(key);
}

std::optional<session_key> parse_session_prefix(std::string_view bytes) {
  const auto first = bytes.find('\0');
  if (first == std::string_view::npos || bytes.empty() || bytes.back() != '\0') return std::nullopt;
  const auto second = bytes.find('\0', first + 1);
  if (second != bytes.size() - 1) return std::nullopt;
  return session_key{tenant_id(std::string(bytes.substr(0, first))),
                     session_id(std::string(bytes.substr(first + 1, second - first - 1)))};
}

std::string after_prefix(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);  // prefixes end in a byte below 0xff
  return prefix;
}

std::string event_value(event_type type, std::uint32_t epoch, std::string_view json) {
  std::string bytes;
  bytes.reserve(event_header_bytes + json.size());
  bytes += event_version;
  bytes += static_cast<char>(type);
  put_number(bytes, epoch, 4);
  bytes += json;
  return bytes;
}

std::optional<event_value_view> parse_event_value(std::string_view bytes) {
  if (bytes.size() < event_header_bytes || bytes[0] != event_version) return std::nullopt;
  const auto type = static_cast<std::uint8_t>(bytes[1]);
  if (type == 0 || type > event_type_max) return std::nullopt;
  return event_value_view{static_cast<event_type>(type),
                          static_cast<std::uint32_t>(get_number(bytes.substr(2, 4))),
                          bytes.substr(event_header_bytes)};
}

std::string encode_head(const session_head& head) {
  const auto& shared = head.info.sharing;
  std::string out(1, shared.is_private() ? head_version : shared_head_version);
  put_number(out, head.seq, 8);
  put_number(out, head.first_seq, 8);
  put_number(out, head.compact_seq, 8);
  put_number(out, head.epochs.size(), 4);
  for (const auto& start : head.epochs) {
    put_number(out, start.epoch, 4);
    put_number(out, start.first_seq, 8);
  }
  const auto& info = head.info;
  put_text(out, info.title);
  put_text(out, info.persona_id);
  put_text(out, info.user_id);
  put_number(out, static_cast<std::uint64_t>(info.created_at_ms), 8);
  put_number(out, static_cast<std::uint64_t>(info.updated_at_ms), 8);
  put_number(out, info.message_count, 8);
  out += static_cast<char>((info.paused ? 1 : 0) | (info.busy ? 2 : 0));
  if (shared.is_private()) return out;
  out += static_cast<char>(shared.visible_to_tenant ? 1 : 0);
  put_number(out, shared.users.size(), 4);
  for (const auto& user : shared.users) put_text(out, user);
  return out;
}

std::optional<session_head> decode_head(std::string_view bytes) {
  if (bytes.empty() || (bytes[0] != head_version && bytes[0] != shared_head_version))
    return std::nullopt;
  const bool is_shared = bytes[0] == shared_head_version;
  taker t{bytes.substr(1)};
  session_head head;
  head.seq = t.number(8);
  head.first_seq = t.number(8);
  head.compact_seq = t.number(8);
  for (auto n = t.number(4); n > 0 && t.good; --n) {
    epoch_start start;
    start.epoch = static_cast<std::uint32_t>(t.number(4));
    start.first_seq = t.number(8);
    head.epochs.push_back(start);
  }
  head.info.title = t.text();
  head.info.persona_id = t.text();
  head.info.user_id = t.text();
  head.info.created_at_ms = static_cast<std::int64_t>(t.number(8));
  head.info.updated_at_ms = static_cast<std::int64_t>(t.number(8));
  head.info.message_count = t.number(8);
  const auto flags = t.number(1);
  head.info.paused = flags & 1;
  head.info.busy = flags & 2;
  if (is_shared) {
    head.info.sharing.visible_to_tenant = t.number(1) & 1;
    for (auto n = t.number(4); n > 0 && t.good; --n) head.info.sharing.users.push_back(t.text());
  }
  if (!t.good || !t.left.empty()) return std::nullopt;
  return head;
}

std::string encode_record(const idempotency_record& record) {
  std::string out(1, record_version);
  put_text(out, record.request_hash);
  put_number(out, static_cast<std::uint64_t>(record.status), 4);
  put_text(out, record.response_json);
  put_number(out, static_cast<std::uint64_t>(record.created_at_ms), 8);
  return out;
}

std::optional<idempotency_record> decode_record(std::string_view key, std::string_view bytes) {
  if (bytes.empty() || bytes[0] != record_version) return std::nullopt;
  taker t{bytes.substr(1)};
  idempotency_record record;
  record.key = key;
  record.request_hash = t.text();
  record.status = static_cast<int>(t.number(4));
  record.response_json = t.text();
  record.created_at_ms = static_cast<std::int64_t>(t.number(8));
  if (!t.good || !t.left.empty()) return std::nullopt;
  return record;
}

}  // namespace soma::storage
