// soma-extract: reads a document from its standard input and writes {"content_type", "text",
// "metadata", "truncated"} or {"error": {"code", "detail"}} to its standard output.
//
//   soma-extract [--declared TYPE] [--text-bytes N] [--pages N] [--structure 1] < document
//
// Meant for the sandbox: it opens nothing but libmagic's database, and holds a document whole.
#include <fcntl.h>
#include <magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "core/json_writer.hpp"
#include "extract/extract.hpp"

namespace {

using namespace soma::extract;

constexpr std::size_t input_bytes_max = 256u << 20;

// A file is mapped, anything else read.
std::string_view all_input(std::string& kept) {
  struct stat info {};
  if (fstat(0, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size > input_bytes_max) throw unreadable("too_large", "the document is too large");
    void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, 0, 0);
    if (at != MAP_FAILED) return {static_cast<const char*>(at), size};
  }
  char buffer[64 * 1024];
  for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;) {
    kept.append(buffer, static_cast<std::size_t>(n));
    if (kept.size() > input_bytes_max) throw unreadable("too_large", "the document is too large");
  }
  return kept;
}

struct closing {
  void operator()(magic_set* cookie) const { magic_close(cookie); }
};

std::string sniffed(std::string_view bytes, int flags) {
  const std::unique_ptr<magic_set, closing> cookie(magic_open(flags));
  if (!cookie || magic_load(cookie.get(), nullptr) != 0)
    throw unreadable("unsupported", "the database of file types is missing");
  const char* type = magic_buffer(cookie.get(), bytes.data(), bytes.size());
  return type ? type : "application/octet-stream";
}

bool is_text(const std::string& type) {
  for (const char* known : {"application/json", "application/csv", "application/x-ndjson",
                            "application/javascript", "application/xml", "application/x-yaml",
                            "application/x-shellscript", "message/rfc822", "application/x-empty",
                            "inode/x-empty", "image/svg+xml", "application/x-wine-extension-ini"})
    if (type == known) return true;
  return type.starts_with("text/");
}

bool is_package(const document& from) {
  return from.bytes.starts_with("PK\x03\x04") &&
         (from.content_type.starts_with("application/vnd.openxmlformats-officedocument.") ||
          from.content_type == "application/zip" ||
          from.content_type == "application/octet-stream");
}

// libmagic cannot tell these from plain text; nobody is hurt where they are not what they are said
// to be.
void believe_kind_of_text(document& from) {
  for (const char* kind : {"text/markdown", "text/csv", "text/html", "application/json"})
    if (from.declared == kind) from.content_type = kind;
}

void extract_text(document& from, text_sink& to, metadata& about, const limits& bounds) {
  const auto& type = from.content_type;
  if (type == "application/pdf") return read_pdf(from, to, about, bounds);
  if (is_package(from)) return read_office(from, to, about, bounds);
  if (type.starts_with("image/") && type != "image/svg+xml")
    return read_image(from, sniffed(from.bytes, MAGIC_NONE), about);
  if (!is_text(type)) throw unreadable("unsupported", "no text can be taken out of " + type);
  if (type != "text/html") believe_kind_of_text(from);
  if (type == "text/html" && !from.bytes.empty()) return read_html(from, to, about, bounds);
  read_plain(from, to, about);
  if (type != "application/json") return;
  boost::system::error_code wrong;
  boost::json::parse(from.bytes, wrong);
  about.texts["json"] = wrong ? "invalid" : "valid";
}

std::string told(const document& from, text_sink& text, const metadata& about) {
  std::string out;
  soma::json_writer json(out);
  json.begin_object().field("content_type", from.content_type).field("text", text.take());
  json.key("metadata").begin_object();
  for (const auto& [name, value] : about.texts) json.field(name, value);
  for (const auto& [name, value] : about.numbers)
    json.field(name, static_cast<std::uint64_t>(value));
  json.end_object().field_bool("truncated", text.truncated()).end_object();
  return out;
}

std::string told(const std::string& code, const std::string& detail) {
  std::string out;
  soma::json_writer json(out);
  json.begin_object().key("error").begin_object();
  json.field("code", code).field("detail", detail).end_object().end_object();
  return out;
}

std::string run(int argc, char** argv) {
  limits bounds;
  document from;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name(argv[i]);
    if (name == "--declared") from.declared = argv[i + 1];
    if (name == "--text-bytes") bounds.text_bytes = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--pages") bounds.pages = std::atoi(argv[i + 1]);
    if (name == "--structure") bounds.structure = std::string_view(argv[i + 1]) == "1";
  }
  try {
    std::string kept;
    from.bytes = all_input(kept);
    from.content_type = sniffed(from.bytes, MAGIC_MIME_TYPE);
    text_sink text(bounds.text_bytes);
    metadata about;
    extract_text(from, text, about, bounds);
    return told(from, text, about);
  } catch (const unreadable& e) {
    return told(e.code, e.what());
  } catch (const std::bad_alloc&) {
    return told("too_large", "the document needs too much memory");
  } catch (const std::exception& e) {
    return told("broken", e.what());
  }
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__)
// It looks for leaks by tracing itself, which the sandbox forbids.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}
#endif

int main(int argc, char** argv) {
  const auto answer = run(argc, argv);
  std::fwrite(answer.data(), 1, answer.size(), stdout);
  std::fputc('\n', stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
