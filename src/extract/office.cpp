// Word and Excel documents (ECMA-376): zip archives of XML parts.
#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "extract/extract.hpp"
#include "extract/package.hpp"

namespace soma::extract {
namespace {

using attribute_reader = std::function<std::string(const char*)>;
using parts = std::map<std::string, std::string>;

const std::string workbook_part = "xl/workbook.xml", strings_part = "xl/sharedStrings.xml",
                  relations_part = "xl/_rels/workbook.xml.rels", core_part = "docProps/core.xml",
                  document_part = "word/document.xml";
// A gap between two filled cells of a row is shown as this many tabs at most.
constexpr int gap_max = 64;

bool wanted(const std::string& name) {
  return name == workbook_part || name == strings_part || name == relations_part ||
         name == core_part || name == document_part || name == "word/footnotes.xml" ||
         name == "word/endnotes.xml" || name.starts_with("xl/worksheets/");
}

class word_text : public xml_listener {
 public:
  word_text(text_sink& to, bool structure) : to_(to), structure_(structure) {}
  void on_begin(std::string_view name, const attribute_reader& attribute) override {
    if (name == "t") inside_ = true;
    if (name == "pStyle" && structure_ && table_ == 0) begin_heading(attribute("w:val"));
    if (name == "tbl") ++table_;
    if (name == "tab") to_.add("\t");
    if (name == "br" || name == "cr") to_.add("\n");
  }
  void on_text(std::string_view text) override {
    if (inside_) to_.add(text);
  }
  void on_end(std::string_view name) override {
    if (name == "t") inside_ = false;
    if (name == "tc") to_.tab();
    if (name == "tr") to_.end_line();
    if (name == "p") table_ > 0 ? to_.space() : to_.end_line(structure_ ? 2 : 1);
    if (name == "tbl") --table_;
  }
  bool enough() const override { return to_.full(); }

 private:
  // Word names the styles of headings alike in every language, but for their ids in some.
  void begin_heading(const std::string& style) {
    const auto number = style.starts_with("Heading") && style.size() == 8 ? style[7] - '0' : 0;
    if (style == "Title") to_.add("# ");
    if (number >= 1 && number <= 6)
      to_.add(std::string(static_cast<std::size_t>(number), '#') + ' ');
  }

  text_sink& to_;
  const bool structure_;
  bool inside_ = false;
  int table_ = 0;  // how many we are in
};

class core_properties : public xml_listener {
 public:
  explicit core_properties(metadata& about) : about_(about) {}
  void on_begin(std::string_view name, const attribute_reader&) override { name_ = name; }
  void on_text(std::string_view text) override {
    if (name_ == "title" || name_ == "creator" || name_ == "subject" || name_ == "created") {
      text_sink line(1024);
      line.add(text);
      about_.texts[name_ == "creator" ? "author" : name_] = line.take();
    }
  }
  void on_end(std::string_view) override { name_.clear(); }

 private:
  metadata& about_;
  std::string name_;
};

class shared_strings : public xml_listener {
 public:
  std::vector<std::string> all;
  void on_begin(std::string_view name, const attribute_reader&) override {
    if (name == "si") all.emplace_back();
    if (name == "rPh") ++phonetic_;
    inside_ = name == "t";
  }
  void on_text(std::string_view text) override {
    if (inside_ && phonetic_ == 0 && !all.empty()) all.back() += text;
  }
  void on_end(std::string_view name) override {
    if (name == "rPh") --phonetic_;
    inside_ = false;
  }

 private:
  bool inside_ = false;
  int phonetic_ = 0;  // how a text is spoken, in Japanese: not shown
};

class relations : public xml_listener {
 public:
  std::map<std::string, std::string> targets;
  void on_begin(std::string_view name, const attribute_reader& attribute) override {
    if (name == "Relationship") targets[attribute("Id")] = attribute("Target");
  }
  void on_text(std::string_view) override {}
  void on_end(std::string_view) override {}
};

class sheet_names : public xml_listener {
 public:
  std::vector<std::pair<std::string, std::string>> sheets;  // name, relation
  void on_begin(std::string_view name, const attribute_reader& attribute) override {
    if (name == "sheet") sheets.emplace_back(attribute("name"), attribute("r:id"));
  }
  void on_text(std::string_view) override {}
  void on_end(std::string_view) override {}
};

// "BC12" → 54, counted from 0; -1 where it is none.
int column_of(const std::string& cell) {
  int column = 0;
  for (const char c : cell) {
    if (c < 'A' || c > 'Z') break;
    column = column * 26 + (c - 'A' + 1);
    if (column > 16'384) return -1;
  }
  return column - 1;
}

class sheet_text : public xml_listener {
 public:
  sheet_text(text_sink& to, const std::vector<std::string>& strings) : to_(to), strings_(strings) {}
  void on_begin(std::string_view name, const attribute_reader& attribute) override {
    if (name == "row") column_ = 0;
    if (name == "c") {
      kind_ = attribute("t");
      value_.clear();
      const int column = column_of(attribute("r"));
      for (int gap = 0; column_ < column; ++column_)
        if (gap++ < gap_max) to_.add("\t");
    }
    inside_ = name == "v" || (name == "t" && kind_ == "inlineStr");
  }
  void on_text(std::string_view text) override {
    if (inside_) value_ += text;
  }
  void on_end(std::string_view name) override {
    inside_ = false;
    if (name == "row") to_.end_line();
    if (name == "c") to_.add(shown());
  }
  bool enough() const override { return to_.full(); }

 private:
  std::string shown() const {
    if (kind_ == "b") return value_ == "1" ? "TRUE" : "FALSE";
    if (kind_ != "s") return value_;
    std::size_t at = strings_.size();
    std::from_chars(value_.data(), value_.data() + value_.size(), at);
    return at < strings_.size() ? strings_[at] : std::string();
  }

  text_sink& to_;
  const std::vector<std::string>& strings_;
  int column_ = 0;
  std::string kind_, value_;
  bool inside_ = false;
};

// What is left out costs that part alone.
void read_if_there(const parts& from, const std::string& name, const limits& bounds,
                   xml_listener& to) {
  const auto part = from.find(name);
  if (part != from.end()) read_xml(part->second, bounds, to);
}

void read_word(const parts& from, text_sink& to, const limits& bounds) {
  for (const auto& name :
       {document_part, std::string("word/footnotes.xml"), std::string("word/endnotes.xml")}) {
    word_text text(to, bounds.structure);
    read_if_there(from, name, bounds, text);
    to.end_line();
  }
}

void read_workbook(const parts& from, text_sink& to, metadata& about, const limits& bounds) {
  shared_strings strings;
  relations related;
  sheet_names names;
  read_if_there(from, strings_part, bounds, strings);
  read_if_there(from, relations_part, bounds, related);
  read_if_there(from, workbook_part, bounds, names);
  about.numbers["sheets"] = static_cast<std::int64_t>(names.sheets.size());
  int read = 0;
  for (const auto& [name, relation] : names.sheets) {
    if (++read > bounds.sheets || to.full()) break;
    auto target = related.targets[relation];
    target = target.starts_with("/") ? target.substr(1) : "xl/" + target;
    to.end_line(2);
    to.add("## " + name);
    to.end_line();
    sheet_text text(to, strings.all);
    read_if_there(from, target, bounds, text);
  }
}

}  // namespace

void read_office(const document& from, text_sink& to, metadata& about, const limits& bounds) {
  const auto found = unpack(from.bytes, bounds, wanted);
  core_properties properties(about);
  read_if_there(found, core_part, bounds, properties);
  if (found.contains(document_part)) return read_word(found, to, bounds);
  if (found.contains(workbook_part)) return read_workbook(found, to, about, bounds);
  throw unreadable("unsupported", "an archive that is no Word or Excel document");
}

}  // namespace soma::extract
