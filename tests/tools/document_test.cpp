#include "tools/builtin/document_ingest.hpp"

#include <fstream>
#include <map>
#include <mutex>
#include <random>

#include "support/child_process.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"
#include "support/temp_folder.hpp"
#include "tools/documents.hpp"
#include "tools/tool_world.hpp"

namespace json = boost::json;
using namespace soma;
using namespace soma::testing;

namespace {

class fake_attachments : public tools::attachment_source {
 public:
  void put(const std::string& tenant, const std::string& id, const std::string& type,
           const std::string& bytes) {
    std::ofstream(folder_ / id, std::ios::binary) << bytes;
    files_[{tenant, id}] = {id, id + ".bin", type, "", bytes.size(), folder_ / id};
  }
  void drop(const std::string& tenant, const std::string& id) { files_.erase({tenant, id}); }
  result<tools::attachment> find(const tools::attachment_reader& who,
                                 std::string_view id) override {
    const auto at = files_.find({who.tenant.value, std::string(id)});
    if (at == files_.end()) return error{"attachment.not_found", "there is no such attachment"};
    return at->second;
  }
  result<tools::attachment> keep(const session_key&, std::string_view, std::string_view,
                                 std::string_view) override {
    return error{"storage.full", "not here"};
  }

 private:
  temp_folder folder_;
  std::map<std::pair<std::string, std::string>, tools::attachment> files_;
};

class fake_keeper : public tools::document_keeper {
 public:
  result<std::optional<tools::kept_document>> find(const tenant_id&,
                                                   std::string_view id) const override {
    const std::lock_guard lock(mutex_);
    if (!kept_ || kept_->attachment_id != id) return std::optional<tools::kept_document>();
    return std::optional(
        tools::kept_document{kept_->attachment_id, kept_->filename, 7, false, true});
  }
  result<tools::kept_document> keep(const tools::document_to_keep& what) override {
    const std::lock_guard lock(mutex_);
    kept_ = what;
    if (on_keep) on_keep();
    return tools::kept_document{what.attachment_id, what.filename, 7, what.cut, false};
  }
  result<void> keep_answer(const tools::answer_to_keep&, const tools::kept_document&) override {
    return {};
  }
  result<void> forget(const tenant_id&, std::string_view) override {
    const std::lock_guard lock(mutex_);
    kept_.reset();
    return {};
  }
  std::optional<tools::document_to_keep> kept() const {
    const std::lock_guard lock(mutex_);
    return kept_;
  }
  std::function<void()> on_keep;

 private:
  mutable std::mutex mutex_;
  std::optional<tools::document_to_keep> kept_;
};

struct world {
  fake_attachments attachments;
  fake_keeper keeper;
  tools::extractor reader{shared_sandbox(), sibling_program("soma-extract")};
  std::unique_ptr<tools::tool> tool =
      tools::make_document_ingest({reader, shared_workers(), attachments, &keeper});
  tools::document_reader documents{{reader, shared_workers(), attachments, &keeper}};

  // As it is kept for later.
  std::string kept_text(const std::string& bytes, const std::string& type = {}) {
    attachments.put("one", "doc", type, bytes);
    auto request = request_of(R"({"attachment_id":"doc","remember":true})");
    request.limits.timeout_ms = 20'000;
    const auto seen = outcome(*tool, request);
    REQUIRE_MESSAGE(!seen.error, (seen.error ? seen.error->detail : ""));
    CHECK(output(seen).at("remembered").as_object().at("passages") == 7);
    CHECK(text(output(seen), "text").find('\f') == std::string::npos);
    REQUIRE(keeper.kept());
    return keeper.kept()->text;
  }

  tools::tool_outcome ingest(const std::string& bytes, const std::string& type = {},
                             std::uint64_t output_bytes = 64 << 10) {
    attachments.put("one", "doc", type, bytes);
    auto request = request_of(R"({"attachment_id":"doc"})");
    request.limits.output_bytes = output_bytes;
    request.limits.timeout_ms = 20'000;
    return outcome(*tool, request);
  }
  std::string text_of(const std::string& bytes, const std::string& type = {}) {
    const auto seen = ingest(bytes, type);
    return seen.error ? "error: " + seen.error->detail : text(output(seen), "text");
  }
  json::object metadata_of(const std::string& bytes, const std::string& type = {}) {
    return output(ingest(bytes, type)).at("metadata").as_object();
  }
};

std::string paragraph(const std::string& text) {
  return "<w:p><w:r><w:t>" + text + "</w:t></w:r></w:p>";
}

}  // namespace

TEST_CASE_FIXTURE(world, "document_ingest: plain text of several encodings") {
  CHECK(tool->unavailable() == "");
  CHECK(text_of("hello\nthere\n") == "hello\nthere");
  CHECK(text_of("") == "");
  CHECK(text_of("\xef\xbb\xbf"
                "caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(text_of("caf\xe9 cr\xe8me") == "caf\xc3\xa9 cr\xc3\xa8me");
  CHECK(text_of(std::string("\xff\xfeh\0i\0", 6)) == "hi");
  CHECK(metadata_of("# T\n\ntext\n", "text/markdown").at("content_type") == "text/markdown");
  CHECK(metadata_of("a,b\n1,2\n", "text/csv").at("lines") == 2);
  CHECK(metadata_of(R"({"a": 1})", "application/json").at("json") == "valid");
  CHECK(metadata_of(R"({"a": )", "application/json").at("json") == "invalid");
}

TEST_CASE_FIXTURE(world, "document_ingest: a page gives its words, not its programs") {
  const auto page =
      "<!DOCTYPE html><html><head><title>A &amp; B</title><style>p{}</style></head>"
      "<body><script>evil()</script><h1>Head</h1><p>One <b>two</b>\n three</p>"
      "<ul><li>x</li><li>y</li></ul><table><tr><td>1</td><td>2</td></tr></table>";
  CHECK(text_of(page) == "Head\nOne two three\n- x\n- y\n1\t2");
  CHECK(metadata_of(page).at("title") == "A & B");
}

TEST_CASE_FIXTURE(world, "document_ingest: a PDF gives its pages and what it says of itself") {
  const auto pdf = pdf_of({"First page", "Second page"});
  CHECK(text_of(pdf, "text/plain") == "First page\n\nSecond page");
  const auto about = metadata_of(pdf);
  CHECK(about.at("pages") == 2);
  CHECK(about.at("title") == "A title");
  CHECK(about.at("content_type") == "application/pdf");
  CHECK(about.at("filename") == "doc.bin");
}

TEST_CASE_FIXTURE(world, "document_ingest: a Word document gives paragraphs and tables") {
  const auto docx =
      docx_of(paragraph("One &lt;two&gt;") + paragraph("Three") + "<w:tbl><w:tr><w:tc>" +
              paragraph("a") + "</w:tc><w:tc>" + paragraph("b") + "</w:tc></w:tr></w:tbl>" +
              "<w:p><w:r><w:delText>gone</w:delText></w:r></w:p>");
  CHECK(text_of(docx) == "One <two>\nThree\na\tb");
  CHECK(metadata_of(docx).at("title") == "A title");
  CHECK(metadata_of(docx).at("author") == "Somebody");
}

TEST_CASE_FIXTURE(world, "document_ingest: a workbook gives its sheets by row and column") {
  const auto xlsx = xlsx_of(
      "<row r='1'><c r='A1' t='s'><v>0</v></c><c r='C1'><v>1.5</v></c></row>"
      "<row r='2'><c r='A2' t='inlineStr'><is><t>in</t></is></c><c r='B2' t='b'><v>1</v></c></row>"
      "<row r='3'><c r='A3' t='s'><v>99</v></c></row>",
      "<si><t>Name</t></si>");
  CHECK(text_of(xlsx) == "## Costs\nName\t\t1.5\nin\tTRUE");
  CHECK(metadata_of(xlsx).at("sheets") == 1);
}

TEST_CASE_FIXTURE(world, "document_ingest: an image tells its kind and size") {
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0", 29);
  const auto about = metadata_of(png);
  CHECK(about.at("content_type") == "image/png");
  CHECK(about.at("width") == 640);
  CHECK(about.at("height") == 480);
}

TEST_CASE_FIXTURE(world, "document_ingest: another tenant's attachment is denied or not there") {
  attachments.put("two", "theirs", "text/plain", "secret");
  const auto named = outcome(*tool, request_of(R"({"attachment_id":"theirs","tenant_id":"two"})"));
  CHECK(named.status == "denied");
  CHECK(named.output_json.empty());
  const auto unnamed = outcome(*tool, request_of(R"({"attachment_id":"theirs"})"));
  CHECK(unnamed.status == "error");
  CHECK(unnamed.error->code == "attachment.not_found");
  attachments.put("one", "ours", "text/plain", "hello");
  CHECK(outcome(*tool, request_of(R"({"attachment_id":"ours","tenant_id":"one"})")).status ==
        "success");
}

TEST_CASE_FIXTURE(world, "document_ingest: long text is cut to what the profile allows") {
  const auto seen = ingest(std::string(100'000, 'x'), "text/plain", 10'000);
  CHECK(output(seen).at("truncated") == true);
  CHECK(seen.output_json.size() <= 10'000);
  CHECK(seen.output_json.size() > 5'000);
  // Also where JSON writes six bytes for one.
  CHECK(ingest(std::string(100'000, '\x01'), "text/plain", 10'000).output_json.size() <= 10'000);
  CHECK(output(ingest("short")).at("truncated") == false);
}

TEST_CASE_FIXTURE(world, "document_ingest: bombs are refused by what they unpack to") {
  const auto bomb = docx_of(paragraph(std::string(100u << 20, 'A')));
  REQUIRE(bomb.size() < (200u << 10));
  CHECK(text_of(bomb) == "error: unpacked, the document is too large");
  zip_parts parts;
  for (int i = 0; i < 20'000; ++i) parts.emplace_back("p" + std::to_string(i), "");
  CHECK(text_of(zip_of(parts)) == "error: the document has too many parts");
  // What is not read is not unpacked either.
  CHECK(text_of(zip_of({{"word/media/image1.bin", std::string(100u << 20, 'A')},
                        {"word/document.xml", "<d xmlns:w='w'>" + paragraph("ok") + "</d>"}})) ==
        "ok");
}

TEST_CASE_FIXTURE(world, "document_ingest: entities, links and deep nesting lead nowhere") {
  const auto entity = zip_of({{"word/document.xml",
                               "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><d "
                               "xmlns:w='w'><w:t>&x;</w:t></d>"}});
  CHECK(text_of(entity) == "error: the document defines entities");
  std::string laughs = "<!DOCTYPE d [<!ENTITY a 'ha'>";
  for (char c = 'b'; c < 'n'; ++c) {
    laughs += std::string("<!ENTITY ") + c + " '";
    for (int i = 0; i < 10; ++i) laughs += std::string("&") + static_cast<char>(c - 1) + ";";
    laughs += "'>";
  }
  CHECK(text_of(zip_of({{"word/document.xml", laughs + "]><d>&m;</d>"}})).starts_with("error: "));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  CHECK(text_of(zip_of({{"word/document.xml", deep}})).starts_with("error: "));
  std::string page = "<html><body>";
  for (int i = 0; i < 100'000; ++i) page += "<div>";
  CHECK_FALSE(ingest(page + "end").status.empty());
}

TEST_CASE_FIXTURE(world, "document_ingest: broken documents are errors, each with its reason") {
  const auto pdf = pdf_of({"text"});
  const auto docx = docx_of(paragraph("text"));
  const std::pair<std::string, std::string> broken[] = {
      {"%PDF-1.7\n", "the PDF cannot be read"},
      {"PK\x03\x04 and nothing", ""},
      {docx.substr(0, docx.size() / 2), ""},
      {zip_of({{"a.txt", "x"}}), "an archive that is no Word or Excel document"},
      {zip_of({{"word/document.xml", "<d><p></d>"}}), "a part of the document is not well-formed"},
      {zip_of({{"xl/workbook.xml", ""}}), ""},
      {std::string("\x7f"
                   "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0",
                   20),
       ""},
      {std::string(1000, '\0'), ""},
  };
  for (const auto& [bytes, reason] : broken) {
    CAPTURE(reason);
    const auto seen = ingest(bytes, "application/pdf");
    CHECK(seen.status == "error");
    REQUIRE(seen.error);
    CHECK(seen.error->code == "tool.failed");
    CHECK_FALSE(seen.error->detail.empty());
    if (!reason.empty()) CHECK(seen.error->detail == reason);
  }
}

TEST_CASE("extract: flipped and cut documents never end the program, whatever they become") {
  std::mt19937_64 random(seed_of("extract: flipped documents"));
  temp_folder folder;
  const std::string whole[] = {pdf_of({"one", "two"}), docx_of(paragraph("text")),
                               xlsx_of("<row><c t='s'><v>0</v></c></row>", "<si><t>x</t></si>"),
                               "<html><body><p>text</p></body></html>"};
  for (int i = 0; i < 60; ++i) {
    auto bytes = whole[static_cast<std::size_t>(i) % std::size(whole)];
    for (auto n = 1 + random() % 8; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    const auto path = folder / "broken";
    std::ofstream(path, std::ios::binary) << bytes;
    child_process program("/bin/sh", {"-c", "exec '" + sibling_program("soma-extract") + "' < '" +
                                                path + "' 2> /dev/null"});
    const auto answer = program.output();
    CHECK(program.end(0) == 0);
    boost::system::error_code wrong;
    CHECK(json::parse(answer, wrong).is_object());
  }
}

TEST_CASE_FIXTURE(world, "document_ingest: without its program it is unavailable") {
  tools::extractor missing(shared_sandbox(), "/nonexistent/soma-extract");
  const auto none = tools::make_document_ingest({missing, shared_workers(), attachments});
  CHECK(none->unavailable() == "the program soma-extract is not installed");
}

TEST_CASE_FIXTURE(
    world, "document_ingest: what is remembered shows pages and headings, and is all of it") {
  CHECK(kept_text(pdf_of({"First page", "", "Third page"})) == "First page\f\n\n\f\n\nThird page");
  CHECK(kept_text("<html><body><h1>A <b>b</b></h1><p>One</p><p>Two</p><h3>C</h3>x</body></html>") ==
        "# A b\n\nOne\n\nTwo\n### C\nx");
  const auto heading =
      R"(<w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>A</w:t></w:r></w:p>)";
  CHECK(kept_text(docx_of(heading + paragraph("one") + paragraph("two"))) == "## A\n\none\n\ntwo");
  const std::string large(300'000, 'x');
  CHECK(kept_text(large).size() == large.size());  // more than an answer has
  CHECK(keeper.kept()->tenant.value == "one");
  CHECK(keeper.kept()->filename == "doc.bin");
  // Not asked for, nothing is kept.
  REQUIRE(keeper.forget(tenant_id("one"), "doc"));
  CHECK(text_of("hello") == "hello");
  CHECK_FALSE(keeper.kept());
}

TEST_CASE_FIXTURE(world, "document_ingest: what is to be kept and finds no place is told so") {
  tenant_places places{1, 2};
  const auto bounded =
      tools::make_document_ingest({reader, shared_workers(), attachments, &keeper, &places});
  attachments.put("one", "doc", "text/plain", "The walrus");
  auto request = request_of(R"({"attachment_id":"doc","remember":true})");
  request.limits.timeout_ms = 20'000;
  auto other = places.enter(tenant_id("one"));
  auto seen = outcome(*bounded, request);
  REQUIRE(seen.error);
  CHECK(seen.error->code == "tool.busy");
  CHECK(seen.error->retryable);
  CHECK_FALSE(keeper.kept());
  // What is only read needs none.
  auto read = request_of(R"({"attachment_id":"doc"})");
  read.limits.timeout_ms = 20'000;
  CHECK(outcome(*bounded, read).status == "success");
  other.reset();
  for (int i = 0; i < 3; ++i) CHECK(outcome(*bounded, request).status == "success");
  attachments.drop("one", "doc");
  CHECK(outcome(*bounded, request).status == "error");
  CHECK(places.enter(tenant_id("one")));
}

TEST_CASE_FIXTURE(world, "document_reader: an import waits for its end, and is not done twice") {
  attachments.put("one", "doc", "text/plain", "hello");
  tools::wanted_document wanted;
  wanted.tenant = tenant_id("one");
  wanted.attachment_id = "doc";
  const auto made = documents.import(wanted);
  REQUIRE(made);
  CHECK(made->passages == 7);
  CHECK_FALSE(made->again);
  CHECK(keeper.kept()->text == "hello");
  CHECK(documents.import(wanted).value().again);
  wanted.attachment_id = "none";
  CHECK(documents.import(wanted).error().code == "attachment.not_found");
  // Deleted while it is kept, it is forgotten.
  attachments.put("one", "late", "text/plain", "hello");
  keeper.on_keep = [&] { attachments.drop("one", "late"); };
  wanted.attachment_id = "late";
  CHECK(documents.import(wanted).error().code == "attachment.not_found");
  CHECK_FALSE(keeper.kept());
}
