// A page of a list whose reader may not see all rows, or asks for some of them: it is filled from
// pieces, each of which looks at a bounded number of rows in one turn on a lane. After
// `page_pieces_max` of them the page ends as it is: short, or empty, and not the last. Pure; one
// coroutine's.
#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace soma::app {

// That one request looks through.
inline constexpr std::size_t page_pieces_max = 20;

template <class Page, class Row>
class page_filling {
 public:
  // `rows`: where a page has its rows. `enough`: no other piece is read once so many are there.
  page_filling(std::vector<Row> Page::*rows, std::string cursor, std::size_t limit,
               std::size_t enough)
      : rows_(rows), limit_(limit), enough_(enough) {
    page_.next_cursor = std::move(cursor);
  }
  page_filling(std::vector<Row> Page::*rows, std::string cursor, std::size_t limit)
      : page_filling(rows, std::move(cursor), limit, limit) {}

  // Whether another piece is to be read: from `cursor`, of at most `left` rows.
  bool goes_on() const { return pieces_ == 0 || (!over_ && pieces_ < page_pieces_max); }
  const std::string& cursor() const { return page_.next_cursor; }
  std::size_t left() const { return limit_ - (page_.*rows_).size(); }
  bool is_first() const { return pieces_ == 0; }
  const Page& so_far() const { return page_; }

  void take(Page piece) {
    auto &all = page_.*rows_, &more = piece.*rows_;
    all.insert(all.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
    page_.next_cursor = std::move(piece.next_cursor);
    ++pieces_;
    over_ = page_.next_cursor.empty() || all.size() >= enough_ || all.size() >= limit_;
  }
  // No other piece has room in it.
  void end() { over_ = true; }

  Page page() && { return std::move(page_); }

 private:
  Page page_;
  std::vector<Row> Page::*const rows_;
  const std::size_t limit_, enough_;
  std::size_t pieces_ = 0;
  bool over_ = false;
};

}  // namespace soma::app
