// PDF, by Poppler.
#include <poppler-document.h>
#include <poppler-page.h>

#include <algorithm>
#include <memory>
#include <string>

#include "extract/extract.hpp"

namespace soma::extract {
namespace {

std::string utf8(const poppler::ustring& text) {
  const auto bytes = text.to_utf8();
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void read_pdf(const document& from, text_sink& to, metadata& about, const limits& bounds) {
  const std::unique_ptr<poppler::document> file(poppler::document::load_from_raw_data(
      from.bytes.data(), static_cast<int>(from.bytes.size())));
  if (!file) throw unreadable("broken", "the PDF cannot be read");
  if (file->is_locked()) throw unreadable("protected", "the PDF is protected by a password");
  about.numbers["pages"] = file->pages();
  for (const char* key : {"Title", "Author", "Subject", "CreationDate"}) {
    text_sink line(1024);
    line.add(utf8(file->info_key(key)));
    std::string name(key);
    name[0] = static_cast<char>(name[0] + ('a' - 'A'));
    if (auto value = line.take(); !value.empty()) about.texts[name] = std::move(value);
  }
  int read = 0;
  for (; read < file->pages() && read < bounds.pages && !to.full(); ++read) {
    if (bounds.structure && read > 0) to.add("\f");
    const std::unique_ptr<poppler::page> page(file->create_page(read));
    if (!page) continue;
    to.end_line(2);
    auto text = utf8(page->text());
    text.erase(text.find_last_not_of(" \n\f") + 1);
    if (bounds.structure) std::replace(text.begin(), text.end(), '\f', '\n');
    to.add(text);
  }
  if (read < file->pages()) about.numbers["pages_read"] = read;
}

}  // namespace soma::extract
