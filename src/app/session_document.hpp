// The NDJSON document of an export, line by line: a header, one event envelope a line in the order
// of the log, and last the number of events and the SHA-256 of all lines before, newlines included.
//   {"soma_export":"v1","session":{…}}
//   {"version":"v1","meta":{…},"type":"session.open","payload":{…}}
//   {"end":true,"events":1,"sha256":"…"}
// Attachments stand between the events and the last line: see document_attachments.hpp.
// Neither side holds more than one line, and the reader the ids of attachments. Values of one
// thread at a time; no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "app/document_attachments.hpp"
#include "core/error.hpp"
#include "core/event.hpp"
#include "security/digest.hpp"

namespace soma::app {

class document_writer {
 public:
  // Each returns its line with the newline, to be sent in the order of the calls.
  std::string begin(std::string_view session_json);
  std::string add(std::string_view envelope);
  std::string add_attachment(std::string_view line);
  std::string end();

 private:
  std::string hashed(std::string line);

  security::sha256_stream hash_;
  std::uint64_t events_ = 0;
};

// The longest line taken: an event as large as the log takes, and room for what only its reader
// sees.
inline constexpr std::size_t document_line_bytes_max = 1024 * 1024;

class document_reader {
 public:
  // Takes the next line, without its newline. Fails with import.invalid or event.too_large;
  // `line()` then says where. The event of the line, if it is one.
  result<std::optional<event>> take(std::string_view line);

  // After the last line: nothing when the document is whole. Fails with import.invalid.
  result<void> finish() const;

  std::uint64_t line() const { return line_; }  // of the last `take`, 1-based
  std::uint64_t events() const { return events_; }
  // SHA-256 in hex, proven by the last line.
  const std::string& hash() const { return hash_text_; }

 private:
  result<void> take_end(std::string_view line);
  result<event> take_event(std::string_view line);

  attachment_check attachments_;
  std::unordered_set<std::string> named_;  // attachments
  bool events_over_ = false;
  security::sha256_stream hash_;
  std::string hash_text_;
  std::string session_;  // all events are of one
  std::uint64_t line_ = 0, events_ = 0, last_seq_ = 0;
};

}  // namespace soma::app
