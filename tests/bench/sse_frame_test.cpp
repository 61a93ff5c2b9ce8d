#include "sse_frame.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace soma::bench;

namespace {

order_check follow(id_form form, const std::vector<std::string>& ids) {
  order_check order(form);
  for (const auto& id : ids) order.see({id, "app.event", "{}", true});
  return order;
}

}  // namespace

TEST_CASE("sse frames: whole blocks are used, an unfinished one is left") {
  const std::string whole = ": hi\n\nid: 1.2\nevent: app.event\ndata: {}\n\n";
  std::vector<sse_frame> seen;
  const auto text = whole + "id: 1.3\ndata: {";
  CHECK(scan_frames(text, [&](const sse_frame& f) { seen.push_back(f); }) == whole.size());
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].id.empty());
  CHECK_FALSE(seen[0].has_data);
  CHECK(seen[1].id == "1.2");
  CHECK(seen[1].event == "app.event");
  CHECK(seen[1].data == "{}");
}

TEST_CASE("order check: dense ids have neither gaps nor repeats, across epochs too") {
  const auto order = follow(id_form::epoch_seq, {"3.41", "3.42", "4.43", "4.44"});
  CHECK(order.events() == 4);
  CHECK(order.gaps() == 0);
  CHECK(order.repeats() == 0);
}

TEST_CASE("order check: a missing id is a gap, an earlier one a repeat") {
  CHECK(follow(id_form::epoch_seq, {"1.1", "1.3"}).gaps() == 1);
  CHECK(follow(id_form::epoch_seq, {"1.1", "1.1"}).repeats() == 1);
  CHECK(follow(id_form::epoch_seq, {"1.5", "1.6", "1.2", "1.3"}).repeats() == 1);
}

TEST_CASE("order check: a block without data sets the position from which the first event counts") {
  order_check order(id_form::epoch_seq);
  order.see({"7.10", "", "", false});
  order.see({"7.12", "app.event", "{}", true});
  CHECK(order.events() == 1);
  CHECK(order.gaps() == 1);
}

TEST_CASE("order check: nchan's tags begin at zero in every second") {
  const auto good = follow(id_form::time_tag, {"100:4", "100:5", "102:0", "102:1"});
  CHECK(good.gaps() + good.repeats() == 0);
  CHECK(follow(id_form::time_tag, {"100:4", "100:6"}).gaps() == 1);
  CHECK(follow(id_form::time_tag, {"100:4", "101:1"}).gaps() == 1);
  CHECK(follow(id_form::time_tag, {"100:4", "99:0"}).repeats() == 1);
}
