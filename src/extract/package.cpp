#include "extract/package.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <libxml/xmlreader.h>

#include <memory>

namespace soma::extract {
namespace {

struct closing {
  void operator()(archive* a) const { archive_read_free(a); }
  void operator()(xmlTextReader* r) const { xmlFreeTextReader(r); }
};

// Small archives may grow freely: an empty workbook is one.
constexpr std::uint64_t free_bytes = 1 << 20;

std::string read_part(archive* from, std::uint64_t packed_bytes, std::uint64_t& total,
                      const limits& bounds) {
  std::string out;
  char buffer[64 * 1024];
  for (;;) {
    const auto n = archive_read_data(from, buffer, sizeof buffer);
    if (n == 0) return out;
    if (n < 0) throw unreadable("broken", "a part of the document is damaged");
    total += static_cast<std::uint64_t>(n);
    if (total > bounds.inflated_bytes ||
        (total > free_bytes && total / bounds.inflation_max > packed_bytes))
      throw unreadable("too_large", "unpacked, the document is too large");
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

std::string_view view(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

void tell(xmlTextReader* reader, xml_listener& to) {
  switch (xmlTextReaderNodeType(reader)) {
    case XML_READER_TYPE_ELEMENT: {
      const bool empty = xmlTextReaderIsEmptyElement(reader) == 1;
      const std::string name(view(xmlTextReaderConstLocalName(reader)));
      to.on_begin(name, [&](const char* wanted) {
        xmlChar* value =
            xmlTextReaderGetAttribute(reader, reinterpret_cast<const xmlChar*>(wanted));
        std::string out(view(value));
        xmlFree(value);
        return out;
      });
      if (empty) to.on_end(name);
      break;
    }
    case XML_READER_TYPE_END_ELEMENT: to.on_end(view(xmlTextReaderConstLocalName(reader))); break;
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_WHITESPACE:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
      to.on_text(view(xmlTextReaderConstValue(reader)));
      break;
    case XML_READER_TYPE_DOCUMENT_TYPE:
    case XML_READER_TYPE_ENTITY_REFERENCE:
      throw unreadable("broken", "the document defines entities");
  }
}

}  // namespace

std::map<std::string, std::string> unpack(std::string_view bytes, const limits& bounds,
                                          const std::function<bool(const std::string&)>& wanted) {
  const std::unique_ptr<archive, closing> zip(archive_read_new());
  archive_read_support_format_zip_seekable(zip.get());
  if (archive_read_open_memory(zip.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    throw unreadable("broken", "the document's archive cannot be read");
  std::map<std::string, std::string> parts;
  std::uint64_t total = 0;
  archive_entry* entry = nullptr;
  for (std::size_t seen = 0;; ++seen) {
    const int got = archive_read_next_header(zip.get(), &entry);
    if (got == ARCHIVE_EOF) return parts;
    if (got < ARCHIVE_WARN) throw unreadable("broken", "the document's archive is damaged");
    if (seen >= bounds.entries) throw unreadable("too_large", "the document has too many parts");
    const char* name = archive_entry_pathname(entry);
    if (!name || !wanted(name)) continue;
    if (archive_entry_is_encrypted(entry))
      throw unreadable("protected", "the document is protected by a password");
    parts[name] = read_part(zip.get(), bytes.size(), total, bounds);
  }
}

void read_xml(const std::string& part, const limits& bounds, xml_listener& to) {
  const std::unique_ptr<xmlTextReader, closing> reader(
      xmlReaderForMemory(part.data(), static_cast<int>(part.size()), nullptr, nullptr,
                         XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING));
  if (!reader) throw unreadable("broken", "a part of the document cannot be read");
  int more = 0;
  while (!to.enough() && (more = xmlTextReaderRead(reader.get())) == 1) {
    if (xmlTextReaderDepth(reader.get()) > static_cast<int>(bounds.nesting))
      throw unreadable("broken", "the document nests too deeply");
    tell(reader.get(), to);
  }
  if (more < 0) throw unreadable("broken", "a part of the document is not well-formed");
}

}  // namespace soma::extract
