// HTML, by libxml2's forgiving parser. Nothing is loaded from anywhere.
#include <libxml/HTMLparser.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "extract/extract.hpp"

namespace soma::extract {
namespace {

struct freeing {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};

std::string_view text_of(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

bool one_of(const std::set<std::string_view>& names, const xmlNode* node) {
  return names.contains(text_of(node->name));
}

const std::set<std::string_view> skipped{"script", "style",  "noscript", "template",
                                         "svg",    "iframe", "object",   "head"};
const std::set<std::string_view> lines{
    "p",       "div",     "br",     "li",     "tr",         "ul",     "ol",    "table",
    "section", "article", "header", "h1",     "h2",         "h3",     "h4",    "h5",
    "h6",      "pre",     "footer", "main",   "nav",        "form",   "hr",    "dl",
    "dt",      "dd",      "aside",  "figure", "blockquote", "option", "title", "address"};

void add_words(std::string_view text, text_sink& to) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
  if (!text.empty() && is_space(text.front())) to.space();
  while (!text.empty()) {
    const auto begin = std::find_if_not(text.begin(), text.end(), is_space);
    const auto end = std::find_if(begin, text.end(), is_space);
    to.add({begin, end});
    if (end != text.end()) to.space();
    text = {end, text.end()};
  }
}

// 1 to 6 of a heading; 0 of anything else.
int heading_level(std::string_view name) {
  return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6' ? name[1] - '0' : 0;
}

void enter(const xmlNode* node, text_sink& to, bool structure) {
  if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
    add_words(text_of(node->content), to);
  else if (node->type == XML_ELEMENT_NODE && one_of(lines, node))
    to.end_line(structure && text_of(node->name) == "p" ? 2 : 1);
  if (node->type != XML_ELEMENT_NODE) return;
  if (text_of(node->name) == "li") to.add("- ");
  if (const int level = structure ? heading_level(text_of(node->name)) : 0; level > 0)
    to.add(std::string(static_cast<std::size_t>(level), '#') + ' ');
}

void leave(const xmlNode* node, text_sink& to) {
  if (node->type != XML_ELEMENT_NODE) return;
  const auto name = text_of(node->name);
  if (name == "td" || name == "th")
    to.tab();
  else if (one_of(lines, node))
    to.end_line();
}

// In the order of the document, without recursion: hostile pages nest deeply.
void walk(const xmlNode* root, text_sink& to, bool structure) {
  const xmlNode* node = root;
  while (node && !to.full()) {
    enter(node, to, structure);
    if (node->children && node->type == XML_ELEMENT_NODE && !one_of(skipped, node)) {
      node = node->children;
      continue;
    }
    while (node && node != root && !node->next) {
      leave(node, to);
      node = node->parent;
    }
    if (!node || node == root) return;
    leave(node, to);
    node = node->next;
  }
}

const xmlNode* find(const xmlNode* below, std::string_view name) {
  for (const xmlNode* node = below ? below->children : nullptr; node; node = node->next)
    if (node->type == XML_ELEMENT_NODE && text_of(node->name) == name) return node;
  return nullptr;
}

}  // namespace

void read_html(const document& from, text_sink& to, metadata& about, const limits& bounds) {
  const std::unique_ptr<xmlDoc, freeing> page(htmlReadMemory(
      from.bytes.data(), static_cast<int>(std::min<std::size_t>(from.bytes.size(), 64u << 20)),
      nullptr, nullptr,
      HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET));
  const xmlNode* root = page ? xmlDocGetRootElement(page.get()) : nullptr;
  if (!root) throw unreadable("broken", "the page cannot be read");
  if (const auto* title = find(find(root, "head"), "title"); title && title->children) {
    text_sink line(1024);
    add_words(text_of(title->children->content), line);
    about.texts["title"] = line.take();
  }
  walk(root, to, bounds.structure);
}

}  // namespace soma::extract
