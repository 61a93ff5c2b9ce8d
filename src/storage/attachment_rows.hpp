// The keys of the documents that keep account of attachments, all in one collection so that several
// can be written in one atom. Parts are joined by a line feed, which no id has.
//
//   row  tenant id          what the attachment is
//   of   tenant session id  the session names it   } written in the atom of the event
//   by   tenant id session  it is named by         } that names it
//   sha  sha256 tenant id   whose bytes these are
//   gone tenant session     deleted, and its uses and files still are to be; written in the
//                           atom that deletes the session
//   due  when tenant id     when it is looked at next: 16 digits of milliseconds, so oldest first
//
// Pure.
#pragma once

#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.hpp"
#include "storage/event_log.hpp"

namespace soma::storage {

inline constexpr std::string_view attachment_collection = "attachments";

inline std::string attachment_key(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (const auto part : parts) {
    if (!key.empty()) key += '\n';
    key += part;
  }
  return key;
}

inline std::string attachment_time(std::int64_t ms) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%016lld", static_cast<long long>(ms));
  return digits;
}

// That a session names an attachment.
inline void add_attachment_use(std::vector<document_row>& out, const session_key& session,
                               std::string_view id) {
  const auto add = [&](std::string key) {
    out.push_back({std::string(attachment_collection), std::move(key), {}});
  };
  add(attachment_key({"of", session.tenant.value, session.session.value, id}));
  add(attachment_key({"by", session.tenant.value, id, session.session.value}));
}

// What a message that names attachments adds to its own append.
inline void add_attachment_uses(std::vector<document_row>& out, const session_key& session,
                                const event_body& said) {
  const auto* message = std::get_if<body::message_user>(&said);
  if (!message) return;
  for (const auto& a : message->attachments) add_attachment_use(out, session, a.id);
}

inline document_row session_gone_row(const session_key& session) {
  return {std::string(attachment_collection),
          attachment_key({"gone", session.tenant.value, session.session.value}),
          {}};
}

}  // namespace soma::storage
