// Cuts a document's text into passages, each of which can be found and cited by itself: along its
// pages, headings, paragraphs and sentences, never within a block of code or a row of a table.
//
// Pure: the same text and options give the same passages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma::memory {

struct passage_options {
  bool headings = false;  // lines that begin with # are headings, lines with | rows, as in Markdown
  bool paged = false;     // pages are numbered; so they are where form feeds stand between them
  bool rows = false;      // each line is a row of one table, as in CSV
  std::size_t characters = 1200;  // of a passage, about; code and rows may make it longer
  std::size_t overlap = 200;      // characters of sentences that neighbours share, at most
  std::size_t passages_max = 5000;
};

// What belongs together and is longer than this is cut after all, a block of code between its
// lines.
inline constexpr std::size_t passage_whole_bytes_max = 16 * 1024;

struct passage {
  std::string text;
  std::size_t page = 0;          // from 1; 0: the document has no pages
  std::string heading;           // the headings that it stands under, as "A > B"; empty: under none
  std::size_t from = 0, to = 0;  // characters (code points) of the document
};

struct cut_document {
  std::vector<passage> passages;
  bool more = false;  // there was more than passages_max
};

// `text`: UTF-8, with a form feed between pages. Neighbours overlap within a page and a section.
cut_document cut_passages(std::string_view text, const passage_options& how);

}  // namespace soma::memory
