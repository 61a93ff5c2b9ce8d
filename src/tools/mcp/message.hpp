// JSON-RPC messages of the Model Context Protocol, written and read. Pure.
// Format: the specification's revisions 2025-03-26 to 2026-07-28.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::tools::mcp {

inline constexpr std::string_view modern_revision = "2026-07-28", legacy_revision = "2025-11-25";

// Revisions that begin with `initialize`, newest first.
inline constexpr std::string_view legacy_revisions[] = {legacy_revision, "2025-06-18", "2025-03-26",
                                                        "2024-11-05"};
inline bool is_legacy(std::string_view revision) {
  for (const auto known : legacy_revisions)
    if (known == revision) return true;
  return false;
}

// Codes that only revision 2026-07-28 has: a server that says one of them speaks it.
inline constexpr int header_mismatch = -32020, capability_missing = -32021,
                     revision_unsupported = -32022, method_not_found = -32601;
inline bool is_modern_error(int code) {
  return code <= header_mismatch && code >= revision_unsupported;
}

struct incoming {
  enum class kind { response, failure, request, notification };
  kind what = kind::notification;
  std::optional<std::uint64_t> id;  // of an answer; none: it is no id that we give
  std::string id_json;              // of a request, as it came
  std::string method;
  boost::json::object body;  // params, or result; a result that is text or a list: its content
  // The result's structuredContent as it was written, numbers of any size untouched; empty: none,
  // or the message came in a batch.
  std::string structured_json;
  bool result_is_object = true;
  int code = 0;         // of a failure
  std::string message;  // of a failure, cut to what may be shown
};

// One message, or a batch of them. Error: request.malformed_json, with what is wrong.
result<std::vector<incoming>> read_messages(std::string_view json);

// An id of ours as a server gives it back: some make text of it. None: it is no id that we give.
std::optional<std::uint64_t> own_id(const boost::json::value& id);

// Text of a server for a person or a model: valid, in one line of at most `bytes_max`.
std::string shown(std::string_view text, std::size_t bytes_max);

struct outgoing {
  std::uint64_t id = 0;      // 0: a notification, or the answer to a request
  std::string method, name;  // `name`: of the tool, for a call
  std::string json;
  std::vector<std::pair<std::string, std::string>> headers;  // of the call's own
};

// Writes what we send under one revision.
class message_writer {
 public:
  explicit message_writer(std::string_view client_version) : version_(client_version) {}

  void speak(std::string_view revision) { revision_ = revision; }
  const std::string& revision() const { return revision_; }
  bool modern() const { return revision_ == modern_revision; }

  outgoing request(std::uint64_t id, std::string_view method, boost::json::object params = {},
                   bool progress = false) const;
  outgoing initialize(std::uint64_t id) const;
  outgoing notification(std::string_view method, boost::json::object params = {}) const;
  static outgoing answer(std::string_view id_json);     // an empty result
  static outgoing not_found(std::string_view id_json);  // we have no such method

 private:
  boost::json::object client_info() const;
  std::string version_, revision_{modern_revision};
};

}  // namespace soma::tools::mcp
