// A memory: what is remembered of a message, or was told to be kept. It is a document of the store,
// written in the atom of the event it comes from; everything else (the index, recall, the page) is
// a reader of these documents. docs/memory.md is the prose.
//
//   memory      tenant session id   the item, as JSON; session "-" where it is of none
//   memory.ids  tenant id           its session; without its item it counts as absent
//   memory.texts tenant hash        session and id of the note that says this already
//   memory.uses  tenant session seq nothing: the event of that number is a memory.recall
//
// Parts of keys are joined by a line feed, which no id has. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "storage/session_log.hpp"

namespace soma::memory {

inline constexpr std::string_view item_collection = "memory";
inline constexpr std::string_view id_collection = "memory.ids";
inline constexpr std::string_view text_collection = "memory.texts";
inline constexpr std::string_view use_collection = "memory.uses";
inline constexpr std::string_view outbox_sink = "memory";    // what the index reads
inline constexpr std::string_view brain_sink = "somabrain";  // what goes to SomaBrain
inline constexpr std::string_view no_session = "-";

struct item {
  std::string memory_id;
  std::string kind;  // message, note, knowledge, summary
  std::string text;  // at most limits::memory_text_bytes_max
  bool cut = false;  // there was more of it: the event has all
  std::string role;  // of a message: user, assistant
  std::vector<std::string> tags;
  double importance = 0.5;  // 0 to 1
  bool pinned = false;
  std::string session_id, message_id, tool_call_id, attachment_id;  // empty: of none
  std::string place_json;                                           // page, heading, range
  std::string owner;                                                // the user it belongs to
  std::int64_t created_at_ms = 0, updated_at_ms = 0;
  std::int64_t expires_at_ms = 0;  // from then on it counts as gone; 0: never
  std::string state = "stored";    // replicated, failed
  bool operator==(const item&) const = default;
};

// Cuts a text that is too long, and says so.
void bound_text(item& it);

// One line of JSON, as the store keeps it and as the API shows it but for the times, which are
// milliseconds here.
std::string encode(const item& it);
result<item> decode_item(std::string_view json);  // storage.corrupt

std::string item_key(const tenant_id& tenant, std::string_view session, std::string_view id);
std::string id_key(const tenant_id& tenant, std::string_view id);

// What tells the index that an item was written or is gone, or all of a session are; that a turn
// was told of items, or that what the turns of a session were told is gone. Rows name what they are
// about and do not hold it: applied twice or late they lead to the same. `gone` is for SomaBrain,
// which is told of each that went.
struct change {
  enum class kind { item, session, gone, used, unused } what = kind::item;
  session_key key;  // session "-": of none
  std::string id;   // of the item; of `used` the event's number, as use_number writes it
  bool operator==(const change&) const = default;
};
storage::outbox_row to_outbox(const change& what, std::string_view sink = outbox_sink);
result<change> read_change(std::string_view payload);  // storage.corrupt

// What it is told together with, so that none of them fills an answer: its session, else its
// document. Empty: nothing.
inline std::string_view told_with(const item& it) {
  return it.session_id.empty() ? it.attachment_id : it.session_id;
}

// Whether a message is worth a memory.write: one without words is not.
bool remembers(std::string_view text);

inline bool is_over(std::int64_t expires_at_ms, std::int64_t now_ms) {
  return expires_at_ms > 0 && expires_at_ms <= now_ms;
}

// How what is said is remembered.
struct remembering {
  bool replicated = false;  // in SomaBrain, too
  std::int64_t ttl_ms = 0;  // for how long; 0: for ever
};

// What is remembered with an append: for each memory.write (state stored, with a message_id) among
// the events the item of the message.user or final message.assistant of the same append, and the
// outbox row of each; where it is `replicated`, one for SomaBrain, too. A memory.write whose
// message is not there adds nothing. And what add_uses adds.
void add_remembered(storage::append_op& op, const session_key& key, std::string_view owner,
                    std::span<const event> appended, const remembering& how = {});

// Where a turn was told of memories: with each memory.recall among the events that has items, the
// document that names it, and a row for the index. What a copied session's turns were told is told
// of no memory: its source has it.
void add_uses(storage::append_op& op, const session_key& key, std::span<const event> appended);

// What of memory goes in the atom that deletes or resets a session: that, and where `items` all
// that is remembered of it.
void add_forgotten(storage::append_op& op, const session_key& key, bool items);

std::string use_key(const session_key& key, std::string_view number);
std::string use_number(std::uint64_t seq);  // of 20 digits, so that keys are in the log's order

// The rows of an item, for whoever writes it beside an append.
void add_item(std::vector<storage::document_row>& out, const tenant_id& tenant, const item& it);

}  // namespace soma::memory
