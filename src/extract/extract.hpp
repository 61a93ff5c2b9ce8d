// Takes the text out of a document. For a process of its own in the sandbox: the libraries behind
// it parse whatever somebody sent. Blocks; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace soma::extract {

struct limits {
  std::size_t text_bytes = 256 * 1024;         // more is cut
  int pages = 500;                             // of a PDF; more are left out
  int sheets = 50;                             // of a workbook
  std::uint64_t inflated_bytes = 64ull << 20;  // of all parts of a packed document together
  std::uint64_t inflation_max = 200;           // times its own size, past the first MiB
  std::size_t entries = 10'000;                // parts of a packed document
  std::size_t nesting = 200;                   // of elements
  // Whether the text shows how the document is built: a form feed between pages, headings begun
  // with as many # as they are deep.
  bool structure = false;
};

// It cannot be read: ends up as the document's error. `code` is "unsupported", "broken",
// "protected" or "too_large".
struct unreadable : std::runtime_error {
  unreadable(std::string c, const std::string& what)
      : std::runtime_error(what), code(std::move(c)) {}
  std::string code;
};

// Text that stops growing at its limit.
class text_sink {
 public:
  explicit text_sink(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void add(std::string_view text);
  // A line end, unless there is one (`count`: or two) already, or no text yet.
  void end_line(int count = 1);
  void space();  // between words, once
  void tab();    // behind a cell
  bool full() const { return truncated_; }
  bool truncated() const { return truncated_; }
  std::string take();  // valid UTF-8

 private:
  std::size_t bytes_max_;
  std::string text_;
  bool truncated_ = false;
};

struct document {
  std::string_view bytes;
  std::string content_type;  // as it was sniffed
  std::string declared;      // as somebody said, for what cannot be sniffed
};

struct metadata {
  std::map<std::string, std::string> texts;
  std::map<std::string, std::int64_t> numbers;
};

void read_plain(const document& from, text_sink& to, metadata& about);
void read_html(const document& from, text_sink& to, metadata& about, const limits& bounds);
void read_pdf(const document& from, text_sink& to, metadata& about, const limits& bounds);
void read_office(const document& from, text_sink& to, metadata& about, const limits& bounds);
void read_image(const document& from, const std::string& description, metadata& about);

}  // namespace soma::extract
