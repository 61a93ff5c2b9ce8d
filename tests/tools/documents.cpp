#include "tools/documents.hpp"

#include <zlib.h>

#include <cstdint>
#include <stdexcept>

namespace soma::testing {
namespace {

std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("no zlib");
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string zip_of(const zip_parts& parts, bool deflate) {
  std::string out, directory;
  for (const auto& [name, bytes] : parts) {
    const auto packed = deflate ? deflated(bytes) : bytes;
    const auto crc =
        crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    const auto common = little(20, 2) + little(0, 2) + little(deflate ? 8 : 0, 2) + little(0, 4) +
                        little(crc, 4) + little(packed.size(), 4) + little(bytes.size(), 4) +
                        little(name.size(), 2) + little(0, 2);
    directory += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) +
                 little(0, 2) + little(0, 4) + little(out.size(), 4) + name;
    out += "PK\x03\x04" + common + name + packed;
  }
  const auto at = out.size();
  return out + directory + "PK\x05\x06" + little(0, 4) + little(parts.size(), 2) +
         little(parts.size(), 2) + little(directory.size(), 4) + little(at, 4) + little(0, 2);
}

std::string docx_of(const std::string& body_xml) {
  return zip_of({{"[Content_Types].xml", "<Types/>"},
                 {"docProps/core.xml",
                  "<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title>A title</dc:title>"
                  "<dc:creator>Somebody</dc:creator></cp:coreProperties>"},
                 {"word/document.xml",
                  "<w:document xmlns:w='w'><w:body>" + body_xml + "</w:body></w:document>"}});
}

std::string xlsx_of(const std::string& sheet_xml, const std::string& strings_xml) {
  return zip_of(
      {{"[Content_Types].xml", "<Types/>"},
       {"xl/workbook.xml",
        "<workbook xmlns:r='r'><sheets><sheet name='Costs' sheetId='1' r:id='rId7'/></sheets>"
        "</workbook>"},
       {"xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id='rId7' Target='worksheets/sheet1.xml'/></Relationships>"},
       {"xl/sharedStrings.xml", "<sst>" + strings_xml + "</sst>"},
       {"xl/worksheets/sheet1.xml",
        "<worksheet><sheetData>" + sheet_xml + "</sheetData></worksheet>"}});
}

std::string pdf_of(const std::vector<std::string>& pages) {
  std::vector<std::string> objects;
  std::string kids;
  for (std::size_t i = 0; i < pages.size(); ++i) kids += std::to_string(4 + 2 * i) + " 0 R ";
  objects.push_back("<</Type/Catalog/Pages 2 0 R>>");
  objects.push_back("<</Type/Pages/Kids[" + kids + "]/Count " + std::to_string(pages.size()) +
                    ">>");
  objects.push_back("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const auto text = "BT /F1 24 Tf 72 720 Td (" + pages[i] + ") Tj ET";
    objects.push_back(
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 "
        "R>>>>/Contents " +
        std::to_string(5 + 2 * i) + " 0 R>>");
    objects.push_back("<</Length " + std::to_string(text.size()) + ">>stream\n" + text +
                      "\nendstream");
  }
  std::string out = "%PDF-1.4\n", table;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    auto offset = std::to_string(out.size());
    offset.insert(0, 10 - offset.size(), '0');
    table += offset + " 00000 n \n";
    out += std::to_string(i + 1) + " 0 obj" + objects[i] + "endobj\n";
  }
  const auto at = std::to_string(out.size());
  const auto size = std::to_string(objects.size() + 1);
  return out + "xref\n0 " + size + "\n0000000000 65535 f \n" + table + "trailer<</Size " + size +
         "/Root 1 0 R/Info<</Title(A title)>>>>\nstartxref\n" + at + "\n%%EOF\n";
}

}  // namespace soma::testing
